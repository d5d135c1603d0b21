//! The review server: a run's page on this machine's loopback address, which saves picks and votes in the run's folder.

//! Statistics of a run: a ranking of values from votes, the pair to ask for next, and how much each axis changes the pictures. Numbers in, numbers out.

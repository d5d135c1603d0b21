//! A share of a run's cells, so that several machines can render one run.

use std::fmt;
use std::str::FromStr;

/// One share of a run: `2/4` is the second of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

/// Text that is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a share of the work; allowed: `I/N` with I from 1 to N, such as `2/4`, or `auto` in a job array"
)]
pub struct ShardError(pub String);

impl Shard {
    /// Whether this share has the cell at that position of the plan's distinct cells, from 0.
    pub fn holds(&self, position: usize) -> bool {
        position % self.of == self.index - 1
    }

    /// The name of its log.
    pub(crate) fn log_name(&self) -> String {
        format!("log.{}-of-{}.csv", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Shard, ShardError> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, of)) if 1 <= index && index <= of => Ok(Shard { index, of }),
            _ => Err(ShardError(text.to_owned())),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn invalid_shares_are_refused() {
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
        for text in ["0/4", "5/4", "2", "a/b", "", "-1/2", "1/0"] {
            assert_eq!(text.parse::<Shard>(), Err(ShardError(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn shares_cover_every_position_once(of in 1usize..20, position in 0usize..10_000) {
            let holders = (1..=of).filter(|index| Shard { index: *index, of }.holds(position)).count();
            prop_assert_eq!(holders, 1);
        }
    }
}

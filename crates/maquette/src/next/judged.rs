//! What people think of a run, by the places of its cells in the grid.

use crate::ranking::Ranking;
use maquette_core::{CellId, Choice, Mark, Plan};
use maquette_store::{Picks, Run, Votes};
use std::collections::{BTreeMap, HashMap};

/// What a run was judged to be.
pub(super) struct Judged<'a> {
    pub run: &'a Run,
    pub plan: &'a Plan,
    /// The indices of the picked cells in the plan, ascending, each cell once.
    pub picked: Vec<usize>,
    /// All indices of the rejected cells.
    pub rejected: Vec<usize>,
    pub ranking: Ranking,
}

impl<'a> Judged<'a> {
    pub fn of(run: &'a Run, plan: &'a Plan, picks: &Picks, ranking: Ranking) -> Judged<'a> {
        let (picked, rejected) = marked(plan, picks);
        Judged { run, plan, picked, rejected, ranking }
    }

    /// The cells that the next experiment is derived from: the picks, or without any those that were preferred more often
    /// than the other one.
    pub fn parents(&self, votes: &Votes) -> Vec<CellId> {
        if !self.picked.is_empty() {
            return self.picked.iter().filter_map(|&index| self.plan.id(index).ok()).collect();
        }
        let mut wins: BTreeMap<CellId, i64> = BTreeMap::new();
        for vote in &votes.votes {
            let (winner, loser) = match vote.choice {
                Choice::Left => (vote.left, vote.right),
                Choice::Right => (vote.right, vote.left),
                Choice::Tie | Choice::Bad => continue,
            };
            *wins.entry(winner).or_default() += 1;
            *wins.entry(loser).or_default() -= 1;
        }
        let ids = (0..self.plan.len()).filter_map(|index| self.plan.id(index).ok());
        // A cell that is in the grid several times is named once.
        ids.filter(|id| wins.remove(id).is_some_and(|wins| wins > 0)).collect()
    }
}

/// The indices of the picked cells, each once, and all indices of the rejected ones.
fn marked(plan: &Plan, picks: &Picks) -> (Vec<usize>, Vec<usize>) {
    let marks: HashMap<CellId, Mark> =
        picks.cells.iter().filter_map(|(cell, pick)| Some((*cell, pick.mark?))).collect();
    let (mut picked, mut rejected) = (BTreeMap::new(), Vec::new());
    let indices = if marks.is_empty() { 0 } else { plan.len() };
    for index in 0..indices {
        let Ok(id) = plan.id(index) else { continue };
        match marks.get(&id) {
            Some(Mark::Pick) => _ = picked.entry(id).or_insert(index),
            Some(Mark::Reject) => rejected.push(index),
            None => {}
        }
    }
    let mut picked: Vec<usize> = picked.into_values().collect();
    picked.sort_unstable();
    (picked, rejected)
}

//! The ranking of a run's axis values by its votes.

use crate::Workspace;
use crate::error::Error;
use maquette_analysis::{CERTAINTY, Duel, rank};
use maquette_core::{CellId, Choice, Plan, Vote};
use maquette_store::Run;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// The ranking of the values of every axis of a run. It is computed from the votes each time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// The run, such as `mucha@1`.
    pub run: String,
    /// How many votes there are.
    pub votes: usize,
    /// Those that the ranking is computed from.
    pub entered: usize,
    /// Those for "both bad", which say nothing about which is better.
    pub bad: usize,
    /// Those that name a cell which is not in the run's plan.
    pub gone: usize,
    /// Those between cells that do not differ along any axis.
    pub same: usize,
    /// The axes, in the plan's order.
    pub axes: Vec<AxisRanking>,
    /// What is wrong with the record of votes, each a sentence without its full stop.
    pub problems: Vec<String>,
}

/// The ranking of one axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AxisRanking {
    /// The axis.
    pub axis: String,
    /// How many votes were between cells that differ along it.
    pub votes: usize,
    /// The values with votes, best first.
    pub values: Vec<RankedValue>,
    /// How many more votes make it 95 % certain that the first value is ahead of the second, if they go on as so far; `None`
    /// if there are no two values, or if both are level.
    pub votes_needed: Option<usize>,
}

/// A value in the ranking.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedValue {
    /// Its index on the axis.
    pub value: usize,
    /// Its label.
    pub label: String,
    /// Its log-strength; the mean over the axis is 0. A value that is 1 stronger wins 73 % of its votes.
    pub strength: f64,
    /// The ends of the interval that holds the log-strength in 95 % of the resamples.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How many votes it was in, against another value of the axis.
    pub votes: usize,
    /// Whether it is clearly worse than the first: their intervals do not overlap, and the first is ahead with 95 %
    /// certainty.
    pub worse: bool,
}

impl Workspace {
    /// The ranking of a run's axis values by its votes. `run` is a name such as `mucha@2`, a unique prefix, or a path.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found, or if its plan or its votes cannot be read.
    pub fn ranking(&self, run: &str) -> Result<Ranking, Error> {
        let run = self.runs.find(run)?;
        ranking(&run, &run.plan()?)
    }
}

/// The ranking of a run with that plan.
pub(crate) fn ranking(run: &Run, plan: &Plan) -> Result<Ranking, Error> {
    let record = run.votes()?;
    let places = Places::of(plan, record.votes.iter().flat_map(|vote| [vote.left, vote.right]));
    let mut ranking = Ranking {
        run: run.to_string(),
        votes: record.votes.len(),
        entered: 0,
        bad: 0,
        gone: 0,
        same: 0,
        axes: Vec::new(),
        problems: record.problems,
    };
    let mut duels = Vec::new();
    for vote in &record.votes {
        match (score(vote), places.difference(vote.left, vote.right)) {
            (None, _) => ranking.bad += 1,
            (_, None) => ranking.gone += 1,
            (Some(_), Some(values)) if values.iter().all(Option::is_none) => ranking.same += 1,
            (Some(score), Some(values)) => duels.push(Duel { values, score }),
        }
    }
    ranking.entered = duels.len();
    let sizes: Vec<usize> = plan.axes.iter().map(|axis| axis.values.len()).collect();
    let ranked = rank(&sizes, &duels).into_iter().zip(&plan.axes).map(|(ranked, axis)| AxisRanking {
        axis: axis.name.clone(),
        votes: ranked.votes,
        votes_needed: ranked.lead.and_then(|lead| lead.votes_needed(CERTAINTY)),
        values: ranked
            .values
            .into_iter()
            .map(|maquette_analysis::RankedValue { value, strength, low, high, votes, worse }| {
                let label = axis.values[value].label.clone();
                RankedValue { value, label, strength, low, high, votes, worse }
            })
            .collect(),
    });
    ranking.axes = ranked.collect();
    Ok(ranking)
}

/// The left cell's share of the win; `None` if neither is any good.
fn score(vote: &Vote) -> Option<f64> {
    match vote.choice {
        Choice::Left => Some(1.0),
        Choice::Right => Some(0.0),
        Choice::Tie => Some(0.5),
        Choice::Bad => None,
    }
}

/// Where cells are in the grid: for each axis, the values of the cell, ascending. Settings without an effect give a cell
/// several.
pub(crate) struct Places(HashMap<CellId, Vec<BTreeSet<usize>>>);

impl Places {
    /// The places of some cells in a plan; those that are not in it have none.
    pub fn of(plan: &Plan, cells: impl IntoIterator<Item = CellId>) -> Places {
        let wanted: BTreeSet<CellId> = cells.into_iter().collect();
        let mut places: HashMap<CellId, Vec<BTreeSet<usize>>> = HashMap::new();
        let indices = if wanted.is_empty() { 0 } else { plan.len() };
        for index in 0..indices {
            let Ok(id) = plan.id(index) else { continue };
            if wanted.contains(&id) {
                let values = places.entry(id).or_insert_with(|| vec![BTreeSet::new(); plan.axes.len()]);
                for (values, at) in values.iter_mut().zip(plan.coordinates(index)) {
                    values.insert(at);
                }
            }
        }
        Places(places)
    }

    /// How two cells differ: for each axis their values, or `None` if they have one in common. A cell with several values
    /// counts with the first. `None` if a cell is not in the plan.
    fn difference(&self, left: CellId, right: CellId) -> Option<Vec<Option<(usize, usize)>>> {
        let (left, right) = (self.0.get(&left)?, self.0.get(&right)?);
        let axes = left.iter().zip(right).map(|(left, right)| {
            let common = left.intersection(right).next().is_some();
            if common { None } else { left.first().copied().zip(right.first().copied()) }
        });
        Some(axes.collect())
    }
}

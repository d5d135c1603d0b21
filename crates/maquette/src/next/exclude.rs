//! Which combinations of the remaining values are left out: those that the parent left out, and the rejected ones.
//!
//! Axes of seeds do not count here: a combination stays if any of its seeds did.

use super::judged::Judged;
use crate::error::Error;
use maquette_core::{Selection, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// An axis of the next experiment.
pub(super) struct NewAxis {
    pub name: String,
    pub zip: bool,
    /// Whether its values are new seeds, which say nothing about the parent's cells.
    pub free: bool,
    pub remarks: Vec<String>,
    pub values: Vec<NewValue>,
}

/// A value of it.
pub(super) struct NewValue {
    pub label: Option<String>,
    pub set: Vec<(String, Value)>,
    /// The index of the parent's value that it is, or the indices of those that it is near or between.
    pub from: Vec<usize>,
}

/// A rule as the file has it: for each name the values that match.
type WrittenRule = Vec<(String, Vec<Value>)>;

/// The rules of the next experiment. Values of which no combination is left are removed from the axes.
pub(super) fn left_out(
    judged: &Judged<'_>,
    axes: &mut [NewAxis],
    decisions: &mut Vec<String>,
) -> Result<Vec<WrittenRule>, Error> {
    let fixed: Vec<usize> = (0..axes.len()).filter(|&at| !axes[at].free).collect();
    let combination = |index: &usize| -> Vec<usize> {
        let coordinates = judged.plan.coordinates(*index);
        fixed.iter().map(|&at| coordinates[at]).collect()
    };
    let picked: HashSet<Vec<usize>> = judged.picked.iter().map(combination).collect();
    let mut rejected: HashSet<Vec<usize>> = judged.rejected.iter().map(combination).collect();
    rejected.retain(|combination| !picked.contains(combination));
    let kept: Option<HashSet<Vec<usize>>> = match judged.plan.kept {
        Selection::All => None,
        Selection::Only(_) => Some((0..judged.plan.len()).map(|index| combination(&index)).collect()),
    };
    if rejected.is_empty() && kept.is_none() {
        return Ok(Vec::new());
    }
    let mut used = HashSet::new();
    let excluded = loop {
        let sizes: Vec<usize> = fixed.iter().map(|&at| axes[at].values.len()).collect();
        used.clear();
        let mut excluded: HashSet<Vec<usize>> = HashSet::new();
        let mut stays: Vec<HashSet<usize>> = vec![HashSet::new(); fixed.len()];
        for position in 0..sizes.iter().product() {
            let place = coordinates(position, &sizes);
            let values: Vec<&NewValue> =
                fixed.iter().zip(&place).map(|(&at, &value)| &axes[at].values[value]).collect();
            let near = parents(&values);
            let absent = kept.as_ref().is_some_and(|kept| near.iter().all(|parent| !kept.contains(parent)));
            let reject = near.iter().all(|parent| rejected.contains(parent));
            if reject {
                used.extend(near);
            }
            if absent || reject {
                excluded.insert(place);
            } else {
                place.into_iter().zip(&mut stays).for_each(|(value, stays)| _ = stays.insert(value));
            }
        }
        if stays.iter().any(HashSet::is_empty) {
            return Err(Error::NothingLeft { run: judged.run.to_string() });
        }
        let complete = stays.iter().zip(&sizes).all(|(stays, size)| stays.len() == *size);
        if complete {
            break excluded;
        }
        for (&at, stays) in fixed.iter().zip(&stays) {
            let axis = &mut axes[at];
            for (value, new) in axis.values.iter().enumerate() {
                if !stays.contains(&value) {
                    let shown: Vec<String> = new.set.iter().map(|(_, value)| value.to_string()).collect();
                    let shown = shown.join(", ");
                    decisions.push(format!(
                        "{}: `{shown}` is left out: no combination with it is left",
                        axis.name
                    ));
                }
            }
            let mut value = 0..;
            axis.values.retain(|_| value.next().is_some_and(|value| stays.contains(&value)));
        }
    };
    match used.len() {
        0 => {}
        1 => decisions.push("1 rejected combination is excluded".to_owned()),
        many => decisions.push(format!("{many} rejected combinations are excluded")),
    }
    let sizes: Vec<usize> = fixed.iter().map(|&at| axes[at].values.len()).collect();
    let axes: Vec<&NewAxis> = fixed.iter().map(|&at| &axes[at]).collect();
    Ok(rules(&sizes, &excluded).into_iter().flat_map(|rule| written(&axes, &rule)).collect())
}

/// The parent's combinations that a new one is, or is between.
fn parents(values: &[&NewValue]) -> Vec<Vec<usize>> {
    values.iter().fold(vec![vec![]], |sofar, value| {
        let longer = |begin: &Vec<usize>| {
            let begin = begin.clone();
            value.from.iter().map(move |&from| [&begin[..], &[from]].concat())
        };
        sofar.iter().flat_map(longer).collect()
    })
}

fn coordinates(mut position: usize, sizes: &[usize]) -> Vec<usize> {
    let mut place = vec![0; sizes.len()];
    for (value, size) in place.iter_mut().zip(sizes).rev() {
        *value = position % size;
        position /= size;
    }
    place
}

/// For some axes, by number, the values that a rule is about; all but the last have one.
type Rule = Vec<(usize, Vec<usize>)>;

/// Few rules that match exactly the excluded places: a rule names as few axes as it can.
fn rules(sizes: &[usize], excluded: &HashSet<Vec<usize>>) -> Vec<Rule> {
    let mut open: HashSet<&Vec<usize>> = excluded.iter().collect();
    let mut rules = Vec::new();
    let mut subsets: Vec<u32> = (1..1u32 << sizes.len()).collect();
    subsets.sort_by_key(|subset| subset.count_ones());
    for subset in subsets {
        if open.is_empty() {
            break;
        }
        let named: Vec<usize> = (0..sizes.len()).filter(|at| subset >> at & 1 == 1).collect();
        let others: usize = (0..sizes.len()).filter(|at| subset >> at & 1 == 0).map(|at| sizes[at]).product();
        let key = |place: &Vec<usize>| -> Vec<usize> { named.iter().map(|&at| place[at]).collect() };
        let mut counts: HashMap<Vec<usize>, usize> = HashMap::new();
        excluded.iter().for_each(|place| *counts.entry(key(place)).or_default() += 1);
        let whole = |place: &&&Vec<usize>| counts.get(&key(place)) == Some(&others);
        let covered: HashSet<Vec<usize>> = open.iter().filter(whole).map(|place| key(place)).collect();
        open.retain(|place| !covered.contains(&key(place)));
        // Rules that differ in their last axis only are one.
        let mut groups: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for mut values in covered {
            let Some(last) = values.pop() else { continue };
            groups.entry(values).or_default().push(last);
        }
        for (first, mut last) in groups {
            last.sort_unstable();
            let values = first.into_iter().map(|value| vec![value]).chain([last]);
            rules.push(named.iter().copied().zip(values).collect());
        }
    }
    rules
}

/// A rule as the file has it. The rows of a zip are named by all of its columns, so that each needs a rule of its own.
fn written(axes: &[&NewAxis], rule: &Rule) -> Vec<WrittenRule> {
    rule.iter().fold(vec![vec![]], |sofar, (at, values)| {
        let axis = axes[*at];
        let conditions: Vec<WrittenRule> = match axis.zip {
            false => {
                let values = values.iter().map(|&value| axis.values[value].set[0].1.clone()).collect();
                vec![vec![(axis.name.clone(), values)]]
            }
            true => {
                let row = |&value: &usize| {
                    let set = axis.values[value].set.iter();
                    set.map(|(name, value)| (name.clone(), vec![value.clone()])).collect()
                };
                values.iter().map(row).collect()
            }
        };
        let longer = |begin: &WrittenRule| {
            let begin = begin.clone();
            conditions.iter().map(move |more| [&begin[..], &more[..]].concat()).collect::<Vec<_>>()
        };
        sofar.iter().flat_map(longer).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rules_match_exactly_what_is_excluded(sizes in prop::collection::vec(1usize..5, 1..4), seed in any::<u64>()) {
            let positions: usize = sizes.iter().product();
            let chosen = |position: &usize| seed >> (position % 64) & 1 == 1;
            let excluded: HashSet<Vec<usize>> =
                (0..positions).filter(chosen).map(|position| coordinates(position, &sizes)).collect();
            let rules = rules(&sizes, &excluded);
            for position in 0..positions {
                let place = coordinates(position, &sizes);
                let matches = |rule: &Rule| rule.iter().all(|(at, values)| values.contains(&place[*at]));
                prop_assert_eq!(rules.iter().any(matches), excluded.contains(&place), "{:?}", place);
            }
        }
    }

    #[test]
    fn a_rule_names_as_few_axes_as_it_can() {
        let all = |first: usize, second: usize| (0..3).map(move |third| vec![first, second, third]);
        let excluded: HashSet<Vec<usize>> = all(0, 1).chain(all(0, 0)).chain([vec![1, 0, 2]]).collect();
        let rules = rules(&[2, 3, 3], &excluded);
        assert_eq!(rules, [vec![(0, vec![0]), (1, vec![0, 1])], vec![(1, vec![0]), (2, vec![2])]]);
    }
}

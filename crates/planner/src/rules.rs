//! `[[exclude]]` and `[[only]]`: reading rules, and finding the axis positions that they match.
//!
//! Rules are checked against the axes, not against cells: a rule that can match nothing is probably misspelt and is
//! reported. A rule whose axis was removed by a later file or option is not an error.

use crate::grid::{Grid, GridAxis};
use crate::nearest::{did_you_mean, list};
use crate::place::At;
use crate::problem::{Problem, Problems};
use crate::tree::{Data, Entry, Node};
use maquette_core::{Kind, Setting, Value, parse_weights};

/// One block: all of its conditions must match.
#[derive(Debug)]
pub(crate) struct Rule {
    pub at: At,
    pub conditions: Vec<Condition>,
}

/// One key of a block: all of its tests must match.
#[derive(Debug)]
pub(crate) struct Condition {
    pub name: String,
    pub at: At,
    pub tests: Vec<Test>,
}

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Test {
    /// The value or its label is one of these; each has its place.
    Is(Vec<(Value, At)>),
    /// Neither the value nor its label is one of these.
    Not(Vec<(Value, At)>),
    Above(f64),
    Below(f64),
    /// The text matches a pattern with `*` and `?`, ignoring case.
    Like(glob::Pattern),
}

/// Which positions a rule matches: for each axis, one flag per position; `None` if all match.
pub(crate) type Masks = Vec<Option<Vec<bool>>>;

/// How many of an axis' values an error message lists.
const MAX_LISTED: usize = 12;

/// The most bytes of a pattern: matching descends by one call for each `*`.
const LONGEST_PATTERN: usize = 1000;

/// The most rules of one key: each is applied to the whole grid.
const MAX_RULES: usize = 1000;

const TESTS: &[&str] = &["above", "below", "not", "like"];

/// Reads the blocks of one key.
pub(crate) fn read(nodes: &[Node], problems: &mut Problems) -> Vec<Rule> {
    let mut rules = Vec::new();
    if let Some(node) = nodes.get(MAX_RULES) {
        let message = format!("there are {} rules; allowed: at most {MAX_RULES}", nodes.len());
        problems.add(Problem::at(&node.at, message));
        return rules;
    }
    for node in nodes {
        let entries = node.table().unwrap_or(&[]);
        if entries.is_empty() {
            problems.add(Problem::at(
                &node.at,
                "a rule without a condition matches every cell; allowed: one or more",
            ));
        }
        let conditions: Vec<Condition> =
            entries.iter().filter_map(|entry| problems.keep(condition(entry))).collect();
        rules.push(Rule { at: node.at.clone(), conditions });
    }
    rules
}

/// Reads the options `--only`: the values that each name may have. They become rules that exclude everything else.
pub(crate) fn read_only(entries: &[Entry], problems: &mut Problems) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for entry in entries {
        let Some(values) = problems.keep(values(&entry.key, &entry.node)) else { continue };
        let mut known = rules.iter_mut().flat_map(|rule| &mut rule.conditions);
        match known.find(|condition| condition.name == entry.key).map(|condition| &mut condition.tests[..]) {
            Some([Test::Not(more)]) => more.extend(values),
            _ => {
                let tests = vec![Test::Not(values)];
                let condition = Condition { name: entry.key.clone(), at: entry.at.clone(), tests };
                rules.push(Rule { at: entry.at.clone(), conditions: vec![condition] });
            }
        }
    }
    rules
}

fn condition(entry: &Entry) -> Result<Condition, Problem> {
    let name = &entry.key;
    let tests = match &entry.node.data {
        Data::Table(entries) => entries.iter().map(|entry| test(name, entry)).collect::<Result<_, _>>()?,
        _ => vec![Test::Is(values(name, &entry.node)?)],
    };
    Ok(Condition { name: name.clone(), at: entry.at.clone(), tests })
}

fn test(name: &str, entry: &Entry) -> Result<Test, Problem> {
    let number = || {
        let number = entry.node.scalar().and_then(|value| value.as_number());
        number.ok_or_else(|| {
            let message = format!("`{}` is {}; allowed: a number", entry.key, entry.node.what());
            Problem::at(&entry.node.at, message)
        })
    };
    Ok(match entry.key.as_str() {
        "above" => Test::Above(number()?),
        "below" => Test::Below(number()?),
        "not" => Test::Not(values(name, &entry.node)?),
        "like" => {
            let pattern = entry.node.text().ok_or_else(|| {
                let message = format!("`like` is {}; allowed: text with `*` and `?`", entry.node.what());
                Problem::at(&entry.node.at, message)
            })?;
            if pattern.len() > LONGEST_PATTERN {
                let message =
                    format!("`like` has {} bytes; allowed: at most {LONGEST_PATTERN}", pattern.len());
                return Err(Problem::at(&entry.node.at, message));
            }
            Test::Like(glob::Pattern::new(pattern).map_err(|error| {
                Problem::at(&entry.node.at, format!("`{pattern}` is not a valid pattern: {}", error.msg))
                    .help("`*` matches any characters, `?` one character")
            })?)
        }
        key => {
            return Err(Problem::at(&entry.at, format!("`{key}` is not a test"))
                .help(format!("allowed: a value, a list of values, or {}", list(TESTS.iter().copied())))
                .help_if(did_you_mean(key, TESTS.iter().copied())));
        }
    })
}

/// A value or a list of them.
fn values(name: &str, node: &Node) -> Result<Vec<(Value, At)>, Problem> {
    let one = |node: &Node| {
        let value = node.scalar().ok_or_else(|| {
            let message = format!("`{name}` is {}; allowed: a value or a list of values", node.what());
            Problem::at(&node.at, message)
        })?;
        let value = match (Setting::named(name).map(|setting| setting.kind), value) {
            (Some(Kind::Path), Value::Text(text)) if !text.is_empty() => {
                Value::Text(node.at.origin.rebase(&text))
            }
            (Some(Kind::Weights), Value::Text(text)) => {
                parse_weights(&text).map_or(Value::Text(text), Value::Weights)
            }
            (_, value) => value,
        };
        Ok((value, node.at.clone()))
    };
    match &node.data {
        Data::List(nodes) if !nodes.is_empty() => nodes.iter().map(one).collect(),
        _ => Ok(vec![one(node)?]),
    }
}

impl Test {
    /// Whether a value, or its label from the file, passes.
    pub fn passes(&self, value: Option<&Value>, label: Option<&str>) -> bool {
        let number = value.and_then(Value::as_number);
        match self {
            Test::Is(values) => values.iter().any(|(wanted, _)| same(wanted, value, label)),
            Test::Not(values) => !values.iter().any(|(wanted, _)| same(wanted, value, label)),
            Test::Above(bound) => number.is_some_and(|number| number > *bound),
            Test::Below(bound) => number.is_some_and(|number| number < *bound),
            Test::Like(pattern) => {
                let options = glob::MatchOptions { case_sensitive: false, ..glob::MatchOptions::new() };
                let like = |text: &str| pattern.matches_with(text, options);
                value.is_some_and(|value| like(&value.to_string())) || label.is_some_and(like)
            }
        }
    }
}

/// Equal as numbers or as text: `--only seed=1` also matches a placeholder's `"1"`.
fn same(wanted: &Value, value: Option<&Value>, label: Option<&str>) -> bool {
    let text = wanted.to_string();
    value.is_some_and(|value| match (wanted.as_number(), value.as_number()) {
        (Some(wanted), Some(value)) => wanted == value,
        _ => value.to_string() == text,
    }) || label == Some(text.as_str())
}

/// What a condition's name refers to.
enum Subject<'a> {
    /// A name that an axis sets.
    Column(usize, usize),
    /// A zip as a whole: its labels.
    Labels(usize),
    /// A value that a later layer sets.
    Fixed(&'a Value),
    /// An axis that was removed.
    Removed,
}

/// The effect of a rule in a grid.
pub(crate) enum Verdict {
    /// It matches these positions; conditions that always hold are removed from the rule.
    Matches(Rule, Masks),
    /// It matches nothing, which is not an error.
    Never,
    /// It is about an axis that was removed.
    Removed,
}

/// The rules that match something, and whether any rule applies to this grid.
pub(crate) fn active(verdicts: Vec<Verdict>) -> (Vec<(Rule, Masks)>, bool) {
    let any_applies = verdicts.iter().any(|verdict| !matches!(verdict, Verdict::Removed));
    let matching = verdicts.into_iter().filter_map(|verdict| match verdict {
        Verdict::Matches(rule, masks) => Some((rule, masks)),
        Verdict::Never | Verdict::Removed => None,
    });
    (matching.collect(), any_applies)
}

/// Finds the positions that a rule matches.
pub(crate) fn apply(
    rule: Rule,
    grid: &Grid,
    dropped: &[String],
    labels: &[Vec<String>],
) -> Result<Verdict, Problem> {
    let mut masks: Masks = vec![None; grid.axes.len()];
    let mut may_be_empty = false;
    let mut conditions = Vec::new();
    for mut condition in rule.conditions {
        let subject = subject(&condition, grid, dropped)?;
        let (axis, slot) = match subject {
            Subject::Removed => return Ok(Verdict::Removed),
            Subject::Fixed(value) => match condition.passes(Some(value), None) {
                true => continue,
                false => return Ok(Verdict::Never),
            },
            Subject::Column(axis, slot) => (axis, Some(slot)),
            Subject::Labels(axis) => (axis, None),
        };
        let rows = Rows { axis: &grid.axes[axis], slot, labels: &labels[axis] };
        let row: Vec<bool> = rows.iter().map(|(value, label)| condition.passes(value, label)).collect();
        // An axis of a later layer may lack the values that an earlier rule names; and `not` with all values matches
        // nothing.
        let later = rows.axis.at.layer() > condition.at.layer();
        may_be_empty |= later || condition.tests.iter().all(|test| matches!(test, Test::Not(_)));
        if later {
            condition.remove_unknown(|wanted| rows.have(wanted));
        } else {
            rows.check(&condition)?;
        }
        if !may_be_empty && !row.contains(&true) {
            let message = format!("no value of the axis `{}` matches this rule", condition.name);
            return Err(Problem::at(&condition.at, message).label("matches nothing"));
        }
        match &mut masks[axis] {
            Some(mask) => mask.iter_mut().zip(row).for_each(|(mask, passes)| *mask &= passes),
            mask => *mask = Some(row),
        }
        if !condition.tests.is_empty() {
            conditions.push(condition);
        }
    }
    match masks.iter().flatten().any(|mask| !mask.contains(&true)) {
        false => Ok(Verdict::Matches(Rule { at: rule.at, conditions }, masks)),
        true if may_be_empty => Ok(Verdict::Never),
        true => Err(Problem::at(
            &rule.at,
            "this rule matches nothing: no row of the axis has all of these values together",
        )),
    }
}

impl Condition {
    fn passes(&self, value: Option<&Value>, label: Option<&str>) -> bool {
        self.tests.iter().all(|test| test.passes(value, label))
    }

    /// Removes the listed values that no position has.
    fn remove_unknown(&mut self, have: impl Fn(&Value) -> bool) {
        for test in &mut self.tests {
            if let Test::Is(values) | Test::Not(values) = test {
                values.retain(|(wanted, _)| have(wanted));
            }
        }
        self.tests.retain(|test| !matches!(test, Test::Not(values) if values.is_empty()));
    }
}

/// The positions of an axis that a condition tests.
struct Rows<'a> {
    axis: &'a GridAxis,
    /// Which of the names that the axis sets; `None` for the zip as a whole, which has labels only.
    slot: Option<usize>,
    labels: &'a [String],
}

impl Rows<'_> {
    fn iter(&self) -> impl Iterator<Item = (Option<&Value>, Option<&str>)> {
        self.axis.positions.iter().zip(self.labels).map(|(position, label)| match self.slot {
            Some(slot) => (Some(&position.set[slot].value), position.label.as_deref()),
            None => (None, Some(label.as_str())),
        })
    }

    fn have(&self, wanted: &Value) -> bool {
        self.iter().any(|(value, label)| same(wanted, value, label))
    }

    /// Fails if a listed value is not at any position.
    fn check(&self, condition: &Condition) -> Result<(), Problem> {
        let listed = condition.tests.iter().flat_map(|test| match test {
            Test::Is(values) | Test::Not(values) => &values[..],
            _ => &[],
        });
        let Some((wanted, at)) = listed.into_iter().find(|(wanted, _)| !self.have(wanted)) else {
            return Ok(());
        };
        let text = |(value, label): (Option<&Value>, Option<&str>)| {
            value.map(ToString::to_string).or(label.map(str::to_owned))
        };
        let texts: Vec<String> = self.iter().filter_map(text).collect();
        let listed = list(texts.iter().take(MAX_LISTED).map(String::as_str));
        let more = if texts.len() > MAX_LISTED { ", …" } else { "" };
        Err(Problem::at(at, format!("the axis `{}` has no value `{wanted}`", condition.name))
            .label("matches nothing")
            .help(format!("allowed: {listed}{more}"))
            .help_if(did_you_mean(&wanted.to_string(), texts.iter().map(String::as_str))))
    }
}

fn subject<'a>(condition: &Condition, grid: &'a Grid, dropped: &[String]) -> Result<Subject<'a>, Problem> {
    let name = &condition.name;
    if let Some((axis, slot)) = grid.axis_of(name) {
        return Ok(Subject::Column(axis, slot));
    }
    if let Some(axis) = grid.axes.iter().position(|axis| axis.name == *name) {
        return Ok(Subject::Labels(axis));
    }
    let fixed = grid.constant(name);
    if let Some(given) = fixed
        && given.at.as_ref().is_some_and(|at| at.layer() > condition.at.layer())
    {
        return Ok(Subject::Fixed(&given.value));
    }
    if dropped.contains(name) {
        return Ok(Subject::Removed);
    }
    let mut names: Vec<&str> = Vec::new();
    for axis in &grid.axes {
        names.extend(axis.names().filter(|name| *name != axis.name));
        names.push(&axis.name);
    }
    let problem = Problem::at(&condition.at, format!("no axis sweeps `{name}`")).label("not an axis");
    let allowed = match names[..] {
        [] => "there are no axes".to_owned(),
        _ => format!("allowed: {}", list(names.iter().copied())),
    };
    let near = did_you_mean(name, names.iter().copied());
    let option = condition.at.layer() > 0;
    Err(match fixed.is_some() || crate::layer::is_top_level(name) {
        true if option && Setting::named(name).is_some() => {
            problem.help(format!("{allowed}; to give `{name}` one value: --set {name}=..."))
        }
        true if !option && crate::layer::is_top_level(name) => problem.help(format!(
            "{allowed}; if `{name}` was meant for the whole experiment, move this line above the first [table]"
        )),
        true => problem.help(allowed),
        false => problem.help(allowed).help_if(near),
    })
}

//! The forms of an axis, and the values they expand to.

use crate::nearest::{did_you_mean, list};
use crate::place::At;
use crate::problem::{Problem, Problems};
use crate::range;
use crate::tree::{Data, Entry, Node, find};
use crate::{listing, values};
use maquette_core::{Kind, MAX_VALUES, Setting, Value};
use rust_decimal::Decimal;

/// One value of an axis, and the label that the file gives it.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub label: Option<String>,
    pub value: Value,
    pub at: At,
}

/// The values of one axis or of one column of a zip.
pub(crate) struct Points {
    pub points: Vec<Point>,
    /// Whether the values are placeholders for seeds that are still to be drawn.
    pub random: bool,
}

/// The keys of all table forms, and the forms for hints.
const FORM_KEYS: &[&str] = &["from", "to", "step", "count", "random", "file", "glob"];
const FORMS: &str = "allowed: a list, `{ from, to, step }`, `{ from, to, count }`, `{ file }`, `{ glob }`, and for \
                     seeds `{ count, from }` or `{ random }`";

/// Reads the values of `name`; `None` after an error, which is added to `problems`.
pub(crate) fn read(name: &str, node: &Node, problems: &mut Problems) -> Option<Points> {
    let points = match &node.data {
        Data::List(nodes) => {
            let points: Vec<Option<Point>> =
                nodes.iter().map(|node| problems.keep(element(name, node))).collect();
            Points { points: points.into_iter().collect::<Option<Vec<Point>>>()?, random: false }
        }
        Data::Table(form) => problems.keep(table(name, node, form))?,
        _ => {
            let message = format!("the axis `{name}` is {}, not a list", node.what());
            problems.add(Problem::at(&node.at, message).help(FORMS));
            return None;
        }
    };
    match points.points.len() {
        0 => problems.add(
            Problem::at(&node.at, format!("the axis `{name}` has no values")).label("empty").help(FORMS),
        ),
        1..=MAX_VALUES => return Some(points),
        many => {
            let message = format!("the axis `{name}` has {many} values; allowed: up to {MAX_VALUES}");
            problems.add(Problem::at(&node.at, message));
        }
    }
    None
}

/// A plain value, or `{ label, value }`.
fn element(name: &str, node: &Node) -> Result<Point, Problem> {
    let file = |entries: &&[Entry]| !entries.iter().any(|entry| entry.key == "file");
    let Some(entries) = node.table().filter(file) else {
        return Ok(Point { label: None, value: value(name, node)?, at: node.at.clone() });
    };
    if let Some(entry) = entries.iter().find(|entry| entry.key != "label" && entry.key != "value") {
        let problem = Problem::at(&entry.at, format!("`{}` is not a key of a value with a label", entry.key));
        return Err(problem.help("allowed: `{ label = \"a name\", value = … }`"));
    }
    let Some(value) = find(entries, "value") else {
        return Err(Problem::at(&node.at, "this value has a label but no `value`".to_owned())
            .help("allowed: `{ label = \"a name\", value = … }`"));
    };
    let label = find(entries, "label").map(|entry| label(&entry.node)).transpose()?;
    Ok(Point { label, value: self::value(name, &value.node)?, at: value.node.at.clone() })
}

/// One value of an axis. It may be a list only for weight files, which are then combined.
fn value(name: &str, node: &Node) -> Result<Value, Problem> {
    values::read(name, node).map_err(|problem| match (&node.data, Setting::named(name)) {
        (Data::List(_) | Data::Table(_), Some(Setting { kind: Kind::Weights, .. })) => problem,
        (Data::List(_), _) => problem.help("write the values as one list, without inner brackets"),
        (Data::Table(_), _) => problem.help("allowed: a value, or `{ label = \"a name\", value = … }`"),
        _ => problem,
    })
}

/// A label: any plain value, as text.
pub(crate) fn label(node: &Node) -> Result<String, Problem> {
    match node.scalar() {
        Some(value) if !value.to_string().trim().is_empty() => Ok(value.to_string()),
        _ => Err(Problem::at(&node.at, format!("a label is {}; allowed: non-empty text", node.what()))),
    }
}

fn table(name: &str, node: &Node, form: &[Entry]) -> Result<Points, Problem> {
    if let Some(entry) = form.iter().find(|entry| !FORM_KEYS.contains(&entry.key.as_str())) {
        let problem = Problem::at(&entry.at, format!("`{}` is not a key of an axis", entry.key));
        return Err(problem.help(FORMS).help_if(did_you_mean(&entry.key, FORM_KEYS.iter().copied())));
    }
    let keys: Vec<&str> = form.iter().map(|entry| entry.key.as_str()).collect();
    let has = |key: &str| keys.contains(&key);
    let only = |allowed: &[&str]| match form.iter().find(|entry| !allowed.contains(&entry.key.as_str())) {
        Some(entry) => {
            let message =
                format!("`{}` cannot be combined with {}", entry.key, list(allowed.iter().copied()));
            Err(Problem::at(&entry.at, message).help(FORMS))
        }
        None => Ok(()),
    };
    let plain = |points| Points { points, random: false };
    if let Some(entry) = find(form, "file") {
        only(&["file"])?;
        Ok(plain(points(listing::lines(name, path(entry)?, &entry.node.at)?)))
    } else if let Some(entry) = find(form, "glob") {
        only(&["glob"])?;
        Ok(plain(points(listing::files(name, path(entry)?, &entry.node.at)?)))
    } else if let Some(entry) = find(form, "random") {
        only(&["random"])?;
        seeds_only(name, entry)?;
        let point = Point { label: None, value: Value::Integer(-1), at: entry.node.at.clone() };
        Ok(Points { points: vec![point; count(entry)?], random: true })
    } else if has("to") {
        only(&["from", "to", "step", "count"])?;
        Ok(plain(numbers(name, node, form)?))
    } else if let Some(entry) = find(form, "count") {
        only(&["count", "from"])?;
        seeds_only(name, entry)?;
        Ok(plain(counting(name, form, entry)?))
    } else {
        let has = if keys.is_empty() { "no keys".to_owned() } else { format!("only {}", list(keys)) };
        Err(Problem::at(&node.at, format!("the axis `{name}` is incomplete: it has {has}")).help(FORMS))
    }
}

fn points(values: Vec<(Value, At)>) -> Vec<Point> {
    values.into_iter().map(|(value, at)| Point { label: None, value, at }).collect()
}

fn path(entry: &Entry) -> Result<&str, Problem> {
    entry.node.text().filter(|text| !text.is_empty()).ok_or_else(|| {
        Problem::at(&entry.node.at, format!("`{}` is {}; allowed: a path", entry.key, entry.node.what()))
    })
}

fn count(entry: &Entry) -> Result<usize, Problem> {
    match entry.node.data {
        Data::Integer(n) if n >= 1 && n as usize <= MAX_VALUES => Ok(n as usize),
        _ => {
            let message = format!(
                "`{}` is {}; allowed: a whole number from 1 to {MAX_VALUES}",
                entry.key,
                entry.node.what()
            );
            Err(Problem::at(&entry.node.at, message))
        }
    }
}

fn seeds_only(name: &str, entry: &Entry) -> Result<(), Problem> {
    if Setting::named(name).is_some_and(|setting| setting.kind == Kind::Seed) {
        return Ok(());
    }
    let message = format!("`{}` alone generates seeds, and `{name}` is not a seed", entry.key);
    Err(Problem::at(&entry.at, message)
        .help("allowed here: a list, `{ from, to, step }`, `{ from, to, count }`, `{ file }`, `{ glob }`"))
}

/// `{ count, from }`: consecutive whole numbers.
fn counting(name: &str, form: &[Entry], entry: &Entry) -> Result<Vec<Point>, Problem> {
    let from = match find(form, "from") {
        None => 0,
        Some(from) => match from.node.data {
            Data::Integer(n) => n,
            _ => {
                let message = format!("`from` is {}; allowed: a whole number", from.node.what());
                return Err(Problem::at(&from.node.at, message));
            }
        },
    };
    let at = &find(form, "from").unwrap_or(entry).node.at;
    let point = |nth: usize| {
        let value = Value::Integer(from + nth as i128);
        let value = match Setting::named(name) {
            Some(setting) => values::fit(setting, value, at)?,
            None => value,
        };
        Ok(Point { label: None, value, at: at.clone() })
    };
    (0..count(entry)?).map(point).collect()
}

/// `{ from, to, step }` or `{ from, to, count }`.
fn numbers(name: &str, node: &Node, form: &[Entry]) -> Result<Vec<Point>, Problem> {
    let decimal = |key: &str| {
        let Some(entry) = find(form, key) else {
            let message = format!("the axis `{name}` has no `{key}`");
            return Err(Problem::at(&node.at, message).help(FORMS));
        };
        let number = match &entry.node.data {
            Data::Integer(n) => range::decimal(&n.to_string()),
            Data::Number(text) => range::decimal(text),
            _ => None,
        };
        number.ok_or_else(|| {
            let message = format!("`{key}` is {}; allowed: {}", entry.node.what(), range::ALLOWED);
            Problem::at(&entry.node.at, message)
        })
    };
    let (from, to) = (decimal("from")?, decimal("to")?);
    let number = |decimal: Decimal| {
        let text = decimal.to_string();
        // The double nearest to the exact decimal, so that 0.7 is the same as a literal 0.7.
        match (text.parse::<i128>(), text.parse::<f64>()) {
            (Ok(n), _) => Value::Integer(n),
            (_, Ok(x)) => Value::Number(x),
            _ => Value::Text(text),
        }
    };
    let setting = Setting::named(name);
    let allows = |decimal| setting.is_none_or(|setting| setting.check(&number(decimal)).is_ok());
    let decimals = match (find(form, "step"), find(form, "count")) {
        (Some(_), None) => range::stepped(from, to, decimal("step")?, allows),
        (None, Some(entry)) => range::counted(from, to, count(entry)?),
        (Some(_), Some(entry)) => {
            let problem = Problem::at(&entry.at, "a range takes `step` or `count`, not both");
            return Err(problem.help(FORMS));
        }
        (None, None) => {
            let problem =
                Problem::at(&node.at, format!("the range of `{name}` has neither `step` nor `count`"));
            return Err(problem.help(FORMS));
        }
    };
    let decimals = decimals.map_err(|misfit| Problem::at(&node.at, misfit.message).help(misfit.help))?;
    let point = |decimal: Decimal| {
        let value = match setting {
            Some(setting) => values::fit(setting, number(decimal), &node.at)?,
            None => number(decimal),
        };
        Ok(Point { label: None, value, at: node.at.clone() })
    };
    decimals.into_iter().map(point).collect()
}

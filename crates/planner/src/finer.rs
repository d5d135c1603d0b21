//! A finer range around the winning values of a numeric axis, in exact decimals.

use crate::range::decimal;
use maquette_core::{Kind, Setting, Value};
use rust_decimal::Decimal;

/// A value of the finer range.
#[derive(Debug, Clone, PartialEq)]
pub struct FinerValue {
    /// The value.
    pub value: Value,
    /// The index of the axis' value that it is, or the indices of those that it is between.
    pub from: Vec<usize>,
}

/// The values from the lowest to the highest of `winners` (indices of `values`), with a new one in the middle of every two
/// neighbours; around a single winner, one half of a step to each side. Ascending, each value once.
///
/// `name` is the setting or placeholder; new values that `allows` refuses are left out. `None` if the values are not all
/// numbers that can be divided exactly, or if there is nothing between them.
pub fn finer(
    name: &str,
    values: &[Value],
    winners: &[usize],
    allows: &dyn Fn(&Value) -> bool,
) -> Option<Vec<FinerValue>> {
    let number = |value: &Value| value.as_number().and_then(|_| decimal(&value.to_string()));
    let numbers: Vec<Decimal> = values.iter().map(number).collect::<Option<_>>()?;
    let mut sorted: Vec<usize> = (0..values.len()).collect();
    sorted.sort_by_key(|&at| numbers[at]);
    sorted.dedup_by_key(|at| numbers[*at]);
    let place = |winner: &usize| sorted.iter().position(|&at| numbers[at] == numbers[*winner]);
    let places: Vec<usize> = winners.iter().filter_map(place).collect();
    let (low, high) = (*places.iter().min()?, *places.iter().max()?);
    let whole = match Setting::named(name) {
        Some(setting) => matches!(setting.kind, Kind::Integer { .. }),
        None => values.iter().all(|value| matches!(value, Value::Integer(_))),
    };
    let new = |number: Decimal, from: Vec<usize>| {
        let number = if whole { number.floor() } else { number }.normalize();
        let text = number.to_string();
        let value = match (text.parse::<i128>(), text.parse::<f64>()) {
            (Ok(n), _) if whole => Value::Integer(n),
            (_, Ok(x)) => Value::Number(x),
            _ => return None,
        };
        let known = numbers.contains(&number);
        // A decimal of too many digits cannot be written.
        (!known && decimal(&text).is_some() && allows(&value)).then_some(FinerValue { value, from })
    };
    let old = |place: usize| FinerValue { value: values[sorted[place]].clone(), from: vec![sorted[place]] };
    let middle = |place: usize| {
        let (one, other) = (sorted[place], sorted[place + 1]);
        new((numbers[one] + numbers[other]) / Decimal::TWO, vec![one, other])
    };
    let mut found = Vec::new();
    if low == high {
        let gap = |place: usize| (numbers[sorted[place + 1]] - numbers[sorted[place]]) / Decimal::TWO;
        let below = low.checked_sub(1).map(gap);
        let above = (low + 1 < sorted.len()).then(|| gap(low));
        let (winner, at) = (numbers[sorted[low]], sorted[low]);
        let beside = |place: Option<usize>| {
            let neighbour = place.and_then(|place| sorted.get(place)).copied();
            [at].into_iter().chain(neighbour).collect::<Vec<_>>()
        };
        found.extend(below.or(above).and_then(|half| new(winner - half, beside(low.checked_sub(1)))));
        found.push(old(low));
        found.extend(above.or(below).and_then(|half| new(winner + half, beside(Some(low + 1)))));
    } else {
        for place in low..high {
            found.push(old(place));
            found.extend(middle(place));
        }
        found.push(old(high));
    }
    found.iter().any(|value| value.from.len() > 1 || !values.contains(&value.value)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, values: &[Value], winners: &[usize], expected: Option<&str>) {
        let setting = Setting::named(name);
        let allows = |value: &Value| setting.is_none_or(|setting| setting.check(value).is_ok());
        let found = finer(name, values, winners, &allows);
        let text = found
            .map(|found| found.iter().map(|finer| finer.value.to_string()).collect::<Vec<_>>().join(" "));
        assert_eq!(text.as_deref(), expected, "{name} {values:?} {winners:?}");
    }

    #[test]
    fn ranges_become_finer_between_winners() {
        let strengths: Vec<Value> = [0.3, 0.5, 0.7, 0.9].map(Value::from).to_vec();
        check("strength", &strengths, &[1, 2], Some("0.5 0.6 0.7"));
        check("strength", &strengths, &[2, 0], Some("0.3 0.4 0.5 0.6 0.7"));
        check("strength", &strengths, &[1], Some("0.4 0.5 0.6"));
        check("strength", &strengths, &[3], Some("0.8 0.9 1"));
        check("strength", &[0.5.into(), 1.0.into()], &[1], Some("0.75 1"));
        check("strength", &[0.1.into(), 0.2.into(), 0.8.into()], &[0, 2], Some("0.1 0.15 0.2 0.5 0.8"));
        check("strength", &[0.9.into(), 0.5.into()], &[0, 1], Some("0.5 0.7 0.9"));
        check("strength", &[0.5.into()], &[0], None);
        check("steps", &[20.into(), 30.into()], &[0, 1], Some("20 25 30"));
        check("steps", &[20.into(), 21.into()], &[0, 1], None);
        check("steps", &[20.into(), 25.into()], &[0, 1], Some("20 22 25"));
        check("age", &[20.into(), 40.into()], &[0], Some("10 20 30"));
        check("age", &["20".into(), 40.into()], &[0], None);
        check(
            "strength",
            &[0.123_456_789_01.into(), 0.2.into()],
            &[0, 1],
            Some("0.12345678901 0.161728394505 0.2"),
        );
    }

    #[test]
    fn values_know_where_they_come_from() {
        let values: Vec<Value> = [0.5, 0.3].map(Value::from).to_vec();
        let found = finer("strength", &values, &[0, 1], &|_| true).unwrap();
        let from: Vec<_> = found.iter().map(|finer| finer.from.clone()).collect();
        assert_eq!(from, [vec![1], vec![1, 0], vec![0]]);
        let found = finer("strength", &values, &[0], &|_| true).unwrap();
        let from: Vec<_> = found.iter().map(|finer| finer.from.clone()).collect();
        assert_eq!(from, [vec![0, 1], vec![0], vec![0]]);
    }
}

//! Ranges of numbers: both ends included, exact decimals, never a floating sum.

use maquette_core::MAX_VALUES;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Why a range is invalid, and how to fix it.
#[derive(Debug, PartialEq)]
pub(crate) struct Misfit {
    pub message: String,
    pub help: String,
}

fn misfit<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit { message: message.into(), help: help.into() })
}

/// The ends and the step of a range are smaller than this, so that no sum of them can overflow.
const LARGEST: i64 = 1_000_000_000_000_000;

/// The ends and the step of a range have no more decimals than this.
const MAX_DECIMALS: u32 = 12;

/// What `decimal` accepts, for messages.
pub(crate) const ALLOWED: &str = "a number below 10^15 with up to 12 decimals";

/// Reads a decimal as TOML writes it.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let number = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()?.normalize();
    (number.abs() < Decimal::from(LARGEST) && number.scale() <= MAX_DECIMALS).then_some(number)
}

/// `from`, `from + step`, … `to`. A whole number of steps must lead from one end to the other. `allows` tests whether the
/// setting allows a number, so that hints suggest only such numbers.
pub(crate) fn stepped(
    from: Decimal,
    to: Decimal,
    step: Decimal,
    allows: impl Fn(Decimal) -> bool,
) -> Result<Vec<Decimal>, Misfit> {
    if step.is_zero() {
        return misfit("the step is 0; allowed: a step other than 0", "leave out `step` and give `count`");
    }
    let span = to - from;
    if !span.is_zero() && span.is_sign_negative() != step.is_sign_negative() {
        return misfit(
            format!("a step of {step} moves away from {to}; allowed: a step towards it"),
            format!("write `step = {}`", -step),
        );
    }
    let whole = span.checked_div(step).map(|steps| steps.trunc());
    let count = whole.and_then(|whole| whole.to_usize()).filter(|count| *count < MAX_VALUES);
    let (Some(whole), Some(count)) = (whole, count) else {
        return misfit(
            format!("the range has more than {MAX_VALUES} values"),
            format!("allowed: up to {MAX_VALUES}"),
        );
    };
    let last = from + step * whole;
    if last != to {
        let ends = [last.normalize(), (last + step).normalize()].into_iter().filter(|&end| allows(end));
        let ends: Vec<String> = ends.map(|end| format!("write `to = {end}`, or ")).collect();
        return misfit(
            format!("steps of {step} from {from} miss {to}; allowed: a step that reaches it"),
            format!("{}give `count` in place of `step`", ends.concat().replace("`, or write", "` or")),
        );
    }
    Ok((0..=count).map(|nth| (from + step * Decimal::from(nth)).normalize()).collect())
}

/// `count` values, evenly spaced. If the spacing is not a finite decimal, the values between the ends are rounded to a
/// thousandth of it or finer.
pub(crate) fn counted(from: Decimal, to: Decimal, count: usize) -> Result<Vec<Decimal>, Misfit> {
    if count == 0 || count > MAX_VALUES {
        return misfit(
            format!("`count` is {count}; allowed: 1 to {MAX_VALUES}"),
            "an axis needs at least one value",
        );
    }
    if count == 1 {
        return if from == to {
            Ok(vec![from.normalize()])
        } else {
            misfit("one value cannot be both ends of a range", "give `count = 2` or more")
        };
    }
    let span = to - from;
    let gaps = Decimal::from(count - 1);
    let step = span / gaps;
    let exact = step.normalize().scale() <= 12 && step * gaps == span;
    let mut digits = from.scale().max(to.scale());
    while !exact && digits < 20 && !step.is_zero() && (step.abs() * power(digits)) < Decimal::from(1000) {
        digits += 1;
    }
    let value = |nth: usize| {
        if nth == 0 {
            from
        } else if nth == count - 1 {
            to
        } else if exact {
            from + step * Decimal::from(nth)
        } else {
            (from + step * Decimal::from(nth)).round_dp(digits)
        }
    };
    Ok((0..count).map(|nth| value(nth).normalize()).collect())
}

fn power(digits: u32) -> Decimal {
    (0..digits).fold(Decimal::ONE, |power, _| power * Decimal::TEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        decimal(text).unwrap()
    }

    fn words(values: Result<Vec<Decimal>, Misfit>) -> Result<String, String> {
        let join =
            |values: Vec<Decimal>| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        values.map(join).map_err(|misfit| format!("{}; {}", misfit.message, misfit.help))
    }

    #[test]
    fn steps_are_exact() {
        let check = |from, to, step, expected: &str| {
            assert_eq!(words(stepped(d(from), d(to), d(step), |_| true)).as_deref(), Ok(expected));
        };
        check("0.3", "0.9", "0.2", "0.3 0.5 0.7 0.9");
        check("0", "1", "0.1", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1");
        check("3", "1", "-1", "3 2 1");
        check("5", "5", "1", "5");
        check("1e-3", "3e-3", "1e-3", "0.001 0.002 0.003");
    }

    #[test]
    fn errors_suggest_steps_that_fit() {
        let check = |from, to, step, expected: &str| {
            assert_eq!(words(stepped(d(from), d(to), d(step), |_| true)).unwrap_err(), expected);
        };
        check(
            "0.3",
            "1",
            "0.2",
            "steps of 0.2 from 0.3 miss 1; allowed: a step that reaches it; \
             write `to = 0.9` or `to = 1.1`, or give `count` in place of `step`",
        );
        check(
            "1",
            "0",
            "0.5",
            "a step of 0.5 moves away from 0; allowed: a step towards it; write `step = -0.5`",
        );
        check(
            "0",
            "1",
            "0",
            "the step is 0; allowed: a step other than 0; leave out `step` and give `count`",
        );
        check("0", "1", "0.000001", "the range has more than 100000 values; allowed: up to 100000");
    }

    #[test]
    fn hints_suggest_only_allowed_values() {
        let check = |from, to, step, expected: &str| {
            let unit = |number: Decimal| (Decimal::ZERO..=Decimal::ONE).contains(&number);
            let error = words(stepped(d(from), d(to), d(step), unit)).unwrap_err();
            assert_eq!(error.split("; ").last(), Some(expected));
        };
        check("0.5", "0.95", "0.1", "write `to = 0.9` or `to = 1`, or give `count` in place of `step`");
        check("0.5", "1.05", "0.1", "write `to = 1`, or give `count` in place of `step`");
        check("0.2", "-0.1", "-0.2", "write `to = 0`, or give `count` in place of `step`");
        check("1.5", "1.6", "0.3", "give `count` in place of `step`");
    }

    #[test]
    fn counts_are_even() {
        let check = |from, to, count, expected: &str| {
            assert_eq!(words(counted(d(from), d(to), count)).as_deref(), Ok(expected));
        };
        check("0.3", "0.9", 5, "0.3 0.45 0.6 0.75 0.9");
        check("0", "1", 4, "0 0.3333 0.6667 1");
        check("0", "1", 65, &words(stepped(d("0"), d("1"), d("0.015625"), |_| true)).unwrap());
        check("7", "7", 1, "7");
        assert!(counted(d("0"), d("1"), 1).is_err());
        assert!(counted(d("0"), d("1"), 0).is_err());
    }

    proptest! {
        #[test]
        fn ranges_hit_both_ends(from in -1000i64..1000, steps in 0u32..200, step in -50i64..50, scale in 0u32..4) {
            prop_assume!(step != 0);
            let (from, step) = (Decimal::new(from, scale), Decimal::new(step, scale));
            let to = from + step * Decimal::from(steps);
            let values = stepped(from, to, step, |_| true).unwrap();
            prop_assert_eq!(values.len(), steps as usize + 1);
            prop_assert_eq!((values[0], values[values.len() - 1]), (from, to));
            prop_assert!(values.windows(2).all(|pair| pair[1] - pair[0] == step));
            if steps > 0 {
                prop_assert_eq!(counted(from, to, steps as usize + 1).unwrap(), values);
            }
        }

        #[test]
        fn counts_hit_both_ends(from in -1000i64..1000, to in -1000i64..1000, count in 2usize..300) {
            let (from, to) = (Decimal::new(from, 2), Decimal::new(to, 2));
            let values = counted(from, to, count).unwrap();
            prop_assert_eq!(values.len(), count);
            prop_assert_eq!((values[0], values[count - 1]), (from, to));
            let rising = values.windows(2).all(|pair| (pair[1] > pair[0]) == (to > from) || from == to);
            prop_assert!(rising);
        }
    }
}

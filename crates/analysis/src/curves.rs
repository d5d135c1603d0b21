//! A number along one axis: a line for each value of another axis, the spread over all others as a band.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The value of the axis of lines; `None` if there is only one line.
    pub line: Option<usize>,
    /// For each value of the axis that it runs along; `None` where there are no numbers.
    pub points: Vec<Option<CurvePoint>>,
}

/// The numbers at one place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Their mean.
    pub mean: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// How many there are.
    pub count: usize,
}

/// The curves along the axis number `along`, one per value of the axis number `lines`; each with its number of values.
/// `cells` has coordinates and a finite number for each cell.
pub fn curves(
    along: (usize, usize),
    lines: Option<(usize, usize)>,
    cells: &[(Vec<usize>, f64)],
) -> Vec<Curve> {
    let values = lines.map_or(vec![None], |(_, count)| (0..count).map(Some).collect());
    let point = |line: Option<usize>, at: usize| {
        let on_line = |coordinates: &[usize]| lines.is_none_or(|(axis, _)| Some(coordinates[axis]) == line);
        let here = |(coordinates, _): &&(Vec<usize>, f64)| coordinates[along.0] == at && on_line(coordinates);
        let numbers: Vec<f64> = cells.iter().filter(here).map(|(_, number)| *number).collect();
        let count = numbers.len();
        (count > 0).then(|| CurvePoint {
            mean: numbers.iter().sum::<f64>() / count as f64,
            low: numbers.iter().copied().fold(f64::INFINITY, f64::min),
            high: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            count,
        })
    };
    let curve = |line| Curve { line, points: (0..along.1).map(|at| point(line, at)).collect() };
    values.into_iter().map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_the_spread_over_the_other_axes() {
        // Axes: line, along, seed.
        let cells = [
            (vec![0, 0, 0], 1.0),
            (vec![0, 0, 1], 3.0),
            (vec![0, 1, 0], 5.0),
            (vec![1, 0, 0], 7.0),
            (vec![1, 0, 1], 7.0),
        ];
        let found = curves((1, 2), Some((0, 2)), &cells);
        let point = |mean, low, high, count| Some(CurvePoint { mean, low, high, count });
        assert_eq!(found[0].points, [point(2.0, 1.0, 3.0, 2), point(5.0, 5.0, 5.0, 1)]);
        assert_eq!(found[1].points, [point(7.0, 7.0, 7.0, 2), None]);
        let found = curves((1, 2), None, &cells);
        assert_eq!((found.len(), found[0].line), (1, None));
        assert_eq!(found[0].points, [point(4.5, 1.0, 7.0, 4), point(5.0, 5.0, 5.0, 1)]);
    }
}

//! A metric along an axis: a line per value of another axis, the spread as a band.

use super::PlotError;
use super::style::{FAINT, GRID, INK, MARGIN, PALETTE, SIZE, WIDTH, label, number, text};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// What to plot.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvesPlot {
    /// The title.
    pub title: String,
    /// A line below the title.
    pub about: String,
    /// What the horizontal axis is.
    pub x: String,
    /// What the vertical axis is.
    pub y: String,
    /// The lines.
    pub lines: Vec<PlotLine>,
}

/// A line of a plot.
#[derive(Debug, Clone, PartialEq)]
pub struct PlotLine {
    /// Its entry in the legend; empty for none.
    pub label: String,
    /// Its points from left to right; the line is broken where one is `None`.
    pub points: Vec<Option<PlotPoint>>,
}

/// A point of a line, with the band there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlotPoint {
    /// The horizontal position.
    pub x: f64,
    /// The vertical position.
    pub y: f64,
    /// The lower edge of the band.
    pub low: f64,
    /// The upper edge of the band.
    pub high: f64,
}

/// Height of the plot in pixels, without a long legend.
const HEIGHT: i32 = 540;

/// Where the chart begins, below title and subtitle.
const TOP: i32 = 76;

/// Width of the legend in pixels.
const LEGEND: i32 = 276;

/// Height of a row of the legend in pixels.
const ROW: i32 = 24;

/// The most characters of a label in the legend.
const LABEL: usize = 30;

/// Draws the curves as an SVG file.
pub fn curves_plot(plot: &CurvesPlot) -> Result<String, PlotError> {
    let mut svg = String::new();
    draw(&mut svg, plot).map_err(|error| PlotError::from(&*error))?;
    Ok(svg)
}

fn draw(svg: &mut String, plot: &CurvesPlot) -> Result<(), Box<dyn std::error::Error>> {
    let named: Vec<(usize, &PlotLine)> =
        plot.lines.iter().enumerate().filter(|(_, line)| !line.label.is_empty()).collect();
    let height = HEIGHT.max(TOP + ROW * (named.len() as i32 + 2));
    let root = SVGBackend::with_string(svg, (WIDTH, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new(label(&plot.title, 90), (MARGIN, 32), text(22, &INK, HPos::Left)))?;
    root.draw(&Text::new(label(&plot.about, 130), (MARGIN, 58), text(SIZE, &FAINT, HPos::Left)))?;
    let legend = if named.is_empty() { MARGIN } else { LEGEND };
    let area = root.clone().margin(TOP, MARGIN / 2, MARGIN / 2, legend);
    let points = || plot.lines.iter().flat_map(|line| line.points.iter().flatten());
    let (x, y) = (
        range(points().map(|point| point.x)),
        range(points().flat_map(|point| [point.y, point.low, point.high])),
    );
    let mut chart = ChartBuilder::on(&area)
        .x_label_area_size(52)
        .y_label_area_size(72)
        .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(FAINT)
        .label_style(text(14, &FAINT, HPos::Center))
        .axis_desc_style(text(SIZE, &INK, HPos::Center))
        .x_desc(label(&plot.x, 60))
        .y_desc(label(&plot.y, 60))
        .x_label_formatter(&|x| number(*x))
        .y_label_formatter(&|y| number(*y))
        .draw()?;
    for (at, line) in plot.lines.iter().enumerate() {
        let colour = PALETTE[at % PALETTE.len()];
        for run in line.points.split(Option::is_none) {
            let run: Vec<PlotPoint> = run.iter().flatten().copied().collect();
            let upper = run.iter().map(|point| (point.x, point.high));
            let lower = run.iter().rev().map(|point| (point.x, point.low));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            if run.len() > 1 {
                chart.draw_series([Polygon::new(band, colour.mix(0.14).filled())])?;
            }
        }
    }
    // Lines lie above all bands.
    for (at, line) in plot.lines.iter().enumerate() {
        let colour = PALETTE[at % PALETTE.len()];
        for run in line.points.split(Option::is_none) {
            let run: Vec<(f64, f64)> = run.iter().flatten().map(|point| (point.x, point.y)).collect();
            chart.draw_series(LineSeries::new(run.clone(), colour.stroke_width(2)))?;
            let style = mark_style(at, colour);
            match has_triangles(at) {
                true => chart.draw_series(run.iter().map(|point| TriangleMarker::new(*point, 6, style)))?,
                false => chart.draw_series(run.iter().map(|point| Circle::new(*point, 4, style)))?,
            };
        }
    }
    for (row, (at, line)) in named.into_iter().enumerate() {
        let colour = PALETTE[at % PALETTE.len()];
        let (x, y) = (WIDTH as i32 - LEGEND + 16, TOP + ROW * row as i32 + ROW / 2);
        root.draw(&PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(2)))?;
        let style = mark_style(at, colour);
        match has_triangles(at) {
            true => root.draw(&TriangleMarker::new((x + 12, y), 6, style))?,
            false => root.draw(&Circle::new((x + 12, y), 4, style))?,
        }
        root.draw(&Text::new(label(&line.label, LABEL), (x + 32, y), text(SIZE, &INK, HPos::Left)))?;
    }
    root.present()?;
    Ok(())
}

/// Lines of the same colour have different marks: circles, triangles, rings.
fn has_triangles(line: usize) -> bool {
    line / PALETTE.len() % 3 == 1
}

fn mark_style(line: usize, colour: RGBColor) -> ShapeStyle {
    match line / PALETTE.len() % 3 {
        2 => colour.stroke_width(2),
        _ => colour.filled(),
    }
}

/// The range of some numbers with a little room on both sides; never empty.
fn range(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = numbers
        .filter(|number| number.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { (high - low) * 0.04 } else { 0.5_f64.max(high.abs() * 0.05) };
    (low - room, high + room)
}

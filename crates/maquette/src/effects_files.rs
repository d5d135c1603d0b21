//! The effects of a run as files: plots and tables.

use crate::effects::{RunCurves, RunEffects};
use crate::error::Error;
use maquette_analysis::Effects;
use maquette_metrics::Metric;
use maquette_reporter::{Bar, BarKind, CurvesPlot, PlotLine, PlotPoint, curves_plot, shares_plot};
use maquette_store::{csv_table, write_atomic};
use std::path::{Path, PathBuf};

impl RunEffects {
    /// Writes the plots into the run's folder, as SVG files under `plots/`, and returns their paths.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the folder cannot be written; [`Error::Plot`] if a plot cannot be drawn.
    pub fn write_plots(&self) -> Result<Vec<PathBuf>, Error> {
        let mut paths = Vec::new();
        for effects in &self.effects {
            let title = format!("{}: what changes the pictures", self.name);
            let about = format!("Shares of the variance by {}", effects.about);
            let svg = shares_plot(&title, &about, &bars(effects))?;
            paths.push(self.run.write_plot(&format!("effects-{}.svg", effects.measure), svg.as_bytes())?);
        }
        if let Some(curves) = &self.curves {
            let svg = curves_plot(&curves.plot(&self.name))?;
            let name = format!("{}-by-{}.svg", curves.metric, file_name(&curves.along));
            paths.push(self.run.write_plot(&name, svg.as_bytes())?);
        }
        Ok(paths)
    }

    /// Writes tables into a folder and returns their paths: `shares.csv`, `values.csv`, and `curves.csv` if there are
    /// curves.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the folder cannot be written.
    pub fn write_tables(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut tables = vec![("shares.csv", self.shares()), ("values.csv", self.values())];
        tables.extend(self.curves.as_ref().map(|curves| ("curves.csv", curves.table())));
        let write = |(name, rows): (&str, Vec<Vec<String>>)| {
            let path = folder.join(name);
            write_atomic(&path, &csv_table(&rows))?;
            Ok(path)
        };
        tables.into_iter().map(write).collect()
    }

    fn shares(&self) -> Vec<Vec<String>> {
        let mut rows = vec![row(["measure", "axis", "with", "share"])];
        for effects in &self.effects {
            for share in &effects.shares {
                let with = share.axes.get(1).cloned().unwrap_or_default();
                rows.push(vec![
                    effects.measure.clone(),
                    share.axes[0].clone(),
                    with,
                    share.share.to_string(),
                ]);
            }
            rows.push(vec![
                effects.measure.clone(),
                "(rest)".to_owned(),
                String::new(),
                effects.rest.to_string(),
            ]);
        }
        rows
    }

    fn values(&self) -> Vec<Vec<String>> {
        let mut rows = vec![row(["measure", "axis", "value", "distance", "outlier"])];
        for effects in &self.effects {
            for values in &effects.values {
                let labels = self.axes.iter().find(|axis| axis.name == values.axis).map(|axis| &axis.values);
                for (at, distance) in values.distance.iter().enumerate() {
                    rows.push(vec![
                        effects.measure.clone(),
                        values.axis.clone(),
                        labels.and_then(|labels| labels.get(at)).cloned().unwrap_or_default(),
                        distance.map_or(String::new(), |distance| distance.to_string()),
                        (values.outlier == Some(at)).to_string(),
                    ]);
                }
            }
        }
        rows
    }
}

impl RunCurves {
    fn plot(&self, run: &str) -> CurvesPlot {
        let spread = match &self.spread[..] {
            [] => String::new(),
            axes => format!("; the bands span the lowest and highest over {}", axes.join(", ")),
        };
        let about = Metric::named(&self.metric).map_or("", |metric| metric.about);
        let line = |curve: &crate::effects::RunCurve| PlotLine {
            label: curve.label.clone(),
            points: curve
                .curve
                .points
                .iter()
                .zip(&self.x)
                .map(|(point, x)| {
                    point.map(|point| PlotPoint { x: *x, y: point.mean, low: point.low, high: point.high })
                })
                .collect(),
        };
        CurvesPlot {
            title: format!("{run}: {} by {}", self.metric, self.along),
            about: format!("{about}{spread}"),
            x: self.along.clone(),
            y: self.metric.clone(),
            lines: self.curves.iter().map(line).collect(),
        }
    }

    fn table(&self) -> Vec<Vec<String>> {
        let lines = self.lines.as_deref().unwrap_or("line");
        let mut rows = vec![row(["metric", lines, &self.along, "mean", "low", "high", "count"])];
        for curve in &self.curves {
            for (x, point) in self.x.iter().zip(&curve.curve.points) {
                let Some(point) = point else { continue };
                rows.push(vec![
                    self.metric.clone(),
                    curve.label.clone(),
                    x.to_string(),
                    point.mean.to_string(),
                    point.low.to_string(),
                    point.high.to_string(),
                    point.count.to_string(),
                ]);
            }
        }
        rows
    }
}

/// The bars of the shares: axes, then interactions, each from large to small, then the rest.
fn bars(effects: &Effects) -> Vec<Bar> {
    let bar = |share: &maquette_analysis::Share| Bar {
        label: share.axes.join(" × "),
        share: share.share,
        kind: if share.axes.len() == 1 { BarKind::Axis } else { BarKind::Interaction },
    };
    let mut bars: Vec<Bar> = effects.shares.iter().map(bar).collect();
    bars.sort_by(|a, b| {
        let pair = |bar: &Bar| bar.kind == BarKind::Interaction;
        pair(a).cmp(&pair(b)).then(b.share.total_cmp(&a.share))
    });
    bars.push(Bar { label: "rest".to_owned(), share: effects.rest, kind: BarKind::Rest });
    bars
}

fn row<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// The name of an axis as a part of a file's name.
fn file_name(axis: &str) -> String {
    axis.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect()
}

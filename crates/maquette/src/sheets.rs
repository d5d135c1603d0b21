//! The contact sheets of a run: drawn at the end and from time to time during the run.

use crate::Workspace;
use crate::error::{Error, with_causes};
use crate::logged_picture::decode_logged;
use crate::page;
use crate::report_state::{remember_report, report_inputs};
use maquette_core::{CellId, Image, Plan, WeightsKind};
use maquette_interop::{GenerationInfo, Place, Recipes, SheetMap, encode_sheet, portable};
use maquette_picture::decode;
use maquette_reporter::{Area, PageSpec, Tile, pages, render};
use maquette_store::{LogRow, Run, Status};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// The shortest time between two drawings during a run.
const EVERY: Duration = Duration::from_secs(10);

/// The most pages that are drawn at once during a run: drawing must not hold up rendering.
const PAGES_AT_ONCE: usize = 4;

/// What was written to look at a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The contact sheets, in the order of their pages.
    pub sheets: Vec<PathBuf>,
    /// The page, for a browser.
    pub page: PathBuf,
}

impl Workspace {
    /// Writes the contact sheets and the page of a run again. `run` is a name such as `mucha@2` or `mucha@latest`, a
    /// unique prefix, or a path. `warn` gets problems with them, such as characters that cannot be drawn.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found or cannot be read, or a file cannot be written.
    pub fn report(&self, run: &str, warn: &mut dyn FnMut(&str)) -> Result<Report, Error> {
        let run = self.runs.find(run)?;
        let plan = run.plan()?;
        let inputs = report_inputs(&self.runs, &run, &plan);
        let page = page::write(&self.runs, &run, &plan, warn)?;
        let sheets = draw(&run, &plan, warn)?;
        remember_report(&run, inputs, &sheets, Some(&page));
        Ok(Report { sheets, page })
    }
}

/// Draws every page of a run and returns their paths.
pub(crate) fn draw(run: &Run, plan: &Plan, warn: &mut dyn FnMut(&str)) -> Result<Vec<PathBuf>, Error> {
    let pages = pages(plan)?;
    if let Some(page) = pages.first() {
        warn_of_boxes(&page.missing_glyphs(), warn);
    }
    let (rows, reference, experiment) = (Rows::of(run)?, reference(plan), experiment(run, plan));
    let draw = |page| draw_page(run, plan, page, &rows, reference.as_ref(), experiment.as_deref());
    pages.iter().map(draw).collect()
}

/// The most missing characters that a warning names.
const MOST_NAMED: usize = 8;

/// Warns of characters on a sheet that no font has.
pub(crate) fn warn_of_boxes(missing: &[char], warn: &mut dyn FnMut(&str)) {
    if missing.is_empty() {
        return;
    }
    let named = missing.iter().take(MOST_NAMED);
    // A terminal's fonts may lack them as well, so the code point is given; for control characters it is all there is.
    let named: Vec<String> = named
        .map(|&letter| match letter.is_control() {
            true => format!("U+{:04X}", u32::from(letter)),
            false => format!("{letter} (U+{:04X})", u32::from(letter)),
        })
        .collect();
    let more = match missing.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    warn(&format!("the sheet shows boxes for characters that its fonts lack: {}{more}", named.join(", ")));
}

/// Draws the pages that change during a run. `ended` gives the numbers of cells as they end, until its sender is dropped.
///
/// A page that cannot be drawn is a warning: the pictures are safe, and [`Workspace::report`] can try again.
#[expect(clippy::needless_pass_by_value, reason = "the receiving thread owns the receiver")]
pub(crate) fn keep_drawing(run: &Run, plan: &Plan, ended: Receiver<usize>, warnings: &Sender<String>) {
    // Most runs with nothing to do end before fonts are needed.
    let Ok(first) = ended.recv() else { return };
    let Ok(pages) = pages(plan) else { return };
    let page_of: HashMap<usize, usize> = pages
        .iter()
        .enumerate()
        .flat_map(|(number, page)| page.cells(plan).into_iter().map(move |cell| (cell.index, number)))
        .collect();
    let (reference, experiment) = (reference(plan), experiment(run, plan));
    let mut changed: BTreeSet<usize> = page_of.get(&first).copied().into_iter().collect();
    let mut last: Option<Instant> = None;
    loop {
        match ended.recv_timeout(EVERY) {
            Ok(index) => changed.extend(page_of.get(&index)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if changed.is_empty() || last.is_some_and(|last| last.elapsed() < EVERY) {
            continue;
        }
        let now: Vec<usize> = changed.iter().copied().take(PAGES_AT_ONCE).collect();
        let drawn = Rows::of(run).and_then(|rows| {
            now.iter().try_for_each(|&number| {
                let page = &pages[number];
                draw_page(run, plan, page, &rows, reference.as_ref(), experiment.as_deref()).map(drop)
            })
        });
        if let Err(failure) = drawn {
            // The receiver is gone if the run has ended meanwhile.
            let _ = warnings.send(format!("the sheet could not be refreshed: {}", with_causes(&failure)));
        }
        changed.retain(|number| !now.contains(number));
        last = Some(Instant::now());
    }
}

/// The rows of a log by cell.
pub(crate) type Log = HashMap<CellId, LogRow>;

/// The log of a run.
pub(crate) fn log(run: &Run) -> Result<Log, Error> {
    let rows = run.log()?;
    Ok(rows.into_iter().map(|row| (row.cell(), row)).collect())
}

/// The rows of a run's cells, and of the drafts that stand for those without a row.
pub(crate) struct Rows {
    log: Log,
    drafts: Log,
}

impl Rows {
    pub fn of(run: &Run) -> Result<Rows, Error> {
        Ok(Rows { log: log(run)?, drafts: run.drafts()? })
    }
}

fn draw_page(
    run: &Run,
    plan: &Plan,
    page: &PageSpec,
    rows: &Rows,
    reference: Option<&Image>,
    experiment: Option<&str>,
) -> Result<PathBuf, Error> {
    let image = render(plan, page, reference, &|index| tile(run, plan, rows, index));
    let bytes = encode_sheet(&image, &sheet_map(plan, page, experiment)?.to_text())?;
    Ok(run.write_sheet(&format!("{}.png", page.name), &bytes)?)
}

/// What a sheet says about itself.
fn sheet_map(plan: &Plan, page: &PageSpec, experiment: Option<&str>) -> Result<SheetMap, Error> {
    let place = |Area { x, y, width, height }: Area| Place { x, y, width, height };
    let (mut cells, mut recipes) = (Vec::new(), Vec::new());
    for placed in page.cells(plan) {
        let cell = plan.cell(placed.index)?;
        cells.push((cell.id, place(placed.area)));
        if let Some(card) = plan.models.get(&*cell.settings.model) {
            recipes.push(GenerationInfo::of(&cell, &card.fingerprint));
        }
    }
    let (columns, rows) = page.edges();
    Ok(SheetMap {
        format: 1,
        run: plan.name.clone(),
        page: page.name.clone(),
        cells,
        columns,
        rows,
        experiment: experiment.map(str::to_owned),
        recipes: Recipes::of(recipes),
    })
}

/// The experiment of a run without what is specific to one machine: its folder, and the folders of absolute paths.
fn experiment(run: &Run, plan: &Plan) -> Option<String> {
    let mut text = run.experiment().ok()?;
    let lines = text.lines().filter(|line| !line.starts_with("folder = "));
    text = lines.map(|line| format!("{line}\n")).collect();
    let named = plan.pictures.keys().chain(plan.models.keys()).map(String::as_str);
    let weights = plan.weights.keys().filter_map(|key| WeightsKind::of_key(key)).map(|(_, name)| name);
    for path in named.chain(weights).filter(|path| portable(path) != *path) {
        text = text.replace(path, portable(path));
    }
    Some(text)
}

/// The tile of a cell, by its number in the plan: its picture, or the draft that stands for it.
pub(crate) fn tile(run: &Run, plan: &Plan, rows: &Rows, index: usize) -> Tile {
    let tile = load(run, plan, &rows.log, index);
    let draft = || {
        let row = rows.drafts.get(&plan.id(index).ok()?)?;
        decode_logged(run, row.image()?).ok()
    };
    match (&tile, draft) {
        (Tile::Missing, draft) => draft().map_or(tile, Tile::Draft),
        _ => tile,
    }
}

/// The tile of a cell, by its number in the plan.
pub(crate) fn load(run: &Run, plan: &Plan, log: &Log, index: usize) -> Tile {
    let row = match plan.id(index) {
        Ok(id) => log.get(&id),
        Err(error) => return Tile::Failed(error.to_string()),
    };
    match row.map(|row| (row.status(), row)) {
        None => Tile::Missing,
        Some((Status::Failed, row)) => Tile::Failed(row.error().unwrap_or("failed").to_owned()),
        Some((Status::Done, row)) => match decode_logged(run, row.image().unwrap_or_default()) {
            Ok(image) => Tile::Done(image),
            Err(error) => Tile::Failed(error.to_string()),
        },
    }
}

/// The reference picture if all cells share one; it goes into the corner of the sheet.
pub(crate) fn reference(plan: &Plan) -> Option<Image> {
    let swept = plan.axes.iter().flat_map(|axis| &axis.values).flat_map(|value| &value.set);
    let given = plan.base.iter().chain(swept).filter(|(name, _)| name == "init_image");
    let texts: BTreeSet<&str> = given.filter_map(|(_, value)| value.as_text()).collect();
    // A mask is among the plan's pictures as well.
    let only = texts.first().filter(|_| texts.len() == 1).and_then(|path| plan.pictures.get(*path));
    let picture = only.or_else(|| plan.pictures.values().next().filter(|_| plan.pictures.len() == 1));
    decode(&picture?.file).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_characters_are_named_up_to_a_number() {
        let check = |missing: &str, expected: &[&str]| {
            let missing: Vec<char> = missing.chars().collect();
            let mut warnings = Vec::new();
            warn_of_boxes(&missing, &mut |warning| warnings.push(warning.to_owned()));
            let begin = "the sheet shows boxes for characters that its fonts lack: ";
            let expected: Vec<String> = expected.iter().map(|end| format!("{begin}{end}")).collect();
            assert_eq!(warnings, expected, "{missing:?}");
        };
        check("", &[]);
        check("\u{1}𒀀", &["U+0001, 𒀀 (U+12000)"]);
        let eight =
            "a (U+0061), b (U+0062), c (U+0063), d (U+0064), e (U+0065), f (U+0066), g (U+0067), h (U+0068)";
        check("abcdefgh", &[eight]);
        check("abcdefghij", &[&format!("{eight} and 2 more")]);
    }
}

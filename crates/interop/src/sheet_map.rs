//! What a contact sheet carries: where its cells are, how each was made, and the experiment that made all of them, so that
//! a sheet alone is its own recipe.

use crate::maquette_text::GenerationInfo;
use maquette_core::CellId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// The most bytes of a sheet's text that this version writes; the recipes of a larger one are left out.
const MOST: usize = 4 << 20;

/// The content of a contact sheet, from its `maquette` text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SheetMap {
    /// Version of this format.
    #[serde(rename = "maquette_sheet")]
    pub format: u32,
    /// The experiment's name.
    pub run: String,
    /// The page's name.
    pub page: String,
    /// Each cell and the place of its picture.
    pub cells: Vec<(CellId, Place)>,
    /// The left edges of the columns of pictures, in pixels, ascending. Sheets of older versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<u32>,
    /// The top edges of the rows of pictures, in pixels, ascending. Sheets of older versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<u32>,
    /// The experiment file. Sheets of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// How each cell was made. Sheets of older versions have none.
    #[serde(default, skip_serializing_if = "Recipes::is_empty")]
    pub recipes: Recipes,
}

/// The place of a picture on a sheet, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Distance from the left edge.
    pub x: u32,
    /// Distance from the top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// The [`GenerationInfo`] of several cells: the first one, and for each of the others what differs from it, as a JSON merge
/// patch (RFC 7396).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recipes(Vec<Json>);

/// A position of a sheet without a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchPlace {
    /// Beyond the last column or row.
    #[error("the sheet has no column {column}, row {row}; allowed: columns 1 to {columns}, rows 1 to {rows}")]
    Outside {
        /// The column, from 1.
        column: usize,
        /// The row, from 1.
        row: usize,
        /// How many columns the sheet has.
        columns: usize,
        /// How many rows the sheet has.
        rows: usize,
    },
    /// A combination that the experiment leaves out.
    #[error("the sheet has no cell at column {column}, row {row}: the experiment leaves it out")]
    Empty {
        /// The column, from 1.
        column: usize,
        /// The row, from 1.
        row: usize,
    },
}

impl SheetMap {
    /// The index in `cells` of the cell at a column and a row, both counted from 1.
    ///
    /// On sheets of older versions, columns and rows without any cell are not counted.
    pub fn at(&self, column: usize, row: usize) -> Result<usize, NoSuchPlace> {
        let edges = |given: &[u32], edge: fn(&Place) -> u32| -> Vec<u32> {
            let found: BTreeSet<u32> = self.cells.iter().map(|(_, place)| edge(place)).collect();
            if given.is_empty() { found.into_iter().collect() } else { given.to_vec() }
        };
        let (columns, rows) = (edges(&self.columns, |place| place.x), edges(&self.rows, |place| place.y));
        let edge = |edges: &[u32], number: usize| edges.get(number.checked_sub(1)?).copied();
        let (Some(x), Some(y)) = (edge(&columns, column), edge(&rows, row)) else {
            return Err(NoSuchPlace::Outside { column, row, columns: columns.len(), rows: rows.len() });
        };
        let found = self.cells.iter().position(|(_, place)| (place.x, place.y) == (x, y));
        found.ok_or(NoSuchPlace::Empty { column, row })
    }

    /// How a cell was made, by its index in `cells`; `None` where the sheet does not say.
    pub fn recipe(&self, at: usize) -> Option<GenerationInfo> {
        let (cell, _) = self.cells.get(at)?;
        self.recipes.get(at).filter(|info| info.cell == *cell)
    }

    /// What a cell has other values of than other cells: names and values, in the order of the settings. Prompts are left out
    /// if they vary by their placeholders.
    pub fn varying(&self, at: usize) -> Vec<(String, String)> {
        let vars = self.recipes.names("vars");
        let mut names: Vec<(&str, &String)> =
            self.recipes.names("settings").into_iter().map(|name| ("settings", name)).collect();
        names.retain(|(_, name)| vars.is_empty() || !["prompt", "negative_prompt"].contains(&name.as_str()));
        names.extend(vars.into_iter().map(|name| ("vars", name)));
        let Some(info) = self.recipe(at).filter(|_| !names.is_empty()) else { return Vec::new() };
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = |(part, name): (&str, &String)| {
            let values = if part == "vars" { &info.vars } else { &info.settings };
            Some((name.clone(), text(values.get(name)?)))
        };
        names.into_iter().filter_map(value).collect()
    }

    /// The text of a sheet. If it would be too long, the recipes and then the experiment are left out.
    pub fn to_text(&self) -> String {
        let text = |map: &SheetMap| serde_json::json!(map).to_string();
        let whole = text(self);
        if whole.len() <= MOST {
            return whole;
        }
        let shorter = SheetMap { recipes: Recipes::default(), ..self.clone() };
        let short = text(&shorter);
        if short.len() <= MOST { short } else { text(&SheetMap { experiment: None, ..shorter }) }
    }
}

impl Recipes {
    /// The recipes of cells, in their order.
    pub fn of(infos: impl IntoIterator<Item = GenerationInfo>) -> Recipes {
        let mut recipes: Vec<Json> = Vec::new();
        for info in infos {
            let info = serde_json::json!(info);
            match recipes.first() {
                Some(first) => {
                    recipes.push(difference(first, &info).unwrap_or_else(|| Json::Object(Map::new())));
                }
                None => recipes.push(info),
            }
        }
        Recipes(recipes)
    }

    /// The recipe of the cell with that index; `None` if there is none or it cannot be read.
    pub fn get(&self, at: usize) -> Option<GenerationInfo> {
        let (mut info, change) = (self.0.first()?.clone(), self.0.get(at)?);
        if at > 0 {
            merge(&mut info, change);
        }
        serde_json::from_value(info).ok()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in a part of the recipes that differ between cells, each once.
    fn names(&self, part: &str) -> Vec<&String> {
        let mut names = Vec::new();
        for change in self.0.iter().skip(1).filter_map(|change| change.get(part)?.as_object()) {
            for name in change.keys() {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

/// The merge patch from one value to another; `None` if they are equal.
fn difference(from: &Json, to: &Json) -> Option<Json> {
    let (Some(old), Some(new)) = (from.as_object(), to.as_object()) else {
        return (from != to).then(|| to.clone());
    };
    let removed = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Json::Null));
    let changed = new.iter().filter_map(|(name, value)| match old.get(name) {
        Some(before) => Some((name.clone(), difference(before, value)?)),
        None => Some((name.clone(), value.clone())),
    });
    let patch: Map<String, Json> = removed.chain(changed).collect();
    (!patch.is_empty()).then_some(Json::Object(patch))
}

/// Applies a merge patch.
fn merge(value: &mut Json, patch: &Json) {
    let Some(patch) = patch.as_object() else { return *value = patch.clone() };
    if !value.is_object() {
        *value = Json::Object(Map::new());
    }
    let Some(map) = value.as_object_mut() else { return };
    for (name, change) in patch {
        match change {
            Json::Null => _ = map.shift_remove(name),
            change => merge(map.entry(name.clone()).or_insert(Json::Null), change),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette_core::Digest;
    use maquette_core::test_plans::{plan, with_init_image};

    fn infos() -> Vec<GenerationInfo> {
        let plan = plan(&[("artist", vec!["Mucha", "Munch"]), ("seed", vec!["1", "2"])]);
        let mut cells: Vec<_> = plan.cells().map(Result::unwrap).collect();
        with_init_image(&mut cells[1].settings, 0.5);
        cells.iter().map(|cell| GenerationInfo::of(cell, &Digest::of(b"weights"))).collect()
    }

    fn sheet() -> SheetMap {
        let infos = infos();
        let place = |at: u32| Place { x: 10 + at % 2 * 50, y: 20 + at / 2 * 50, width: 40, height: 40 };
        SheetMap {
            format: 1,
            run: "test".to_owned(),
            page: "sheet".to_owned(),
            cells: infos.iter().zip(0..).map(|(info, at)| (info.cell, place(at))).collect(),
            columns: vec![10, 60, 110],
            rows: vec![20, 70],
            experiment: Some("prompt = \"a cat\"\n".to_owned()),
            recipes: Recipes::of(infos),
        }
    }

    #[test]
    fn recipes_are_read_as_they_were_written() {
        let sheet = sheet();
        let read: SheetMap = serde_json::from_str(&sheet.to_text()).unwrap();
        assert_eq!(read, sheet);
        let recipes: Vec<GenerationInfo> = (0..4).map(|at| read.recipe(at).unwrap()).collect();
        assert_eq!(recipes, infos());
        assert_eq!(read.recipe(4), None);
        let one = serde_json::json!(infos()[0]).to_string().len();
        assert!(serde_json::json!(read.recipes).to_string().len() < 2 * one, "only differences are repeated");
        let varying: Vec<_> =
            read.varying(2).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(varying, ["seed 1", "artist Munch"]);
    }

    #[test]
    fn cells_are_counted_from_one_columns_first() {
        let mut sheet = sheet();
        assert_eq!((sheet.at(1, 1), sheet.at(2, 1), sheet.at(1, 2)), (Ok(0), Ok(1), Ok(2)));
        assert_eq!(sheet.at(3, 1), Err(NoSuchPlace::Empty { column: 3, row: 1 }));
        for (column, row) in [(0, 1), (1, 0), (4, 1), (1, 3)] {
            assert_eq!(sheet.at(column, row), Err(NoSuchPlace::Outside { column, row, columns: 3, rows: 2 }));
        }
        // A sheet of an older version: only columns with cells are known.
        (sheet.columns, sheet.rows, sheet.recipes) = (vec![], vec![], Recipes::default());
        assert_eq!(sheet.at(2, 2), Ok(3));
        assert!(matches!(sheet.at(3, 1), Err(NoSuchPlace::Outside { columns: 2, .. })));
        assert_eq!((sheet.recipe(0), sheet.varying(0)), (None, vec![]));
    }

    #[test]
    fn a_text_that_would_be_too_long_has_no_recipes() {
        let mut sheet = sheet();
        sheet.experiment = Some("x".repeat(MOST - 1000));
        let read: SheetMap = serde_json::from_str(&sheet.to_text()).unwrap();
        assert!(read.recipes.is_empty() && read.experiment.is_some());
        sheet.experiment = Some("x".repeat(MOST));
        let read: SheetMap = serde_json::from_str(&sheet.to_text()).unwrap();
        assert!(read.experiment.is_none() && read.cells == sheet.cells);
    }

    #[test]
    fn recipes_of_other_cells_or_of_another_shape_are_not_believed() {
        let mut sheet = sheet();
        sheet.cells.swap(0, 1);
        assert_eq!(sheet.recipe(0), None);
        for text in ["[1, 2, 3, 4]", "[{}, null, [], {\"cell\": 1}]", "[null]", "[]"] {
            sheet.recipes = serde_json::from_str(text).unwrap();
            assert!((0..4).all(|at| sheet.recipe(at).is_none() && sheet.varying(at).is_empty()), "{text}");
        }
    }
}

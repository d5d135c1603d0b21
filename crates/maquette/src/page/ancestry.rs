//! The runs that a run was derived from.

use super::relative::encoded;
use maquette_core::{CellId, DerivedFrom, Plan};
use maquette_reporter::page::{Ancestor, AncestorCell};
use maquette_store::{Run, Runs};
use std::collections::{BTreeSet, HashMap};

/// The ancestors of a run, nearest first. One that is not in the runs folder, or cannot be read, is the last.
pub(crate) fn ancestry(runs: &Runs, run: &Run, plan: &Plan) -> Vec<Ancestor> {
    let mut ancestry = Vec::new();
    // Only a plan that was edited by hand descends from itself.
    let mut seen = BTreeSet::from([run.to_string()]);
    let mut parent = plan.derived_from.clone();
    while let Some(DerivedFrom { run: name, cells }) =
        parent.take().filter(|parent| seen.insert(parent.run.clone()))
    {
        // `find` also accepts prefixes and paths.
        let found = runs.find(&name).ok().filter(|found| found.to_string() == name);
        let plan = found.as_ref().and_then(|found| found.plan().ok());
        let folder =
            found.as_ref().map(|found| format!("../../{}/{}", encoded(found.name()), found.number()));
        let known = match (&found, &plan) {
            (Some(found), Some(plan)) => known(found, plan, &cells),
            _ => HashMap::new(),
        };
        let cell = |cell: &CellId| {
            let (label, image) = known.get(cell).cloned().unwrap_or_default();
            let image = image.zip(folder.as_ref()).map(|(image, folder)| format!("{folder}/{image}"));
            AncestorCell { cell: cell.to_string(), label, image }
        };
        let page = folder.clone().filter(|_| found.as_ref().is_some_and(|found| found.page().is_file()));
        ancestry.push(Ancestor {
            cells: cells.iter().map(cell).collect(),
            page: page.map(|folder| format!("{folder}/index.html")),
            run: name,
        });
        parent = plan.and_then(|plan| plan.derived_from);
    }
    ancestry
}

/// The labels of these cells, and their pictures relative to the run.
fn known(run: &Run, plan: &Plan, cells: &[CellId]) -> HashMap<CellId, (String, Option<String>)> {
    let wanted: BTreeSet<&CellId> = cells.iter().collect();
    let mut known: HashMap<CellId, (String, Option<String>)> = HashMap::new();
    for index in 0..plan.len() {
        let Some(id) = plan.id(index).ok().filter(|id| wanted.contains(id)) else { continue };
        known.entry(id).or_insert_with(|| (plan.label(&plan.coordinates(index)), None));
    }
    for row in run.log().unwrap_or_default() {
        if let (Some(known), Some(image)) = (known.get_mut(&row.cell()), row.image()) {
            known.1 = run.picture(image).is_ok_and(|path| path.is_file()).then(|| image.to_owned());
        }
    }
    known
}

//! A part of a plan: some values of its axes.

use crate::{Plan, Selection};

impl Plan {
    /// The plan with only those values of each axis, given by their indices in ascending order. Its cells are the same cells.
    ///
    /// `values` has a list for each axis; indices out of range are left out.
    pub fn restricted(&self, values: &[Vec<usize>]) -> Plan {
        let mut plan = Plan { kept: Selection::All, ..self.clone() };
        for (axis, values) in plan.axes.iter_mut().zip(values) {
            axis.values = values.iter().filter_map(|&at| axis.values.get(at).cloned()).collect();
        }
        let original = |coordinates: Vec<usize>| -> Option<Vec<usize>> {
            coordinates.into_iter().zip(values).map(|(at, values)| values.get(at).copied()).collect()
        };
        let is_cell = |position: &usize| {
            original(plan.coordinates_at(*position)).is_some_and(|found| self.index_at(&found).is_some())
        };
        let positions: Vec<usize> = (0..plan.grid_len()).filter(is_cell).collect();
        if positions.len() < plan.grid_len() {
            let positions = positions.into_iter().filter_map(|position| u32::try_from(position).ok());
            plan.kept = Selection::Only(positions.collect());
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use crate::test_plans::plan;
    use crate::{CellId, Plan, Selection};

    fn ids(plan: &Plan) -> Vec<CellId> {
        plan.cells().map(|cell| cell.unwrap().id).collect()
    }

    #[test]
    fn a_part_of_a_plan_has_the_same_cells() {
        let mut whole = plan(&[("artist", vec!["a", "b", "c"]), ("seed", vec!["1", "2"])]);
        let part = whole.restricted(&[vec![0, 2], vec![0, 1]]);
        let all = ids(&whole);
        assert_eq!(ids(&part), [all[0], all[1], all[4], all[5]]);
        assert_eq!(part.kept, Selection::All);
        // Without the cell `c`, `1`.
        whole.kept = Selection::Only(vec![0, 1, 2, 3, 5]);
        assert_eq!(ids(&whole.restricted(&[vec![0, 2], vec![0, 1]])), [all[0], all[1], all[5]]);
        assert_eq!(ids(&whole.restricted(&[vec![2], vec![0]])), []);
        assert_eq!(ids(&whole.restricted(&[vec![], vec![0]])), []);
    }
}

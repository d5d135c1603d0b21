//! The grid projected onto some of its axes: which combinations of their positions occur, and how often.
//!
//! What depends on a few axes only, such as the size of a picture or the text of a prompt, is checked and counted once
//! per combination rather than once per cell.

/// One combination of positions on the chosen axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    /// The first position of the grid that has it.
    pub position: usize,
    /// How many positions have it.
    pub count: usize,
}

/// The combinations that occur among `positions`, ordered by their first position.
pub(crate) fn project(sizes: &[usize], axes: &[usize], positions: impl Iterator<Item = usize>) -> Vec<Part> {
    const NONE: u32 = u32::MAX;
    let stride = |axis: usize| sizes[axis + 1..].iter().product::<usize>();
    let axes: Vec<(usize, usize)> = axes.iter().map(|&axis| (stride(axis), sizes[axis])).collect();
    let combinations = axes.iter().map(|(_, size)| size).product();
    let mut slots = vec![NONE; combinations];
    let mut parts: Vec<Part> = Vec::new();
    for position in positions {
        let slot = axes.iter().fold(0, |slot, (stride, size)| slot * size + position / stride % size);
        if slots[slot] == NONE {
            slots[slot] = parts.len() as u32;
            parts.push(Part { position, count: 0 });
        }
        parts[slots[slot] as usize].count += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_counted_in_order() {
        let check = |axes: &[usize], positions: &[usize], expected: &[(usize, usize)]| {
            let parts = project(&[2, 3, 2], axes, positions.iter().copied());
            let parts: Vec<_> = parts.iter().map(|part| (part.position, part.count)).collect();
            assert_eq!(parts, expected);
        };
        let all: Vec<usize> = (0..12).collect();
        check(&[], &all, &[(0, 12)]);
        check(&[0], &all, &[(0, 6), (6, 6)]);
        check(&[1], &all, &[(0, 4), (2, 4), (4, 4)]);
        check(&[0, 2], &all, &[(0, 3), (1, 3), (6, 3), (7, 3)]);
        check(&[1], &[5, 10, 11], &[(5, 3)]);
        check(&[1], &[], &[]);
    }
}

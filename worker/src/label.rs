//! Labels: what the owner's rules say about releasing a value. Operators declare their effect (in the vocabulary);
//! this is where it is carried out, on the labels of a program's own inputs.

use std::sync::Arc;

use fondaco_lineage::Key;
use fondaco_proto::{Axes, Effect, Facet, Measure, Selection, Shape};
use serde::{Deserialize, Serialize};

/// The privacy level of a dataset, and of what is computed from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Everything may leave.
    Public,
    /// Aggregates over enough rows may leave.
    #[default]
    Aggregate,
    /// Nothing leaves, not even counts.
    Private,
}

/// Rows of one version of a dataset: a selection of them, and the extent within the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSet {
    /// The dataset's version and the row filter.
    pub selection: Key,
    /// First row.
    pub start: u64,
    /// Row after the last.
    pub end: u64,
    /// Whether the value has the last of them first.
    pub reversed: bool,
}

impl RowSet {
    /// Whether both could have a row in common. Different selections of one dataset could.
    fn overlaps(&self, other: &Self) -> bool {
        self.selection != other.selection || (self.start < other.end && other.start < self.end)
    }
}

/// A dataset behind a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name in the catalogue.
    pub dataset: Arc<str>,
    /// Its level.
    pub level: Level,
    /// Whether its extremes may leave.
    pub extremes: bool,
    /// Which of its rows.
    pub rows: Vec<RowSet>,
}

/// What follows a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The strictest level of the sources.
    pub level: Level,
    /// Which axes still are protected data rows; none for public values.
    pub axes: Axes,
    /// Whether it is a linear map of a dataset's own columns or, without protected data, a constant.
    pub plain: bool,
    /// Whether its cells are a dataset's own.
    pub native: bool,
    /// Whether cells are values of single rows.
    pub extreme: bool,
    /// Whether different overlapping row sets of one dataset are combined in it.
    pub mixed: bool,
    /// The datasets behind it.
    pub sources: Arc<[Source]>,
}

impl Label {
    /// Of what holds no dataset's data: uploads, constants.
    pub fn free(plain: bool) -> Self {
        Self {
            level: Level::Public,
            axes: Axes::None,
            plain,
            native: false,
            extreme: false,
            mixed: false,
            sources: Arc::new([]),
        }
    }

    /// Of rows read from a dataset.
    pub fn of_rows(source: Source) -> Self {
        let protected = source.level > Level::Public;
        Self {
            level: source.level,
            axes: if protected { Axes::Rows } else { Axes::None },
            plain: protected,
            native: protected,
            extreme: false,
            mixed: false,
            sources: Arc::new([source]),
        }
    }

    /// What an operator may know of a value with this label. Public data counts as known to everyone: it has no data
    /// axes, and weighs rows like an upload.
    pub fn facet(&self, shape: Shape) -> Facet {
        Facet { shape, axes: self.axes, plain: self.plain, native: self.native }
    }

    /// The label of an operator's result, whose lineage key is `result`.
    pub fn derive(effect: &Effect, inputs: &[&Self], groups: RowGroups, result: Key) -> Self {
        let level = inputs.iter().map(|label| label.level).max().unwrap_or(Level::Public);
        let (mut sources, overlapping) = join(inputs, &effect.selection, groups, result);
        let leaves_out = matches!(
            effect.measure,
            Measure::Weights(_)
                | Measure::Terms(_)
                | Measure::Unfused
                | Measure::NonZero { .. }
                | Measure::Present { .. }
                | Measure::Groups
                | Measure::Grouped { .. }
        );
        if leaves_out && effect.axes == Axes::None {
            // Weights and gaps may leave out rows, and the difference of two weighted sums may be one row.
            sources.iter_mut().flat_map(|source| &mut source.rows).for_each(|rows| {
                rows.selection = Key::apply(b"weighted", &[rows.selection, result]);
            });
        }
        let protected = level > Level::Public;
        Self {
            level,
            axes: if protected { effect.axes } else { Axes::None },
            plain: effect.plain && (protected || inputs.iter().all(|label| label.plain)),
            native: effect.native && protected,
            extreme: effect.extreme || inputs.iter().any(|label| label.extreme),
            mixed: overlapping || inputs.iter().any(|label| label.mixed),
            sources: sources.into(),
        }
    }
}

impl Label {
    /// The same, now that the shape of a selection's result is known: its rows are told apart by their place in it.
    pub fn settle(&mut self, selection: &Selection, shape: Shape) {
        let extent = match self.axes {
            Axes::Rows => shape.rows,
            Axes::Columns => shape.columns,
            Axes::None | Axes::Both | Axes::Entangled => return,
        };
        if *selection == Selection::Some
            && let [source] = Arc::make_mut(&mut self.sources)
            && let [rows] = source.rows.as_mut_slice()
        {
            *rows = RowSet { start: 0, end: extent, ..*rows };
        }
    }
}

/// How the inputs of an operator belong to row parts: `fixed` ones, then groups of `size`, one group per part.
#[derive(Clone, Copy, Debug)]
pub struct RowGroups {
    /// Inputs before the groups.
    pub fixed: usize,
    /// Inputs per part.
    pub size: usize,
}

impl RowGroups {
    fn of(self, input: usize) -> Option<usize> {
        input.checked_sub(self.fixed).map(|i| i / self.size.max(1))
    }
}

/// All sources of all inputs with all their row sets, and whether rows are combined that must not be: different
/// overlapping sets of one dataset or, where parts are put one after another, any rows that two parts share.
fn join(inputs: &[&Label], selection: &Selection, groups: RowGroups, result: Key) -> (Vec<Source>, bool) {
    let mut joined: Vec<Source> = Vec::new();
    let mut origins: Vec<Vec<Option<usize>>> = Vec::new();
    let mut overlapping = false;
    for (index, label) in inputs.iter().enumerate() {
        let group = groups.of(index);
        let lone = label.sources.len() == 1 && label.sources[0].rows.len() == 1;
        for source in label.sources.iter() {
            let at = joined.iter().position(|known| known.dataset == source.dataset).unwrap_or_else(|| {
                joined.push(Source { rows: Vec::new(), ..source.clone() });
                origins.push(Vec::new());
                joined.len() - 1
            });
            for rows in source.rows.iter().map(|rows| selected(rows, lone, selection, result)) {
                let concatenated = *selection == Selection::Concatenated;
                for (known, origin) in joined[at].rows.iter().zip(&origins[at]) {
                    let other_part = concatenated && group.is_some() && origin.is_some() && *origin != group;
                    let protected = source.level > Level::Public;
                    overlapping |= protected && known.overlaps(&rows) && (other_part || *known != rows);
                }
                if !joined[at].rows.contains(&rows) || concatenated {
                    joined[at].rows.push(rows);
                    origins[at].push(group);
                }
            }
        }
    }
    for source in &mut joined {
        let in_order =
            source.rows.windows(2).all(|two| two[0].selection == two[1].selection && two[0].end == two[1].start);
        if *selection == Selection::Concatenated && in_order {
            merge_neighbours(&mut source.rows);
        }
        source.rows.sort_by_key(|rows| (rows.selection, rows.start, rows.end));
        source.rows.dedup();
    }
    (joined, overlapping)
}

/// The rows that a selection leaves of a set. Where the value's rows are not just this one set in its order, nobody
/// can say which rows of the set are left: a selection of its own, which overlaps with every other.
fn selected(rows: &RowSet, lone: bool, selection: &Selection, result: Key) -> RowSet {
    match selection {
        Selection::All | Selection::Concatenated => *rows,
        Selection::Range(start, end) if lone && rows.reversed => {
            RowSet { start: rows.end - end, end: rows.end - start, ..*rows }
        }
        Selection::Range(start, end) if lone => RowSet { start: rows.start + start, end: rows.start + end, ..*rows },
        Selection::Range(start, end) => {
            let range = [b"range".as_slice(), &start.to_le_bytes(), &end.to_le_bytes()].concat();
            RowSet { selection: Key::apply(&range, &[rows.selection]), ..*rows }
        }
        Selection::Reversed => RowSet { reversed: !rows.reversed, ..*rows },
        Selection::Some => {
            RowSet { selection: Key::apply(b"some", &[rows.selection, result]), reversed: false, ..*rows }
        }
    }
}

/// Sets that follow one another become one, so that all parts of a dataset in their order are the whole dataset again.
fn merge_neighbours(sets: &mut Vec<RowSet>) {
    let mut merged: Vec<RowSet> = Vec::with_capacity(sets.len());
    for rows in sets.drain(..) {
        match merged.last_mut() {
            Some(last)
                if !last.reversed && !rows.reversed && last.selection == rows.selection && last.end == rows.start =>
            {
                last.end = rows.end;
            }
            _ => merged.push(rows),
        }
    }
    *sets = merged;
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: RowGroups = RowGroups { fixed: 0, size: 1 };

    fn rows(start: u64, end: u64) -> Label {
        let selection = Key::apply(b"version", &[]);
        Label::of_rows(Source {
            dataset: "d".into(),
            level: Level::Aggregate,
            extremes: false,
            rows: vec![RowSet { selection, start, end, reversed: false }],
        })
    }

    fn derive(selection: Selection, inputs: &[&Label]) -> Label {
        let result = Key::apply(b"result", &[]);
        Label::derive(&Effect::keeping(Axes::Rows, true).selecting(selection), inputs, GROUPS, result)
    }

    #[test]
    fn different_overlapping_rows_are_mixed() {
        assert!(!derive(Selection::All, &[&rows(0, 9), &rows(0, 9)]).mixed);
        assert!(derive(Selection::All, &[&rows(0, 9), &rows(1, 9)]).mixed);
        assert!(!derive(Selection::All, &[&rows(0, 4), &rows(4, 9)]).mixed);
        let tainted = derive(Selection::All, &[&rows(0, 9), &rows(1, 9)]);
        assert!(derive(Selection::All, &[&tainted]).mixed);
    }

    #[test]
    fn differently_weighted_sums_are_mixed() {
        let weighted = |name: &[u8]| {
            let effect = Effect::keeping(Axes::None, false).measured(Measure::Weights(vec![0]));
            Label::derive(&effect, &[&Label::free(false), &rows(0, 9)], GROUPS, Key::apply(name, &[]))
        };
        let (six, five) = (weighted(b"six"), weighted(b"five"));
        assert!(!derive(Selection::All, &[&six, &six]).mixed);
        assert!(derive(Selection::All, &[&six, &five]).mixed);
        assert!(derive(Selection::All, &[&six, &rows(0, 9)]).mixed);
    }

    #[test]
    fn reversed_rows_are_the_same_rows_in_another_order() {
        let flip = |rows: &Label| derive(Selection::Reversed, &[rows]);
        let flipped = flip(&rows(0, 9));
        assert!(derive(Selection::All, &[&rows(0, 9), &flipped]).mixed);
        assert!(!derive(Selection::All, &[&flipped, &flipped]).mixed);
        assert_eq!(flip(&flipped), derive(Selection::All, &[&rows(0, 9)]));
        assert!(!derive(Selection::Concatenated, &[&flip(&rows(4, 9)), &flip(&rows(0, 4))]).mixed);
        // The first two of them are the last two.
        let two = derive(Selection::Range(0, 2), &[&flipped]);
        assert!(derive(Selection::Concatenated, &[&two, &rows(7, 8)]).mixed);
        assert!(!derive(Selection::Concatenated, &[&two, &rows(0, 7)]).mixed);
        let gaps = Effect::keeping(Axes::None, false).measured(Measure::Present { plain: true });
        let sum = |name: &[u8]| Label::derive(&gaps, &[&rows(0, 9)], GROUPS, Key::apply(name, &[]));
        assert!(derive(Selection::All, &[&sum(b"one"), &sum(b"other")]).mixed);
    }

    #[test]
    fn chosen_rows_are_told_apart_by_their_place() {
        let chosen = |name: &[u8]| {
            let effect = Effect::keeping(Axes::Rows, true).selecting(Selection::Some);
            let mut label = Label::derive(&effect, &[&rows(10, 20)], GROUPS, Key::apply(name, &[]));
            label.settle(&Selection::Some, Shape::new(7, 2));
            label
        };
        let seven = chosen(b"seven");
        assert_eq!((seven.sources[0].rows[0].start, seven.sources[0].rows[0].end), (0, 7));
        assert!(!derive(Selection::All, &[&seven, &seven]).mixed);
        for other in [rows(10, 20), rows(17, 20), chosen(b"others")] {
            assert!(derive(Selection::All, &[&seven, &other]).mixed);
            assert!(derive(Selection::Concatenated, &[&seven, &other]).mixed);
        }
        // The last two of them, from either end.
        let (turned, last) = (derive(Selection::Reversed, &[&seven]), derive(Selection::Range(5, 7), &[&seven]));
        let first = derive(Selection::Range(0, 2), &[&turned]);
        assert!(derive(Selection::Concatenated, &[&first, &last]).mixed);
        assert!(!derive(Selection::Concatenated, &[&first, &derive(Selection::Range(0, 5), &[&seven])]).mixed);
    }

    #[test]
    fn parts_must_be_different_rows() {
        assert!(derive(Selection::Concatenated, &[&rows(0, 4), &rows(0, 4)]).mixed);
        let whole = derive(Selection::Concatenated, &[&rows(0, 4), &rows(4, 9)]);
        assert!(!whole.mixed);
        assert_eq!(whole.sources, rows(0, 9).sources);
    }

    #[test]
    fn ranges_are_relative_and_levels_join() {
        assert_eq!(derive(Selection::Range(2, 5), &[&rows(10, 20)]).sources, rows(12, 15).sources);
        let free = Label::free(false);
        assert_eq!(derive(Selection::All, &[&free, &rows(0, 9)]).level, Level::Aggregate);
        assert_eq!(derive(Selection::All, &[&free, &free]).axes, Axes::None);
    }
}

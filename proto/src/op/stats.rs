//! Ranks, contingency tables, groups, weighted moments: sums over rows that are put into cells by their values.

use crate::{
    Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape,
    op::{Arity, unknown},
    vocabulary::vocabulary,
    wire,
};

/// Levels that one operator may find at most: what it reserves follows from the number that is asked for.
const LEVELS_MAX: u64 = 1 << 20;

/// A sum over rows in cells. Each takes any number of row parts, and is that of `np.vstack(parts)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsOp {
    /// Cells of each column between thresholds: `(k, d) or (k, 1), (n, d) → (k + 1, d)`. Row b counts those with b
    /// thresholds at or below them.
    RankCounts {
        /// What becomes of NaN, and of cells that are equal to a threshold.
        ranks: Ranks,
        /// Weights `(n, 1)` or `(n, d)` are summed instead.
        weighted: bool,
    },
    /// Contingency counts of two columns of codes from 0 on: `(n, 1), (n, 1) → (rows, columns)`. A row whose codes are
    /// outside, or no integers, is in no cell.
    Table {
        /// Codes of the first.
        rows: u64,
        /// Codes of the second.
        columns: u64,
        /// Weights `(n, 1)` are summed instead.
        weighted: bool,
    },
    /// Rows of X by keys: `(g, m), (n, m), (n, d) → (g, d)`, as the function says. Keys that are no level are in no group.
    Group(GroupFunction),
    /// The distinct keys and how many rows have each: `(n, m) → (most + 1, m + 1)`. The first row holds their number (one
    /// more than `most` if there are more, and then nothing else) and, last, how many rows have a NaN.
    Levels {
        /// Levels at most.
        most: u64,
    },
    /// Σw, Σw², the mean, and Σw(x − mean)^k for k from 2 to `order`: `(n, d), (n, 1) → (order + 2, d)`.
    WeightedMoments {
        /// 2 to 4.
        order: u32,
    },
    /// Σw, Σw², the mean, and the weighted products of deviations: `(n, d), (n, 1) → (d + 3, d)`.
    WeightedCov,
}

vocabulary! {
    /// What becomes of cells that lie between no two thresholds.
    Ranks from wire::Ranks {
        /// NaN is above all; equal is above.
        Between = "between",
        /// NaN is nowhere; equal is above.
        Present = "present",
        /// Cells that are equal to a threshold are apart, and so is NaN: `(2k + 2, d)`.
        Tied = "tied",
    }
}

vocabulary! {
    /// What is computed of the rows of a group.
    GroupFunction from wire::GroupFunction {
        Count = "group_count", Sum = "group_sum", Moments = "group_moments", Min = "group_min", Max = "group_max",
    }
}

impl StatsOp {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::RankCounts { .. } => "rank_counts",
            Self::Table { .. } => "table",
            Self::Group(function) => function.name(),
            Self::Levels { .. } => "levels",
            Self::WeightedMoments { .. } => "weighted_moments",
            Self::WeightedCov => "weighted_cov",
        }
    }

    pub(super) fn arity(&self) -> Arity {
        let (fixed, group) = match self {
            Self::RankCounts { weighted, .. } => (1, 1 + usize::from(*weighted)),
            Self::Table { weighted, .. } => (0, 2 + usize::from(*weighted)),
            Self::Group(GroupFunction::Count) => (1, 1),
            Self::Group(_) => (1, 2),
            Self::Levels { .. } => (0, 1),
            Self::WeightedMoments { .. } | Self::WeightedCov => (0, 2),
        };
        Arity::Groups { fixed, group }
    }

    /// What comes before the parts, and the parts, each with its inputs.
    pub fn parts<'a, T>(&self, inputs: &'a [T]) -> (&'a [T], Vec<&'a [T]>) {
        match self.arity() {
            Arity::Groups { fixed, group } => {
                let (fixed, parts) = inputs.split_at(fixed.min(inputs.len()));
                (fixed, parts.chunks_exact(group).collect())
            }
            Arity::Exactly(_) => (inputs, Vec::new()),
        }
    }

    /// How many inputs of each part say where its rows belong; the others are summed.
    pub fn keys(&self) -> usize {
        match self {
            Self::RankCounts { .. } | Self::Group(_) | Self::Levels { .. } => 1,
            Self::Table { .. } => 2,
            Self::WeightedMoments { .. } | Self::WeightedCov => 0,
        }
    }

    pub(super) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let (fixed, parts) = self.parts(inputs);
        for part in &parts {
            self.check_part(fixed, parts[0], part)?;
        }
        let more = |a: u64, b: u64| {
            let large = || Error::invalid(format!("{}: the result has too many rows to count", self.name()));
            a.checked_add(b).ok_or_else(large)
        };
        let width = parts[0][parts[0].len() - 1].columns;
        Ok(match self {
            Self::RankCounts { ranks, .. } => {
                let k = fixed[0].rows;
                let rows = if *ranks == Ranks::Tied { more(more(k, k)?, 2)? } else { more(k, 1)? };
                Shape::new(rows, parts[0][0].columns)
            }
            Self::Table { rows, columns, .. } => Shape::new(*rows, *columns),
            Self::Group(GroupFunction::Count) => Shape::new(fixed[0].rows, 1),
            Self::Group(GroupFunction::Moments) => {
                let g = fixed[0].rows;
                Shape::new(more(more(g, g)?, g)?, width)
            }
            Self::Group(_) => Shape::new(fixed[0].rows, width),
            Self::Levels { most } => Shape::new(more(*most, 1)?, more(width, 1)?),
            Self::WeightedMoments { order } => Shape::new(u64::from(*order) + 2, parts[0][0].columns),
            Self::WeightedCov => Shape::new(more(parts[0][0].columns, 3)?, parts[0][0].columns),
        })
    }

    /// Whether a part's inputs fit each other, the fixed ones and the first part's.
    fn check_part(&self, fixed: &[Shape], first: &[Shape], part: &[Shape]) -> Result<()> {
        let wrong = |right: &str| {
            let shapes: Vec<String> = fixed.iter().chain(part).map(Shape::to_string).collect();
            Err(Error::invalid(format!("{}: {right}, but the inputs are {}", self.name(), shapes.join(", "))))
        };
        if part.iter().any(|input| input.rows != part[0].rows) {
            return wrong("the inputs of a part need the same number of rows");
        }
        if part.iter().zip(first).any(|(input, first)| input.columns != first.columns) {
            return wrong("all parts need the same numbers of columns");
        }
        let columns: Vec<u64> = part.iter().map(|input| input.columns).collect();
        match self {
            Self::RankCounts { weighted, .. } => {
                if ![1, columns[0]].contains(&fixed[0].columns) {
                    return wrong("thresholds have one column, or as many as X");
                }
                if *weighted && ![1, columns[0]].contains(&columns[1]) {
                    return wrong("weights have one column, or as many as X");
                }
            }
            Self::Table { rows: 0, .. } | Self::Table { columns: 0, .. } => {
                return wrong("the result has at least one row and one column");
            }
            Self::Table { .. } if columns.iter().any(|columns| *columns != 1) => {
                return wrong("codes and weights are single columns");
            }
            Self::Group(_) if columns[0] != fixed[0].columns => return wrong("keys have as many columns as levels"),
            Self::WeightedMoments { .. } | Self::WeightedCov if columns[1] != 1 => {
                return wrong("weights are a single column");
            }
            Self::Table { .. }
            | Self::Group(_)
            | Self::Levels { .. }
            | Self::WeightedMoments { .. }
            | Self::WeightedCov => {}
        }
        Ok(())
    }

    /// What leaves is a number, or a sum, of rows in cells that a tenant chose: each cell is measured.
    ///
    /// Ranks that tell equal cells apart stay: where nobody is equal, that is a count of none. Levels, minima and maxima
    /// are values of rows.
    pub(super) fn effect(&self, inputs: &[Facet]) -> Effect {
        let (fixed, parts) = self.parts(inputs);
        let slots = parts[0].len();
        let of_slot = |slot: usize| parts.iter().map(move |part| &part[slot]);
        let alike = (0..slots).all(|slot| of_slot(slot).all(|input| input.axes == parts[0][slot].axes));
        let rows_or_none = parts[0].iter().all(|input| matches!(input.axes, Axes::None | Axes::Rows));
        if fixed.iter().any(|input| input.axes != Axes::None) || !alike || !rows_or_none {
            return Effect::entangled();
        }
        let data = |slot: usize| parts[0][slot].axes == Axes::Rows;
        let native = |slot: usize| of_slot(slot).all(|input| input.native);
        let several = parts.len() > 1;
        let effect = Effect::keeping(Axes::None, false);
        let effect = if several { effect.selecting(Selection::Concatenated) } else { effect };
        if !(0..slots).any(data) {
            return effect;
        }
        // Rows of a part that a tenant shaped would count among those of the others.
        if several && (0..slots).any(|slot| data(slot) && !native(slot)) {
            return Effect::entangled();
        }
        let plain = |slot: usize| data(slot) && of_slot(slot).all(|input| input.plain);
        let keys = self.keys();
        // A linear map has a NaN where the data have one; any other key could have been shaped to be nobody's.
        let own = |slot: usize| native(slot) || (matches!(self, Self::RankCounts { .. }) && plain(slot));
        let grouped = Measure::Grouped {
            plain: (keys..slots).all(plain),
            closed: (0..keys).all(|slot| !data(slot) || own(slot)),
        };
        match self {
            Self::RankCounts { ranks: Ranks::Tied, .. } => Effect::entangled(),
            Self::RankCounts { ranks: Ranks::Between | Ranks::Present, .. }
            | Self::Table { .. }
            | Self::Group(GroupFunction::Count | GroupFunction::Sum | GroupFunction::Moments) => {
                effect.measured(grouped)
            }
            Self::Group(GroupFunction::Min | GroupFunction::Max) | Self::Levels { .. } => {
                Effect { extreme: true, ..effect.measured(grouped) }
            }
            Self::WeightedMoments { .. } | Self::WeightedCov => {
                let weights = (0..parts.len()).map(|part| 2 * part + 1).collect();
                // A product of three of the data's own columns can be one row's.
                let two = !matches!(self, Self::WeightedMoments { order: 3.. });
                let measure = if two && plain(0) && !data(1) { Measure::Weights } else { Measure::Terms };
                effect.measured(measure(weights))
            }
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::RankCounts { ranks, weighted } => {
                out.tag(1).code(ranks.code()).tag(u8::from(*weighted));
            }
            Self::Table { rows, columns, weighted } => {
                out.tag(2).u64(*rows).u64(*columns).tag(u8::from(*weighted));
            }
            Self::Group(function) => {
                out.tag(3).code(function.code());
            }
            Self::Levels { most } => {
                out.tag(4).u64(*most);
            }
            Self::WeightedMoments { order } => {
                out.tag(5).u64(u64::from(*order));
            }
            Self::WeightedCov => {
                out.tag(6);
            }
        }
    }
}

impl TryFrom<wire::StatsOp> for StatsOp {
    type Error = Error;

    fn try_from(op: wire::StatsOp) -> Result<Self> {
        use wire::stats_op::Op;
        match op.op.ok_or_else(|| unknown("stats"))? {
            Op::RankCounts(op) => {
                let ranks = Ranks::from_code(op.ranks).ok_or_else(|| unknown("rank_counts"))?;
                Ok(Self::RankCounts { ranks, weighted: op.weighted })
            }
            Op::Table(op) => Ok(Self::Table { rows: op.rows, columns: op.columns, weighted: op.weighted }),
            Op::Group(code) => Ok(Self::Group(GroupFunction::from_code(code).ok_or_else(|| unknown("group"))?)),
            Op::Levels(op) if op.most > LEVELS_MAX => {
                Err(Error::invalid(format!("levels: at most {LEVELS_MAX} can be found, not {}", op.most)))
            }
            Op::Levels(op) => Ok(Self::Levels { most: op.most }),
            Op::WeightedMoments(op) if !(2..=4).contains(&op.order) => {
                Err(Error::invalid(format!("weighted_moments: the order is 2, 3 or 4, not {}", op.order)))
            }
            Op::WeightedMoments(op) => Ok(Self::WeightedMoments { order: op.order }),
            Op::WeightedCov(_) => Ok(Self::WeightedCov),
        }
    }
}

impl From<StatsOp> for wire::StatsOp {
    fn from(op: StatsOp) -> Self {
        use wire::stats_op::{Levels, Op, RankCounts, Table, WeightedCov, WeightedMoments};
        let op = match op {
            StatsOp::RankCounts { ranks, weighted } => Op::RankCounts(RankCounts { ranks: ranks.code(), weighted }),
            StatsOp::Table { rows, columns, weighted } => Op::Table(Table { rows, columns, weighted }),
            StatsOp::Group(function) => Op::Group(function.code()),
            StatsOp::Levels { most } => Op::Levels(Levels { most }),
            StatsOp::WeightedMoments { order } => Op::WeightedMoments(WeightedMoments { order }),
            StatsOp::WeightedCov => Op::WeightedCov(WeightedCov {}),
        };
        Self { op: Some(op) }
    }
}

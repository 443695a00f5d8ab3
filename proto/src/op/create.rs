//! Values out of nothing, or out of a dataset.

mod sequence;

pub use sequence::{Sample, Seq};

use crate::{
    Axes, Block, Canonical, Effect, Error, Result, Shape, canonical, op::unknown, vocabulary::vocabulary, wire,
};

/// How deep a row filter may nest.
const FILTER_DEPTH_MAX: usize = 32;

/// An operator without inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum CreateOp {
    /// Columns of a dataset.
    Read(Read),
    /// A small array sent inline: the tenant's own upload.
    Put(Block),
    /// `np.full((rows, columns), value)`.
    Fill(Fill),
    /// Seeded random numbers.
    Rand(Rand),
    /// `np.arange`, row by row.
    Seq(Seq),
    /// Seeded draws out of `0..population`.
    Sample(Sample),
}

/// Columns of a dataset, `(matching rows, columns)`: as a matrix, in which nulls are NaN, or as a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// A name in the owner's catalogue.
    pub dataset: String,
    /// In this order; empty: all.
    pub columns: Vec<String>,
    /// Absent: every row.
    pub filter: Option<Filter>,
    /// As a frame.
    pub frame: bool,
}

/// A row filter. A comparison with a null is false, as in SQL; a NaN compares as IEEE 754 says.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// A column against a literal.
    Compare(Compare),
    /// All of them.
    And(Vec<Filter>),
    /// Any of them.
    Or(Vec<Filter>),
    /// Not.
    Not(Box<Filter>),
    /// The named column is null.
    IsNull(String),
}

/// `column op literal`.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// The column.
    pub column: String,
    /// The comparison.
    pub op: CompareOp,
    /// The literal.
    pub literal: Literal,
}

/// What a column is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// With a numeric or boolean column.
    Number(f64),
    /// With a text column, byte by byte.
    Text(String),
}

vocabulary! {
    /// A comparison of a filter.
    CompareOp from wire::CompareOp {
        Equal = "==",
        NotEqual = "!=",
        Less = "<",
        LessEqual = "<=",
        Greater = ">",
        GreaterEqual = ">=",
    }
}

impl CompareOp {
    /// Whether the ordering of a value to the literal satisfies it; `None` (a NaN) satisfies only `!=`.
    pub fn holds(self, ordering: Option<std::cmp::Ordering>) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match self {
            Self::Equal => ordering == Some(Equal),
            Self::NotEqual => ordering != Some(Equal),
            Self::Less => ordering == Some(Less),
            Self::LessEqual => matches!(ordering, Some(Less | Equal)),
            Self::Greater => ordering == Some(Greater),
            Self::GreaterEqual => matches!(ordering, Some(Greater | Equal)),
        }
    }
}

/// Every cell the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    /// The result's shape.
    pub shape: Shape,
    /// The value of every cell.
    pub value: f64,
}

/// Random numbers, a pure function of the seed and of each cell's position in the larger matrix of which this is the
/// region at `row_offset`, `column_offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rand {
    /// The result's shape.
    pub shape: Shape,
    /// The seed.
    pub seed: u64,
    /// Row of the larger matrix at which this region starts.
    pub row_offset: u64,
    /// Column of the larger matrix at which this region starts.
    pub column_offset: u64,
    /// Probability that a cell is drawn at all, rather than 0.
    pub density: f64,
    /// What is drawn.
    pub distribution: Distribution,
}

/// The distribution of random cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Uniform in `[low, high)`.
    Uniform {
        /// Smallest value.
        low: f64,
        /// Bound that is not reached.
        high: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// 1 with probability `p`, else 0.
    Bernoulli {
        /// Probability of a 1.
        p: f64,
    },
}

impl CreateOp {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Put(_) => "put",
            Self::Fill(_) => "fill",
            Self::Rand(_) => "rand",
            Self::Seq(_) => "seq",
            Self::Sample(_) => "sample",
        }
    }

    pub(super) fn shape(&self) -> Result<Shape> {
        match self {
            Self::Read(_) => Err(Error::invalid("the shape of a read is known only to the data")),
            Self::Put(block) => Ok(block.shape()),
            Self::Fill(fill) => Ok(fill.shape),
            Self::Rand(rand) => Ok(rand.shape),
            Self::Seq(seq) => seq.shape(),
            Self::Sample(sample) => sample.shape(),
        }
    }

    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Read(_) => Effect::keeping(Axes::Rows, true).native_if(true),
            Self::Fill(_) => Effect::keeping(Axes::None, true),
            Self::Put(_) | Self::Rand(_) | Self::Seq(_) | Self::Sample(_) => Effect::keeping(Axes::None, false),
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::Read(read) => read.write_canonical(out.tag(1).text(&read.dataset)),
            Self::Put(block) => block.canonical(out.tag(2)),
            Self::Fill(Fill { shape, value }) => {
                out.tag(3).u64(shape.rows).u64(shape.columns).f64(*value);
            }
            Self::Rand(rand) => {
                out.tag(4).u64(rand.shape.rows).u64(rand.shape.columns).u64(rand.seed);
                out.u64(rand.row_offset).u64(rand.column_offset).f64(rand.density);
                match rand.distribution {
                    Distribution::Uniform { low, high } => out.tag(1).f64(low).f64(high),
                    Distribution::Normal { mean, std } => out.tag(2).f64(mean).f64(std),
                    Distribution::Bernoulli { p } => out.tag(3).f64(p),
                };
            }
            Self::Seq(seq) => seq.write_canonical(out.tag(5)),
            Self::Sample(sample) => sample.write_canonical(out.tag(6)),
        }
    }
}

impl Read {
    /// The canonical bytes of what is read, without the dataset's name: names are the owner's to change.
    pub fn canonical_options(&self) -> Vec<u8> {
        let mut out = canonical::Canonical::default();
        self.write_canonical(&mut out);
        out.into_bytes()
    }

    fn write_canonical(&self, out: &mut Canonical) {
        out.u64(self.columns.len() as u64);
        for column in &self.columns {
            out.text(column);
        }
        match &self.filter {
            None => {
                out.tag(0);
            }
            Some(filter) => filter.write_canonical(out.tag(1)),
        }
        if self.frame {
            out.tag(1);
        }
    }
}

impl Filter {
    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::Compare(Compare { column, op, literal }) => {
                out.tag(1).text(column).code(op.code());
                match literal {
                    Literal::Number(number) => out.tag(1).f64(*number),
                    Literal::Text(text) => out.tag(2).text(text),
                };
            }
            Self::And(of) | Self::Or(of) => {
                out.tag(if matches!(self, Self::And(_)) { 2 } else { 3 }).u64(of.len() as u64);
                for filter in of {
                    filter.write_canonical(out);
                }
            }
            Self::Not(filter) => filter.write_canonical(out.tag(4)),
            Self::IsNull(column) => {
                out.tag(5).text(column);
            }
        }
    }

    fn parse(filter: wire::Filter, depth: usize) -> Result<Self> {
        use wire::filter::{Node, compare::Value};
        if depth > FILTER_DEPTH_MAX {
            return Err(Error::limit(format!("filters nest at most {FILTER_DEPTH_MAX} deep (filter_depth_max)")));
        }
        let list = |list: wire::filter::List| {
            list.of.into_iter().map(|filter| Self::parse(filter, depth + 1)).collect::<Result<Vec<_>>>()
        };
        Ok(match filter.node.ok_or_else(|| Error::invalid("a filter is empty, or of a newer protocol"))? {
            Node::Compare(compare) => Self::Compare(Compare {
                op: CompareOp::from_code(compare.op).ok_or_else(|| Error::invalid("a filter needs a comparison"))?,
                column: compare.column,
                literal: match compare.value.ok_or_else(|| Error::invalid("a comparison needs a number or a text"))? {
                    Value::Number(number) => Literal::Number(number),
                    Value::Text(text) => Literal::Text(text),
                },
            }),
            Node::And(of) => Self::And(list(of)?),
            Node::Or(of) => Self::Or(list(of)?),
            Node::Not(filter) => Self::Not(Box::new(Self::parse(*filter, depth + 1)?)),
            Node::IsNull(column) => Self::IsNull(column),
        })
    }
}

impl TryFrom<wire::Filter> for Filter {
    type Error = Error;

    fn try_from(filter: wire::Filter) -> Result<Self> {
        Self::parse(filter, 0)
    }
}

impl From<Filter> for wire::Filter {
    fn from(filter: Filter) -> Self {
        use wire::filter::{List, Node, compare::Value};
        let list = |of: Vec<Filter>| List { of: of.into_iter().map(Into::into).collect() };
        let node = match filter {
            Filter::Compare(Compare { column, op, literal }) => Node::Compare(wire::filter::Compare {
                column,
                op: op.code(),
                value: Some(match literal {
                    Literal::Number(number) => Value::Number(number),
                    Literal::Text(text) => Value::Text(text),
                }),
            }),
            Filter::And(of) => Node::And(list(of)),
            Filter::Or(of) => Node::Or(list(of)),
            Filter::Not(filter) => Node::Not(Box::new((*filter).into())),
            Filter::IsNull(column) => Node::IsNull(column),
        };
        Self { node: Some(node) }
    }
}

impl TryFrom<wire::ReadOp> for Read {
    type Error = Error;

    fn try_from(read: wire::ReadOp) -> Result<Self> {
        let filter = read.filter.map(Filter::try_from).transpose()?;
        Ok(Self { dataset: read.dataset, columns: read.columns, filter, frame: read.frame })
    }
}

impl From<Read> for wire::ReadOp {
    fn from(read: Read) -> Self {
        Self { dataset: read.dataset, columns: read.columns, filter: read.filter.map(Into::into), frame: read.frame }
    }
}

impl TryFrom<wire::RandOp> for Rand {
    type Error = Error;

    fn try_from(rand: wire::RandOp) -> Result<Self> {
        use wire::rand_op::Distribution as Wire;
        let probability = |name: &str, p: f64| {
            if (0.0..=1.0).contains(&p) {
                Ok(p)
            } else {
                Err(Error::invalid(format!("rand: {name} must be between 0 and 1, not {p}")))
            }
        };
        let distribution = match rand.distribution.ok_or_else(|| Error::invalid("rand needs a distribution"))? {
            Wire::Uniform(u) if u.low <= u.high => Distribution::Uniform { low: u.low, high: u.high },
            Wire::Uniform(_) => return Err(Error::invalid("rand: low must not be above high")),
            Wire::Normal(n) if n.std >= 0.0 => Distribution::Normal { mean: n.mean, std: n.std },
            Wire::Normal(_) => return Err(Error::invalid("rand: std must not be negative")),
            Wire::Bernoulli(b) => Distribution::Bernoulli { p: probability("p", b.p)? },
        };
        sequence::within("rand", [(rand.row_offset, rand.rows), (rand.column_offset, rand.columns)])?;
        Ok(Self {
            shape: Shape::new(rand.rows, rand.columns),
            seed: rand.seed,
            row_offset: rand.row_offset,
            column_offset: rand.column_offset,
            density: probability("density", rand.density)?,
            distribution,
        })
    }
}

impl From<Rand> for wire::RandOp {
    fn from(rand: Rand) -> Self {
        use wire::rand_op::{Bernoulli, Distribution as Wire, Normal, Uniform};
        Self {
            rows: rand.shape.rows,
            columns: rand.shape.columns,
            seed: rand.seed,
            row_offset: rand.row_offset,
            column_offset: rand.column_offset,
            density: rand.density,
            distribution: Some(match rand.distribution {
                Distribution::Uniform { low, high } => Wire::Uniform(Uniform { low, high }),
                Distribution::Normal { mean, std } => Wire::Normal(Normal { mean, std }),
                Distribution::Bernoulli { p } => Wire::Bernoulli(Bernoulli { p }),
            }),
        }
    }
}

impl TryFrom<wire::CreateOp> for CreateOp {
    type Error = Error;

    fn try_from(op: wire::CreateOp) -> Result<Self> {
        use wire::create_op::Op;
        Ok(match op.op.ok_or_else(|| unknown("create"))? {
            Op::Read(read) => Self::Read(read.try_into()?),
            Op::Put(block) => Self::Put(block.try_into()?),
            Op::Fill(fill) => Self::Fill(Fill { shape: Shape::new(fill.rows, fill.columns), value: fill.value }),
            Op::Rand(rand) => Self::Rand(rand.try_into()?),
            Op::Seq(seq) => Self::Seq(seq.try_into()?),
            Op::Sample(sample) => Self::Sample(sample.try_into()?),
        })
    }
}

impl From<CreateOp> for wire::CreateOp {
    fn from(op: CreateOp) -> Self {
        use wire::create_op::Op;
        Self {
            op: Some(match op {
                CreateOp::Read(read) => Op::Read(read.into()),
                CreateOp::Put(block) => Op::Put(block.into()),
                CreateOp::Fill(Fill { shape, value }) => {
                    Op::Fill(wire::FillOp { rows: shape.rows, columns: shape.columns, value })
                }
                CreateOp::Rand(rand) => Op::Rand(rand.into()),
                CreateOp::Seq(seq) => Op::Seq(seq.into()),
                CreateOp::Sample(sample) => Op::Sample(sample.into()),
            }),
        }
    }
}

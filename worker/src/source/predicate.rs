//! Row filters over columns that are known to exist: SQL's three-valued logic, for rows and for whole row groups.

use std::cmp::Ordering;

use fondaco_proto::{
    Error, Result,
    op::{Compare, CompareOp, Filter, Literal},
};

use super::{
    bits::Bits,
    number::Number,
    schema::{Column, Type, find},
};

/// A filter whose columns and literals fit each other.
#[derive(Clone, Debug)]
pub(super) struct Predicate {
    root: Node,
    /// Each column test of the tree; a node refers to one by its index.
    leaves: Vec<Leaf>,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(usize),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
}

/// A test of the cells of one column.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// An index into the dataset's columns.
    pub(super) column: usize,
    pub(super) test: Test,
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    IsNull,
    Number(CompareOp, f64),
    Text(CompareOp, String),
}

/// Where a test is true and where it is false; elsewhere it is unknown.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) yes: Bits,
    pub(super) no: Bits,
}

/// What a test may be in a row group, as far as its statistics tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Possible {
    pub(super) yes: bool,
    pub(super) no: bool,
    pub(super) unknown: bool,
}

impl Possible {
    pub(super) const ANYTHING: Self = Self { yes: true, no: true, unknown: true };

    /// The comparison, over values between two that compare to the literal like this.
    pub(super) fn between(op: CompareOp, min: Option<Ordering>, max: Option<Ordering>) -> Self {
        let (Some(min), Some(max)) = (min, max) else { return Self::ANYTHING };
        if min > max {
            // Such bounds bound nothing.
            return Self::ANYTHING;
        }
        let orderings = [Ordering::Less, Ordering::Equal, Ordering::Greater];
        let mut between = orderings.into_iter().filter(|ordering| (min..=max).contains(ordering));
        let yes = between.clone().any(|ordering| op.holds(Some(ordering)));
        let no = between.any(|ordering| !op.holds(Some(ordering)));
        Self { yes, no, unknown: true }
    }
}

impl Truth {
    /// Of a test that can be but one thing; `None` if it can be more.
    pub(super) fn certain(possible: Possible, rows: usize) -> Option<Self> {
        let (zeros, ones) = (|| Bits::zeros(rows), || Bits::ones(rows));
        match possible {
            Possible { yes: true, no: false, unknown: false } => Some(Self { yes: ones(), no: zeros() }),
            Possible { yes: false, no: true, unknown: false } => Some(Self { yes: zeros(), no: ones() }),
            Possible { yes: false, no: false, unknown: true } => Some(Self { yes: zeros(), no: zeros() }),
            _ => None,
        }
    }
}

impl Test {
    /// The outcomes over numbers between `min` and `max`.
    pub(super) fn between<N: Number>(&self, min: N, max: N) -> Possible {
        match self {
            Self::Number(op, literal) => Possible::between(*op, min.compare(*literal), max.compare(*literal)),
            Self::IsNull | Self::Text(..) => Possible::ANYTHING,
        }
    }

    /// The outcomes over texts between `min` and `max`.
    pub(super) fn between_texts(&self, min: &[u8], max: &[u8]) -> Possible {
        match self {
            Self::Text(op, literal) => {
                let literal = literal.as_bytes();
                Possible::between(*op, Some(min.cmp(literal)), Some(max.cmp(literal)))
            }
            Self::IsNull | Self::Number(..) => Possible::ANYTHING,
        }
    }
}

impl Predicate {
    /// # Errors
    /// `Invalid` naming a column that is not there or cannot be tested so.
    pub(super) fn new(dataset: &str, columns: &[Column], types: &[Type], filter: &Filter) -> Result<Self> {
        let mut leaves = Vec::new();
        let root = Resolver { dataset, columns, types, leaves: &mut leaves }.node(filter)?;
        Ok(Self { root, leaves })
    }

    pub(super) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// At most so many bitmaps are alive when it is evaluated: two for each leaf, kept, and for each node.
    pub(super) fn bitmaps_max(&self) -> u64 {
        2 * (self.leaves.len() + self.root.nodes() + 1) as u64
    }

    /// Each column that is tested, once.
    pub(super) fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.leaves.iter().map(|leaf| leaf.column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The rows that match, given where each leaf is true and false.
    pub(super) fn rows(&self, rows: usize, leaves: &[Truth]) -> Bits {
        self.root.truth(rows, leaves).yes
    }

    /// What the whole may be, given what each leaf may be.
    pub(super) fn possible(&self, leaf: impl Fn(&Leaf) -> Possible) -> Possible {
        let leaves: Vec<Possible> = self.leaves.iter().map(leaf).collect();
        self.root.possible(&leaves)
    }
}

impl Node {
    fn nodes(&self) -> usize {
        match self {
            Self::Leaf(_) => 1,
            Self::And(of) | Self::Or(of) => 1 + of.iter().map(Self::nodes).sum::<usize>(),
            Self::Not(node) => 1 + node.nodes(),
        }
    }

    fn truth(&self, rows: usize, leaves: &[Truth]) -> Truth {
        match self {
            Self::Leaf(i) => leaves[*i].clone(),
            Self::And(of) => {
                let all = Truth { yes: Bits::ones(rows), no: Bits::zeros(rows) };
                of.iter()
                    .map(|node| node.truth(rows, leaves))
                    .fold(all, |a, b| Truth { yes: a.yes.and(&b.yes), no: a.no.or(&b.no) })
            }
            Self::Or(of) => {
                let none = Truth { yes: Bits::zeros(rows), no: Bits::ones(rows) };
                of.iter()
                    .map(|node| node.truth(rows, leaves))
                    .fold(none, |a, b| Truth { yes: a.yes.or(&b.yes), no: a.no.and(&b.no) })
            }
            Self::Not(node) => {
                let Truth { yes, no } = node.truth(rows, leaves);
                Truth { yes: no, no: yes }
            }
        }
    }

    fn possible(&self, leaves: &[Possible]) -> Possible {
        match self {
            Self::Leaf(i) => leaves[*i],
            Self::And(of) => of.iter().map(|node| node.possible(leaves)).fold(
                Possible { yes: true, no: false, unknown: false },
                |a, b| Possible { yes: a.yes && b.yes, no: a.no || b.no, unknown: a.unknown || b.unknown },
            ),
            Self::Or(of) => of.iter().map(|node| node.possible(leaves)).fold(
                Possible { yes: false, no: true, unknown: false },
                |a, b| Possible { yes: a.yes || b.yes, no: a.no && b.no, unknown: a.unknown || b.unknown },
            ),
            Self::Not(node) => {
                let Possible { yes, no, unknown } = node.possible(leaves);
                Possible { yes: no, no: yes, unknown }
            }
        }
    }
}

struct Resolver<'a> {
    dataset: &'a str,
    columns: &'a [Column],
    types: &'a [Type],
    leaves: &'a mut Vec<Leaf>,
}

impl Resolver<'_> {
    fn node(&mut self, filter: &Filter) -> Result<Node> {
        Ok(match filter {
            Filter::Compare(compare) => {
                let column = find(self.dataset, self.columns, &compare.column)?;
                let test = self.comparison(column, compare)?;
                self.leaf(column, test)
            }
            Filter::IsNull(name) => {
                let column = find(self.dataset, self.columns, name)?;
                if matches!(self.types[column], Type::Nested(_)) {
                    return Err(self.untestable(column));
                }
                self.leaf(column, Test::IsNull)
            }
            Filter::And(of) => Node::And(of.iter().map(|filter| self.node(filter)).collect::<Result<_>>()?),
            Filter::Or(of) => Node::Or(of.iter().map(|filter| self.node(filter)).collect::<Result<_>>()?),
            Filter::Not(filter) => Node::Not(Box::new(self.node(filter)?)),
        })
    }

    fn leaf(&mut self, column: usize, test: Test) -> Node {
        self.leaves.push(Leaf { column, test });
        Node::Leaf(self.leaves.len() - 1)
    }

    fn comparison(&self, column: usize, compare: &Compare) -> Result<Test> {
        let Column { name, type_name, .. } = &self.columns[column];
        let wrong = |right: &str, not: &str| {
            Error::invalid(format!("column {name:?} is {type_name}: compare it with {right}, not with {not}"))
        };
        match (self.types[column], &compare.literal) {
            (Type::Opaque(_) | Type::Nested(_), _) => Err(self.untestable(column)),
            (Type::Text, Literal::Text(text)) => Ok(Test::Text(compare.op, text.clone())),
            (Type::Text, Literal::Number(_)) => Err(wrong("a text", "a number")),
            (_, Literal::Number(number)) => Ok(Test::Number(compare.op, *number)),
            (_, Literal::Text(_)) => Err(wrong("a number", "a text")),
        }
    }

    fn untestable(&self, column: usize) -> Error {
        let Column { name, type_name, .. } = &self.columns[column];
        Error::invalid(format!("column {name:?} is {type_name}: filter by a column of numbers or of texts"))
    }
}

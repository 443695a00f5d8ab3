//! The family's messages.

use super::{EncodeOp, Feature, Guard, Join, JoinHow, JoinKeys, Map, Selected, Words};
use crate::{
    ColumnKind, Error, Field, Result,
    op::{Filter, unknown},
    wire::{self, encode_op},
};

impl TryFrom<wire::EncodeOp> for EncodeOp {
    type Error = Error;

    fn try_from(op: wire::EncodeOp) -> Result<Self> {
        use encode_op::Op;
        let features = |of: encode_op::Features| -> Result<Vec<Feature>> {
            if of.features.is_empty() {
                return Err(Error::invalid("encode: at least one feature is needed"));
            }
            of.features.into_iter().map(Feature::parse).collect()
        };
        Ok(match op.op.ok_or_else(|| unknown("encode"))? {
            Op::Select(select) => {
                let selected = |column: encode_op::select_columns::Column| {
                    let name = if column.name.is_empty() { column.from.clone() } else { column.name };
                    Selected { from: column.from, name }
                };
                Self::Select(select.columns.into_iter().map(selected).collect())
            }
            Op::Cast(cast) => {
                let field = |column: encode_op::cast_columns::Column| {
                    let kind = ColumnKind::from_code(column.kind).ok_or_else(|| unknown("cast"))?;
                    Ok(Field { name: column.name, kind })
                };
                Self::Cast { to: cast.columns.into_iter().map(field).collect::<Result<_>>()?, strict: cast.strict }
            }
            Op::Filter(filter) => Self::Filter(Filter::try_from(filter)?),
            Op::DropMissing(columns) => Self::DropMissing(columns.names),
            Op::Map(map) => {
                let (output, map) = Map::parse(map)?;
                Self::Map { output, map }
            }
            Op::Join(join) => Self::Join(joined(join)?),
            Op::Matrix(columns) => Self::Matrix(columns.names),
            Op::Frame(columns) => Self::Frame(columns.names),
            Op::Categories(of) => {
                Self::Categories { column: of.column, rows_min: of.rows_min.max(1), guard: Guard::Open }
            }
            Op::Tokens(of) => Self::Tokens {
                column: of.column,
                words: Words::parse(of.words)?,
                rows_min: of.rows_min.max(1),
                guard: Guard::Open,
            },
            Op::Encode(of) => Self::Features { features: features(of)?, guard: Guard::Open },
            Op::Decode(of) => Self::Decode(features(of)?),
            Op::FillMissing(of) => Self::FillMissing(of.values),
        })
    }
}

fn joined(join: encode_op::Join) -> Result<Join> {
    let (left, right) = (join.left, join.right);
    if left.is_empty() || left.len() != right.len() {
        let message = format!("join: {} keys of the left and {} of the right do not match", left.len(), right.len());
        return Err(Error::invalid(message));
    }
    let how = JoinHow::from_code(join.how).ok_or_else(|| unknown("join"))?;
    let keys = JoinKeys::from_code(join.keys).ok_or_else(|| unknown("join"))?;
    Ok(Join { left, right, how, keys })
}

impl From<EncodeOp> for wire::EncodeOp {
    fn from(op: EncodeOp) -> Self {
        use encode_op::{
            CastColumns, Categories, ColumnNames, Features, FillMissing, Op, SelectColumns, Tokens, cast_columns,
            select_columns,
        };
        let features = |of: Vec<Feature>| Features { features: of.into_iter().map(Feature::into_wire).collect() };
        let op = match op {
            EncodeOp::Select(columns) => {
                let column = |of: Selected| select_columns::Column { from: of.from, name: of.name };
                Op::Select(SelectColumns { columns: columns.into_iter().map(column).collect() })
            }
            EncodeOp::Cast { to, strict } => {
                let column = |field: Field| cast_columns::Column { name: field.name, kind: field.kind.code() };
                Op::Cast(CastColumns { columns: to.into_iter().map(column).collect(), strict })
            }
            EncodeOp::Filter(filter) => Op::Filter(filter.into()),
            EncodeOp::DropMissing(names) => Op::DropMissing(ColumnNames { names }),
            EncodeOp::Map { output, map } => Op::Map(map.into_wire(output)),
            EncodeOp::Join(Join { left, right, how, keys }) => {
                Op::Join(encode_op::Join { left, right, how: how.code(), keys: keys.code() })
            }
            EncodeOp::Matrix(names) => Op::Matrix(ColumnNames { names }),
            EncodeOp::Frame(names) => Op::Frame(ColumnNames { names }),
            // What a worker leaves out is not a coordinator's to say.
            EncodeOp::Categories { column, rows_min, guard: _ } => Op::Categories(Categories { column, rows_min }),
            EncodeOp::Tokens { column, words, rows_min, guard: _ } => {
                Op::Tokens(Tokens { column, words: Some(words.into_wire()), rows_min })
            }
            EncodeOp::Features { features: of, guard: _ } => Op::Encode(features(of)),
            EncodeOp::Decode(of) => Op::Decode(features(of)),
            EncodeOp::FillMissing(values) => Op::FillMissing(FillMissing { values }),
        };
        Self { op: Some(op) }
    }
}

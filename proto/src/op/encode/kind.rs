//! What results are: matrices, or frames of which columns.

use std::collections::HashSet;

use super::{EncodeOp, Join};
use crate::{ColumnKind, Error, Field, Kind, Result, check_fields, find_field, op::Filter};

impl EncodeOp {
    /// The kind of the result.
    pub(in crate::op) fn kind(&self, inputs: &[Kind]) -> Result<Kind> {
        if let Self::Frame(_) | Self::Decode(_) | Self::FillMissing(_) = self {
            if let Kind::Frame(_) = inputs[0] {
                let message = format!("{}: a matrix is needed, and this is a frame; to_matrix makes one", self.name());
                return Err(Error::invalid(message));
            }
            return self.of_matrix();
        }
        let fields = |input: &Kind| match input {
            Kind::Frame(fields) => Ok(fields.clone()),
            Kind::Matrix => Err(Error::invalid(format!(
                "{}: a frame is needed, and this is a matrix; to_frame makes one of it",
                self.name()
            ))),
        };
        let inputs = inputs.iter().map(fields).collect::<Result<Vec<Vec<Field>>>>()?;
        self.of_frames(&inputs)
    }

    fn of_matrix(&self) -> Result<Kind> {
        let fields = match self {
            Self::Frame(names) => names.iter().map(|name| Field::new(name.clone(), ColumnKind::Float64)).collect(),
            Self::Decode(features) => {
                let field = |feature: &super::Feature| Ok(Field::new(feature.column.clone(), feature.decoded()?));
                features.iter().map(field).collect::<Result<Vec<_>>>()?
            }
            _fill => return Ok(Kind::Matrix),
        };
        framed(fields)
    }

    fn of_frames(&self, inputs: &[Vec<Field>]) -> Result<Kind> {
        let fields = inputs[0].as_slice();
        let named = |names: &[String]| names.iter().try_for_each(|name| find_field(fields, name).map(drop));
        match self {
            Self::Select(columns) => {
                let field = |column: &super::Selected| {
                    Ok(Field::new(column.name.clone(), fields[find_field(fields, &column.from)?].kind))
                };
                framed(columns.iter().map(field).collect::<Result<_>>()?)
            }
            Self::Cast { to, .. } => {
                let mut cast = fields.to_vec();
                for field in to {
                    let at = find_field(fields, &field.name)?;
                    check_cast(&fields[at], field.kind)?;
                    cast[at] = field.clone();
                }
                framed(cast)
            }
            Self::Filter(filter) => {
                check_filter(filter, fields)?;
                framed(fields.to_vec())
            }
            Self::DropMissing(names) => {
                named(names)?;
                framed(fields.to_vec())
            }
            Self::Map { output, map } => {
                let kind = map.kind(fields)?;
                framed([fields, &[Field::new(output.clone(), kind)]].concat())
            }
            Self::Join(join) => join.fields(fields, &inputs[1]).and_then(framed),
            Self::Matrix(names) => {
                named(names)?;
                let taken = |field: &&Field| names.is_empty() || names.contains(&field.name);
                match fields.iter().filter(taken).find(|field| !field.kind.is_number()) {
                    Some(field) => Err(Error::invalid(format!(
                        "to_matrix: column {:?} is {}, and cannot be a column of a matrix; encode it, or cast it first",
                        field.name, field.kind
                    ))),
                    None => Ok(Kind::Matrix),
                }
            }
            Self::Categories { column, .. } | Self::Tokens { column, .. } => {
                if let Some(other) = inputs.iter().find(|other| **other != fields) {
                    let message = format!("{}: the parts have other columns: {other:?}", self.name());
                    return Err(Error::invalid(message));
                }
                let kind = fields[find_field(fields, column)?].kind;
                if matches!(self, Self::Tokens { .. }) && kind != ColumnKind::Text {
                    return Err(Error::invalid(format!("tokens: column {column:?} is {kind}; words are of text")));
                }
                framed(vec![Field::new("value", kind), Field::new("count", ColumnKind::Int64)])
            }
            Self::Features { features, .. } => {
                features.iter().try_for_each(|feature| feature.check_kind(fields)).map(|()| Kind::Matrix)
            }
            Self::Frame(_) | Self::Decode(_) | Self::FillMissing(_) => self.of_matrix(),
        }
    }
}

fn framed(fields: Vec<Field>) -> Result<Kind> {
    check_fields(fields.iter().map(|field| field.name.as_str()))?;
    Ok(Kind::Frame(fields))
}

fn check_cast(field: &Field, to: ColumnKind) -> Result<()> {
    use ColumnKind::{Bool, Date};
    match (field.kind, to) {
        (Bool, Date) | (Date, Bool) => {
            Err(Error::invalid(format!("cast: column {:?} is {}, and cannot become {to}", field.name, field.kind)))
        }
        _other => Ok(()),
    }
}

fn check_filter(filter: &Filter, fields: &[Field]) -> Result<()> {
    match filter {
        Filter::Compare(compare) => find_field(fields, &compare.column).map(drop),
        Filter::IsNull(column) => find_field(fields, column).map(drop),
        Filter::And(of) | Filter::Or(of) => of.iter().try_for_each(|filter| check_filter(filter, fields)),
        Filter::Not(filter) => check_filter(filter, fields),
    }
}

impl Join {
    /// The columns of the left, then those of the right that are no keys, `_right` behind a name that both have.
    fn fields(&self, left: &[Field], right: &[Field]) -> Result<Vec<Field>> {
        for (a, b) in self.left.iter().zip(&self.right) {
            let (a, b) = (&left[find_field(left, a)?], &right[find_field(right, b)?]);
            if a.kind != b.kind {
                return Err(Error::invalid(format!(
                    "join: the keys {:?} and {:?} are {} and {}; cast one first",
                    a.name, b.name, a.kind, b.kind
                )));
            }
        }
        let names: HashSet<&str> = left.iter().map(|field| field.name.as_str()).collect();
        let more = right.iter().filter(|field| !self.right.contains(&field.name)).map(|field| {
            let suffix = if names.contains(field.name.as_str()) { "_right" } else { "" };
            Field::new(format!("{}{suffix}", field.name), field.kind)
        });
        Ok(left.iter().cloned().chain(more).collect())
    }
}

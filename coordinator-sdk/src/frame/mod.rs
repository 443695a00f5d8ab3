//! Frames: named columns of numbers, truth values, texts and dates, at the coordinator and over many sites.

mod fed;
mod ops;
pub(crate) mod perform;

use std::{collections::HashMap, fmt};

use fondaco_proto::{ColumnKind, Field, Shape, check_fields, find_field};
use ndarray::Array2;

pub use fed::FedFrame;
pub use ops::Right;

use crate::{Error, Result};

/// A table of the coordinator: named columns of one length, any cell of which may be null.
#[derive(Clone, PartialEq)]
pub struct Frame {
    rows: usize,
    columns: Vec<(String, Series)>,
}

/// The cells of a column; `None` is a null.
#[derive(Clone, Debug, PartialEq)]
pub enum Series {
    /// Doubles.
    Float64(Vec<Option<f64>>),
    /// Integers.
    Int64(Vec<Option<i64>>),
    /// Truth values.
    Bool(Vec<Option<bool>>),
    /// Texts.
    Text(Vec<Option<String>>),
    /// Days since 1970-01-01.
    Date(Vec<Option<i32>>),
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame {} of", self.shape())?;
        self.columns.iter().try_for_each(|(name, series)| write!(f, " {name}: {}", series.kind()))
    }
}

impl Frame {
    /// Of these columns, in this order.
    ///
    /// # Errors
    /// `Plan` if there are none, two have one name, or their lengths differ.
    pub fn new<S: Into<String>, C: Into<Series>>(columns: impl IntoIterator<Item = (S, C)>) -> Result<Self> {
        let columns: Vec<(String, Series)> =
            columns.into_iter().map(|(name, series)| (name.into(), series.into())).collect();
        check_fields(columns.iter().map(|(name, _)| name.as_str()))?;
        let rows = columns.first().map_or(0, |(_, series)| series.len());
        match columns.iter().find(|(_, series)| series.len() != rows) {
            Some((name, series)) => Err(Error::plan(format!(
                "frame: column {name:?} has {} rows, but {:?} has {rows}",
                series.len(),
                columns[0].0
            ))),
            None => Ok(Self { rows, columns }),
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> Shape {
        Shape::new(self.rows as u64, self.columns.len() as u64)
    }

    /// Its number of rows.
    pub fn nrows(&self) -> usize {
        self.rows
    }

    /// Names and kinds of the columns.
    pub fn fields(&self) -> Vec<Field> {
        self.columns.iter().map(|(name, series)| Field::new(name.clone(), series.kind())).collect()
    }

    /// The columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Series)> {
        self.columns.iter().map(|(name, series)| (name.as_str(), series))
    }

    /// The column of this name.
    ///
    /// # Errors
    /// `Plan` naming those that there are.
    pub fn column(&self, name: &str) -> Result<&Series> {
        Ok(&self.columns[find_field(&self.fields(), name)?].1)
    }

    /// The columns as a matrix, `(rows, columns)`, nulls as NaN.
    ///
    /// # Errors
    /// `Plan` naming a column of texts.
    pub fn to_array(&self) -> Result<Array2<f64>> {
        let mut array = Array2::zeros((self.rows, self.columns.len()));
        for (mut cells, (name, series)) in array.columns_mut().into_iter().zip(&self.columns) {
            let numbers = series.numbers().ok_or_else(|| {
                Error::plan(format!("column {name:?} is text, and cannot be a column of a matrix; encode it"))
            })?;
            cells.iter_mut().zip(numbers).for_each(|(cell, number)| *cell = number);
        }
        Ok(array)
    }
}

impl Series {
    /// Its number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Float64(cells) => cells.len(),
            Self::Int64(cells) => cells.len(),
            Self::Bool(cells) => cells.len(),
            Self::Text(cells) => cells.len(),
            Self::Date(cells) => cells.len(),
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it holds.
    pub fn kind(&self) -> ColumnKind {
        match self {
            Self::Float64(_) => ColumnKind::Float64,
            Self::Int64(_) => ColumnKind::Int64,
            Self::Bool(_) => ColumnKind::Bool,
            Self::Text(_) => ColumnKind::Text,
            Self::Date(_) => ColumnKind::Date,
        }
    }

    /// Its cells as numbers, nulls as NaN; `None` of texts.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        fn all<T: Copy>(cells: &[Option<T>], number: impl Fn(T) -> f64) -> Vec<f64> {
            cells.iter().map(|cell| cell.map_or(f64::NAN, &number)).collect()
        }
        match self {
            Self::Float64(cells) => Some(all(cells, |cell| cell)),
            Self::Int64(cells) => Some(all(cells, |cell| cell as f64)),
            Self::Bool(cells) => Some(all(cells, |cell| f64::from(u8::from(cell)))),
            Self::Date(cells) => Some(all(cells, f64::from)),
            Self::Text(_) => None,
        }
    }

    /// Its texts; `None` of anything else.
    pub fn texts(&self) -> Option<&[Option<String>]> {
        match self {
            Self::Text(cells) => Some(cells),
            Self::Float64(_) | Self::Int64(_) | Self::Bool(_) | Self::Date(_) => None,
        }
    }

    /// The distinct texts of some rows, as indices of the rows that have them first, and for each row its text's number.
    pub(crate) fn dictionary(cells: &[Option<String>]) -> (Vec<usize>, Vec<u32>) {
        let (mut firsts, mut codes) = (Vec::new(), Vec::with_capacity(cells.len()));
        let mut seen: HashMap<&str, u32> = HashMap::new();
        for (row, cell) in cells.iter().enumerate() {
            let Some(text) = cell else {
                codes.push(0);
                continue;
            };
            codes.push(*seen.entry(text).or_insert_with(|| {
                firsts.push(row);
                firsts.len() as u32 - 1
            }));
        }
        (firsts, codes)
    }

    /// One below the other; of one kind.
    pub(crate) fn append(&mut self, other: Self) -> bool {
        match (self, other) {
            (Self::Float64(cells), Self::Float64(mut more)) => cells.append(&mut more),
            (Self::Int64(cells), Self::Int64(mut more)) => cells.append(&mut more),
            (Self::Bool(cells), Self::Bool(mut more)) => cells.append(&mut more),
            (Self::Text(cells), Self::Text(mut more)) => cells.append(&mut more),
            (Self::Date(cells), Self::Date(mut more)) => cells.append(&mut more),
            _ => return false,
        }
        true
    }
}

impl Frame {
    /// Frames of the same columns, one below the other.
    ///
    /// # Errors
    /// `Plan` if there are none, or their columns differ.
    pub fn vstack(parts: impl IntoIterator<Item = Self>) -> Result<Self> {
        let mut parts = parts.into_iter();
        let mut all = parts.next().ok_or_else(|| Error::plan("vstack: there are no frames"))?;
        for part in parts {
            if part.fields() != all.fields() {
                return Err(Error::plan(format!("vstack: the columns differ: {all:?}, and {part:?}")));
            }
            all.rows += part.rows;
            for ((_, series), (_, more)) in all.columns.iter_mut().zip(part.columns) {
                series.append(more);
            }
        }
        Ok(all)
    }
}

macro_rules! series {
    ($($variant:ident of $type:ty;)+) => {
        $(
            impl From<Vec<$type>> for Series {
                fn from(cells: Vec<$type>) -> Self {
                    Self::$variant(cells.into_iter().map(Some).collect())
                }
            }

            impl From<Vec<Option<$type>>> for Series {
                fn from(cells: Vec<Option<$type>>) -> Self {
                    Self::$variant(cells)
                }
            }
        )+
    };
}
series! { Float64 of f64; Int64 of i64; Bool of bool; Text of String; }

impl From<Vec<&str>> for Series {
    fn from(cells: Vec<&str>) -> Self {
        Self::Text(cells.into_iter().map(|cell| Some(cell.to_owned())).collect())
    }
}

impl From<Vec<Option<&str>>> for Series {
    fn from(cells: Vec<Option<&str>>) -> Self {
        Self::Text(cells.into_iter().map(|cell| cell.map(ToOwned::to_owned)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_names_and_one_length() {
        let frame = Frame::new([("a", Series::from(vec![1.0, 2.0])), ("b", vec![Some("x"), None].into())]).unwrap();
        assert_eq!(frame.shape(), Shape::new(2, 2));
        assert_eq!(frame.column("b").unwrap().kind(), ColumnKind::Text);
        assert!(frame.column("c").unwrap_err().to_string().contains("it has a, b"));
        assert!(frame.to_array().unwrap_err().to_string().contains("column \"b\" is text"));
        assert!(Frame::new([("a", vec![1.0]), ("a", vec![2.0])]).is_err());
        assert!(Frame::new([("a", vec![1.0]), ("b", vec![2.0, 3.0])]).is_err());
        assert!(Frame::new(Vec::<(&str, Series)>::new()).is_err());
        let numbers = Frame::new([("a", Series::from(vec![1.0])), ("b", vec![Some(true)].into())]).unwrap();
        let both = Frame::vstack([numbers.clone(), numbers]).unwrap();
        assert_eq!(both.to_array().unwrap(), ndarray::array![[1.0, 1.0], [1.0, 1.0]]);
    }
}

//! Row filters, written as one would say them: `column("delay").gt(15.0)`.

use fondaco_proto::op::{Compare, CompareOp, Filter, Literal};

/// A column to be compared.
#[derive(Clone, Debug)]
pub struct FilterColumn(String);

/// What a column is compared with: a number or a text.
#[derive(Clone, Debug)]
pub struct Value(Literal);

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self(Literal::Number(number))
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self(Literal::Number(f64::from(number)))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(Literal::Text(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(Literal::Text(text))
    }
}

/// The start of a row filter: a column of the dataset, read or not.
pub fn column(name: impl Into<String>) -> FilterColumn {
    FilterColumn(name.into())
}

macro_rules! comparisons {
    ($($name:ident => $op:ident, $sign:literal;)+) => {
        $(
            #[doc = concat!("Rows where `column ", $sign, " value`; a null satisfies no comparison, as in SQL.")]
            pub fn $name(self, value: impl Into<Value>) -> Filter {
                let Value(literal) = value.into();
                Filter::Compare(Compare { column: self.0, op: CompareOp::$op, literal })
            }
        )+
    };
}

impl FilterColumn {
    comparisons! {
        eq => Equal, "==";
        ne => NotEqual, "!=";
        lt => Less, "<";
        le => LessEqual, "<=";
        gt => Greater, ">";
        ge => GreaterEqual, ">=";
    }

    /// Rows where the column is null.
    pub fn is_null(self) -> Filter {
        Filter::IsNull(self.0)
    }
}

/// Rows that satisfy all of these.
pub fn all_of(filters: impl IntoIterator<Item = Filter>) -> Filter {
    Filter::And(filters.into_iter().collect())
}

/// Rows that satisfy any of these.
pub fn any_of(filters: impl IntoIterator<Item = Filter>) -> Filter {
    Filter::Or(filters.into_iter().collect())
}

/// Rows that do not satisfy this.
pub fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

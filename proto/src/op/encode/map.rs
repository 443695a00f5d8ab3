//! Functions of the columns of a row: a closed set.

use crate::{
    Canonical, ColumnKind, Error, Field, Result, find_field,
    op::unknown,
    vocabulary::vocabulary,
    wire::{self, encode_op},
};

vocabulary! {
    /// A function of columns, row by row.
    MapFunction from wire::MapFunction {
        Lower = "lower", Upper = "upper", Trim = "trim", Length = "length", Contains = "contains",
        StartsWith = "starts_with", EndsWith = "ends_with", Replace = "replace", Substring = "substring",
        Concat = "concat", Fill = "fill", IsMissing = "is_missing", Abs = "abs", Negative = "negative",
        Sign = "sign", Sqrt = "sqrt", Exp = "exp", Log = "log", Floor = "floor", Ceil = "ceil", Round = "round",
        Add = "add", Subtract = "subtract", Multiply = "multiply", Divide = "divide", Year = "year",
        Month = "month", Day = "day", Weekday = "weekday",
    }
}

/// What a function is applied to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Domain {
    Text,
    Number,
    Date,
    Any,
}

impl MapFunction {
    fn domain(self) -> Domain {
        use MapFunction::{
            Concat, Contains, Day, EndsWith, Fill, IsMissing, Length, Lower, Month, Replace, StartsWith, Substring,
            Trim, Upper, Weekday, Year,
        };
        match self {
            Lower | Upper | Trim | Length | Contains | StartsWith | EndsWith | Replace | Substring | Concat => {
                Domain::Text
            }
            Fill | IsMissing => Domain::Any,
            Year | Month | Day | Weekday => Domain::Date,
            _number => Domain::Number,
        }
    }

    /// Whether it is of two numbers.
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::Add | Self::Subtract | Self::Multiply | Self::Divide)
    }

    /// How many texts it takes.
    const fn texts(self) -> usize {
        match self {
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::Concat => 1,
            Self::Replace => 2,
            _other => 0,
        }
    }
}

/// A column made of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The function.
    pub function: MapFunction,
    /// The columns that it is applied to.
    pub inputs: Vec<String>,
    /// Its texts.
    pub texts: Vec<String>,
    /// Its numbers.
    pub numbers: Vec<f64>,
}

macro_rules! of_one_column {
    ($($name:ident => $function:ident, $meaning:literal;)+) => {
        $(
            #[doc = concat!($meaning, ".")]
            pub fn $name(column: impl Into<String>) -> Self {
                Self::of(MapFunction::$function, column)
            }
        )+
    };
}

macro_rules! of_a_text {
    ($($name:ident => $function:ident, $meaning:literal;)+) => {
        $(
            #[doc = concat!($meaning, ": a bool.")]
            pub fn $name(column: impl Into<String>, text: impl Into<String>) -> Self {
                Self { texts: vec![text.into()], ..Self::of(MapFunction::$function, column) }
            }
        )+
    };
}

macro_rules! of_two_numbers {
    ($($name:ident, $with:ident => $function:ident, $sign:literal;)+) => {
        $(
            #[doc = concat!("`left ", $sign, " right` of two columns.")]
            pub fn $name(left: impl Into<String>, right: impl Into<String>) -> Self {
                let inputs = vec![left.into(), right.into()];
                Self { inputs, ..Self::of(MapFunction::$function, "") }
            }

            #[doc = concat!("`column ", $sign, " number`.")]
            pub fn $with(column: impl Into<String>, number: f64) -> Self {
                Self { numbers: vec![number], ..Self::of(MapFunction::$function, column) }
            }
        )+
    };
}

impl Map {
    /// A function of one column, without parameters.
    fn of(function: MapFunction, column: impl Into<String>) -> Self {
        Self { function, inputs: vec![column.into()], texts: Vec::new(), numbers: Vec::new() }
    }

    of_one_column! {
        lower => Lower, "The text in lower case";
        upper => Upper, "The text in upper case";
        trim => Trim, "The text without white space at its ends";
        length => Length, "The number of characters";
        is_missing => IsMissing, "Whether it is a null or NaN: a bool";
        abs => Abs, "The magnitude";
        negative => Negative, "The negative";
        sign => Sign, "-1, 0 or 1";
        sqrt => Sqrt, "The square root";
        exp => Exp, "The exponential";
        log => Log, "The natural logarithm";
        floor => Floor, "The next integer below";
        ceil => Ceil, "The next integer above";
        round => Round, "The nearest integer, half to even";
        year => Year, "The year of a date";
        month => Month, "The month of a date, 1 to 12";
        day => Day, "The day of the month of a date";
        weekday => Weekday, "The day of the week of a date, 0 for Monday";
    }

    of_a_text! {
        contains => Contains, "Whether the text has this in it";
        starts_with => StartsWith, "Whether the text starts with this";
        ends_with => EndsWith, "Whether the text ends with this";
    }

    of_two_numbers! {
        add, add_number => Add, "+";
        subtract, subtract_number => Subtract, "-";
        multiply, multiply_number => Multiply, "*";
        divide, divide_number => Divide, "/";
    }

    /// The text with each `from` replaced.
    pub fn replace(column: impl Into<String>, from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { texts: vec![from.into(), to.into()], ..Self::of(MapFunction::Replace, column) }
    }

    /// At most `length` characters of the text, from the one at `start` (0-based) on.
    pub fn substring(column: impl Into<String>, start: u32, length: u32) -> Self {
        Self { numbers: vec![start.into(), length.into()], ..Self::of(MapFunction::Substring, column) }
    }

    /// Texts one after another, with something between them.
    pub fn concat<S: Into<String>>(columns: impl IntoIterator<Item = S>, separator: impl Into<String>) -> Self {
        let inputs = columns.into_iter().map(Into::into).collect();
        Self { function: MapFunction::Concat, inputs, texts: vec![separator.into()], numbers: Vec::new() }
    }

    /// This text where it is missing.
    pub fn fill_text(column: impl Into<String>, text: impl Into<String>) -> Self {
        Self { texts: vec![text.into()], ..Self::of(MapFunction::Fill, column) }
    }

    /// This number where it is missing.
    pub fn fill_number(column: impl Into<String>, number: f64) -> Self {
        Self { numbers: vec![number], ..Self::of(MapFunction::Fill, column) }
    }

    /// Checks the numbers of inputs and parameters.
    fn check(self) -> Result<Self> {
        let function = self.function;
        let (inputs, texts, numbers) = (self.inputs.len(), self.texts.len(), self.numbers.len());
        let fits = match function {
            MapFunction::Concat => inputs >= 1 && texts == 1 && numbers == 0,
            MapFunction::Fill => inputs == 1 && texts + numbers == 1,
            MapFunction::Substring => {
                let natural = |x: &f64| x.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(x);
                inputs == 1 && texts == 0 && numbers == 2 && self.numbers.iter().all(natural)
            }
            function if function.is_binary() => inputs + numbers == 2 && inputs >= 1 && texts == 0,
            function => inputs == 1 && texts == function.texts() && numbers == 0,
        };
        if function == MapFunction::Replace && self.texts.first().is_some_and(String::is_empty) {
            return Err(Error::invalid("map: replace needs a text to look for that is not empty"));
        }
        if fits {
            return Ok(self);
        }
        Err(Error::invalid(format!(
            "map: {} does not take {inputs} columns, {texts} texts and {numbers} numbers (of substring: whole ones)",
            function.name()
        )))
    }

    /// The kind of the new column.
    ///
    /// # Errors
    /// `Invalid` naming a column that is not there, or of another kind.
    pub(super) fn kind(&self, fields: &[Field]) -> Result<ColumnKind> {
        let kinds = self.inputs.iter().map(|name| Ok(fields[find_field(fields, name)?].kind));
        let kinds = kinds.collect::<Result<Vec<_>>>()?;
        let fits = |kind: &ColumnKind| match self.function.domain() {
            Domain::Text => *kind == ColumnKind::Text,
            Domain::Number => kind.is_number(),
            Domain::Date => *kind == ColumnKind::Date,
            Domain::Any => true,
        };
        if let Some(at) = kinds.iter().position(|kind| !fits(kind)) {
            let right = match self.function.domain() {
                Domain::Text => "text",
                Domain::Number | Domain::Any => "numbers",
                Domain::Date => "dates",
            };
            let message = format!(
                "map: {} is of {right}, and column {:?} is {}; cast it first",
                self.function.name(),
                self.inputs[at],
                kinds[at]
            );
            return Err(Error::invalid(message));
        }
        use MapFunction::{Contains, Day, EndsWith, Fill, IsMissing, Length, Month, StartsWith, Weekday, Year};
        Ok(match self.function {
            Contains | StartsWith | EndsWith | IsMissing => ColumnKind::Bool,
            Length | Year | Month | Day | Weekday => ColumnKind::Int64,
            Fill => {
                self.check_fill(kinds[0])?;
                kinds[0]
            }
            function if function.domain() == Domain::Text => ColumnKind::Text,
            _number => ColumnKind::Float64,
        })
    }

    fn check_fill(&self, kind: ColumnKind) -> Result<()> {
        let fits = match (kind, self.numbers.first()) {
            (ColumnKind::Text, None) | (ColumnKind::Float64, Some(_)) => true,
            (ColumnKind::Bool, Some(number)) => *number == 0.0 || *number == 1.0,
            (ColumnKind::Int64, Some(number)) => number.fract() == 0.0 && number.abs() <= 2_f64.powi(53),
            (ColumnKind::Date, Some(number)) => f64::from(*number as i32) == *number,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "map: the {kind} column {:?} is filled with a value of its own kind",
            self.inputs[0]
        )))
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        out.code(self.function.code()).u64(self.inputs.len() as u64);
        self.inputs.iter().for_each(|name| {
            out.text(name);
        });
        out.u64(self.texts.len() as u64);
        self.texts.iter().for_each(|text| {
            out.text(text);
        });
        out.u64(self.numbers.len() as u64);
        self.numbers.iter().for_each(|number| {
            out.f64(*number);
        });
    }

    pub(super) fn parse(map: encode_op::MapColumn) -> Result<(String, Self)> {
        let function = MapFunction::from_code(map.function).ok_or_else(|| unknown("map"))?;
        let parsed = Self { function, inputs: map.inputs, texts: map.texts, numbers: map.numbers };
        Ok((map.output, parsed.check()?))
    }

    pub(super) fn into_wire(self, output: String) -> encode_op::MapColumn {
        encode_op::MapColumn {
            output,
            function: self.function.code(),
            inputs: self.inputs,
            texts: self.texts,
            numbers: self.numbers,
        }
    }
}

//! The first row of a CSV file: the names of its columns, and what separates fields.

use super::{
    csv_block::{Block, Blocks},
    csv_options::CsvOptions,
    csv_rows::{Broken, How, Rows, Spans, count},
    fault::Fault,
    file::Descriptor,
    scratch::Shelf,
};

/// How many columns there may be.
const COLUMNS_MAX: usize = 100_000;

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What separates fields unless somebody says so, by what a header has.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// What the first row says, and where the others begin.
pub(super) struct Header<'a> {
    pub(super) names: Vec<String>,
    pub(super) delimiter: u8,
    pub(super) rest: Blocks<'a>,
}

impl<'a> Header<'a> {
    /// Of a file. `delimiter` is what separates its fields, if that is known.
    pub(super) fn read(
        descriptor: &'a Descriptor,
        shelf: &'a Shelf,
        options: &CsvOptions,
        delimiter: Option<u8>,
    ) -> Result<Self, Fault> {
        let mut mark = [0; BYTE_ORDER_MARK.len()];
        let len = mark.len().min(usize::try_from(descriptor.stat().size).unwrap_or(usize::MAX));
        descriptor.read(0, &mut mark[..len])?;
        if matches!(mark, [0xff, 0xfe, _] | [0xfe, 0xff, _]) {
            return Err(Fault::of("a file is UTF-16; it must be UTF-8", "byte order mark"));
        }
        let offset = if mark == BYTE_ORDER_MARK { mark.len() as u64 } else { 0 };
        let mut rest = Blocks { descriptor, shelf, offset, line: 1 };
        loop {
            let first = rest.clone();
            let Some(block) = rest.next(0)? else {
                return Err(Fault::of("a file has no rows, and no names of columns", "an empty CSV file"));
            };
            let mut bytes = block.load(descriptor, shelf)?;
            let row = &bytes[..block.len];
            if matches!(row, b"\n" | b"\r\n" | b"\r") {
                continue;
            }
            block.check_text(row)?;
            let found = DELIMITERS.into_iter().find(|byte| options.header && row.contains(byte));
            let delimiter = delimiter.or(found).unwrap_or(DELIMITERS[0]);
            let names = names(&block, &mut bytes, (delimiter, options.header), shelf)?;
            return Ok(Self { names, delimiter, rest: if options.header { rest } else { first } });
        }
    }
}

/// The names in the row; those that are empty, or are none, are numbered.
fn names(
    block: &Block,
    bytes: &mut [u8],
    (delimiter, are_names): (u8, bool),
    shelf: &Shelf,
) -> Result<Vec<String>, Fault> {
    // Delimiters in quotes are none, and so there may be fewer.
    let columns_max = 1 + count(&bytes[..block.len], delimiter);
    if columns_max > COLUMNS_MAX {
        return Err(Fault::of(format!("it has more than {COLUMNS_MAX} columns"), "too wide a CSV file"));
    }
    let _ticket = shelf.ticket(Spans::bytes(columns_max + 1, 1))?;
    let mut spans = Spans::new(columns_max + 1, 1);
    let mut rows = Rows::new(bytes, block.len, delimiter);
    let columns = match rows.cut(&(1..=columns_max).collect::<Vec<_>>(), &mut spans) {
        Ok(_) => columns_max,
        Err(Broken { how: How::Fields(fields), .. }) => fields,
        Err(broken) => return Err(block.fault(rows.bytes(), columns_max, &broken)),
    };
    let name = |column: usize| match str::from_utf8(rows.field(spans.column(column, 1)[0])) {
        Ok(name) if are_names && !name.is_empty() => Ok(name.to_owned()),
        Ok(_) => Ok(format!("column_{column}")),
        // All of the row is.
        Err(_) => Err(Fault::damaged("a name that is not UTF-8")),
    };
    (1..=columns).map(name).collect()
}

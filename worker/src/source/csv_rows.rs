//! The grammar of CSV, RFC 4180: a block of bytes cut into rows and fields.
//!
//! A quote is a quote only around a whole field, and is doubled inside of one. So an odd number of quotes before a byte
//! means that it is inside of a field, which is told of 64 bytes together, without a branch. Rows end with a line feed,
//! with or without a carriage return before it; empty lines are no rows.
//!
//! The grammar is strict, and one for finding blocks, checking and reading them: a library's reader would be a second one
//! that accepts more (quotes inside of fields, a file that ends within quotes) and copies each field.

/// How many bytes are looked at together; as many as a word has bits.
const LOOK: usize = 64;

/// A field, by where it begins and ends in its block.
pub(super) type Span = (u32, u32);

/// Where fields of a column go that nobody asked for.
pub(super) const NOWHERE: usize = 0;

/// The fields of some rows, column after column.
pub(super) struct Spans {
    spans: Vec<Span>,
    rows_max: usize,
}

impl Spans {
    /// Bytes of the fields of so many rows.
    pub(super) fn bytes(places: usize, rows_max: usize) -> u64 {
        (places as u64).saturating_mul((rows_max * size_of::<Span>()) as u64)
    }

    /// Room for so many columns, that of [`NOWHERE`] included.
    pub(super) fn new(places: usize, rows_max: usize) -> Self {
        Self { spans: vec![(0, 0); places * rows_max], rows_max }
    }

    /// The first rows of a column.
    pub(super) fn column(&self, place: usize, rows: usize) -> &[Span] {
        &self.spans[place * self.rows_max..][..rows]
    }
}

/// A row that is none, by a byte of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) at: usize,
    pub(super) how: How,
}

/// What is wrong with a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It has so many fields.
    Fields(usize),
    /// A quote that is neither around a field nor doubled.
    StrayQuote,
    /// A quote that nothing closes.
    OpenQuote,
    /// A carriage return without a line feed.
    BareReturn,
}

/// The bytes of a block and how far they are cut.
pub(super) struct Rows<'a> {
    /// Line feeds follow the block, up to a multiple of [`LOOK`].
    bytes: &'a mut [u8],
    len: usize,
    delimiter: u8,
    has_quotes: bool,
    has_returns: bool,
    /// What is looked at next, the ends of fields before it, and all ones if it begins inside of quotes.
    next: usize,
    ends: u64,
    inside: u64,
    /// Where the next row begins.
    start: usize,
}

/// How many bytes a block of `len` takes.
pub(super) fn padded(len: usize) -> usize {
    (len + 1).next_multiple_of(LOOK)
}

impl<'a> Rows<'a> {
    /// Of the first `len` of [`padded`] bytes.
    pub(super) fn new(bytes: &'a mut [u8], len: usize, delimiter: u8) -> Self {
        bytes[len..].fill(b'\n');
        let (has_quotes, has_returns) = (bytes.contains(&b'"'), bytes.contains(&b'\r'));
        Self { bytes, len, delimiter, has_quotes, has_returns, next: 0, ends: 0, inside: 0, start: 0 }
    }

    /// The bytes, of which those of fields that were cut are as they are meant.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// A field that was cut: without the quotes around it, and with single ones for the doubled.
    pub(super) fn field(&self, (start, end): Span) -> &[u8] {
        &self.bytes[start as usize..end as usize]
    }

    /// Cuts as many of the next rows as there are, and as there is room for. A field of column `c` goes to
    /// `places[c]`. Fewer than there is room for are the last.
    pub(super) fn cut(&mut self, places: &[usize], out: &mut Spans) -> Result<usize, Broken> {
        let mut rows = 0;
        let (mut field, mut column) = (self.start, 0);
        while rows < out.rows_max && self.start < self.len {
            let at = self.end()?;
            let is_row = self.bytes[at] == b'\n';
            let mut end = at;
            if is_row && self.has_returns && end > field && self.bytes[end - 1] == b'\r' {
                end -= 1;
            }
            if is_row && column == 0 && end == field {
                (field, self.start) = (at + 1, at + 1);
                continue;
            }
            let span = if self.has_quotes { self.unquoted(field, end)? } else { (field as u32, end as u32) };
            if let Some(place) = places.get(column) {
                out.spans[place * out.rows_max + rows] = span;
            }
            column += 1;
            field = at + 1;
            if is_row {
                if column != places.len() {
                    return Err(Broken { at: self.start, how: How::Fields(column) });
                }
                (column, self.start) = (0, at + 1);
                rows += 1;
            }
        }
        Ok(rows)
    }

    /// The next end of a field.
    #[inline(always)]
    fn end(&mut self) -> Result<usize, Broken> {
        while self.ends == 0 {
            let Some(bytes) = self.bytes.get(self.next..).and_then(<[u8]>::first_chunk::<LOOK>) else {
                return Err(Broken { at: self.start, how: How::OpenQuote });
            };
            let feeds = matches(bytes, b'\n');
            let mut ends = feeds | matches(bytes, self.delimiter);
            if self.has_quotes {
                let inside = parity(matches(bytes, b'"')) ^ self.inside;
                self.inside = if inside >> (LOOK - 1) == 1 { u64::MAX } else { 0 };
                ends &= !inside;
                if self.has_returns {
                    self.check_returns(bytes, feeds, inside)?;
                }
            } else if self.has_returns {
                self.check_returns(bytes, feeds, 0)?;
            }
            self.ends = ends;
            self.next += LOOK;
        }
        let at = self.next - LOOK + self.ends.trailing_zeros() as usize;
        self.ends &= self.ends - 1;
        Ok(at)
    }

    fn check_returns(&self, bytes: &[u8; LOOK], feeds: u64, inside: u64) -> Result<(), Broken> {
        let after = self.bytes.get(self.next + LOOK).is_none_or(|byte| *byte == b'\n');
        let bare = matches(bytes, b'\r') & !(feeds >> 1 | u64::from(after) << (LOOK - 1)) & !inside;
        if bare == 0 {
            return Ok(());
        }
        Err(Broken { at: self.next + bare.trailing_zeros() as usize, how: How::BareReturn })
    }

    /// A field without the quotes around it, and with single ones for the doubled.
    fn unquoted(&mut self, start: usize, end: usize) -> Result<Span, Broken> {
        let stray = Broken { at: start, how: How::StrayQuote };
        let (start, end) = match &self.bytes[start..end] {
            [b'"', .., b'"'] => (start + 1, end - 1),
            field if !field.contains(&b'"') => return Ok((start as u32, end as u32)),
            _ => return Err(stray),
        };
        let field = &mut self.bytes[start..end];
        let Some(mut from) = field.iter().position(|byte| *byte == b'"') else { return Ok((start as u32, end as u32)) };
        let mut to = from;
        while from < field.len() {
            if field[from] == b'"' {
                from += 1;
                if field.get(from) != Some(&b'"') {
                    return Err(stray);
                }
            }
            field[to] = field[from];
            (from, to) = (from + 1, to + 1);
        }
        // Nothing that somebody counts, as lines are.
        field[to..].fill(b'"');
        Ok((start as u32, (start + to) as u32))
    }
}

/// One bit for each byte that is `what`.
#[inline(always)]
fn matches(bytes: &[u8; LOOK], what: u8) -> u64 {
    // Bit `k` of the product's highest byte is the lowest of byte `k`.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut equal = [0; LOOK];
    for i in 0..LOOK {
        equal[i] = u8::from(bytes[i] == what);
    }
    let (words, _) = equal.as_chunks();
    let mut mask = 0;
    for (i, word) in words.iter().enumerate() {
        mask |= (u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56) << (8 * i);
    }
    mask
}

/// Whether an odd number of bits is set, up to and with each.
#[inline(always)]
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// How many bytes are `what`.
pub(super) fn count(bytes: &[u8], what: u8) -> usize {
    // A byte holds the count of so few of them, and many bytes are counted together.
    bytes.chunks(255).map(|few| usize::from(few.iter().map(|byte| u8::from(*byte == what)).sum::<u8>())).sum()
}

/// Where the first row that ends at byte `from` or later ends, if a row begins at the first byte: after its line feed.
pub(super) fn row_end(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.min(bytes.len());
    let mut inside = count(&bytes[..from], b'"') % 2 == 1;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'"' => inside = !inside,
            b'\n' if !inside => return Some(at + 1),
            _ => {}
        }
    }
    None
}

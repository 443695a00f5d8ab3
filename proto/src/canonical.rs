//! Canonical bytes: written by hand, because protobuf encoding is not canonical.

/// Collects the canonical bytes of an operator. Every field has a fixed width or a length before it, so that two
/// different operators never write the same bytes.
#[derive(Default)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// One byte: a tag.
    pub fn tag(&mut self, tag: u8) -> &mut Self {
        self.0.push(tag);
        self
    }

    /// A code of a closed enumeration.
    pub fn code(&mut self, code: i32) -> &mut Self {
        self.0.extend_from_slice(&code.to_le_bytes());
        self
    }

    /// An unsigned integer.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A signed integer.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A number by its bits; all NaN are one.
    pub fn f64(&mut self, value: f64) -> &mut Self {
        let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
        self.u64(bits)
    }

    /// A text with its length.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.u64(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

//! Dictionary-encoded columns of an Arrow file: the entries, and the way from keys to them.

use arrow::datatypes::DataType;

use super::{fault::Fault, number::Number, schema::Type, scratch::Shelf, sink::Sink};
use crate::memory::Ticket;

/// The values of a dictionary.
pub(super) struct Entries<'a> {
    values: Values,
    shelf: &'a Shelf,
    tickets: Vec<Ticket>,
}

enum Values {
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<Box<[u8]>>>),
}

impl<'a> Entries<'a> {
    pub(super) fn new(values: &DataType, shelf: &'a Shelf) -> Self {
        let values = match Type::of_arrow(values) {
            Type::Text => Values::Texts(Vec::new()),
            _ => Values::Numbers(Vec::new()),
        };
        Self { values, shelf, tickets: Vec::new() }
    }

    fn reserve(&mut self, bytes: usize) -> Result<(), Fault> {
        self.tickets.push(self.shelf.ticket(bytes as u64)?);
        Ok(())
    }
}

fn entry<T>(valid: Option<&[bool]>, i: usize, value: T) -> Option<T> {
    valid.is_none_or(|valid| valid[i]).then_some(value)
}

impl Sink for Entries<'_> {
    fn rewind(&mut self) {
        self.tickets.clear();
        match &mut self.values {
            Values::Numbers(entries) => *entries = Vec::new(),
            Values::Texts(entries) => *entries = Vec::new(),
        }
    }

    fn passes(&mut self, _rows: usize) -> bool {
        false
    }

    fn numbers<V, N: Number>(
        &mut self,
        values: &[V],
        valid: Option<&[bool]>,
        number: impl Fn(&V) -> N,
    ) -> Result<(), Fault> {
        // A vector grows by doubling.
        self.reserve(values.len() * 2 * size_of::<Option<f64>>())?;
        let Values::Numbers(entries) = &mut self.values else {
            return Err(Fault::damaged("numbers where texts were declared"));
        };
        for (i, value) in values.iter().enumerate() {
            let value = entry(valid, i, number(value));
            if value.is_some_and(|value| !value.is_exact()) {
                return Err(Fault::Inexact);
            }
            entries.push(value.map(Number::double));
        }
        Ok(())
    }

    fn texts<V: AsRef<[u8]>>(&mut self, values: &[V], valid: Option<&[bool]>) -> Result<(), Fault> {
        let bytes: usize = values.iter().map(|value| value.as_ref().len()).sum();
        self.reserve(bytes + values.len() * 2 * size_of::<Option<Box<[u8]>>>())?;
        let Values::Texts(entries) = &mut self.values else {
            return Err(Fault::damaged("texts where numbers were declared"));
        };
        entries.extend(values.iter().enumerate().map(|(i, value)| entry(valid, i, Box::from(value.as_ref()))));
        Ok(())
    }
}

/// Turns keys into the entries of a dictionary on their way to another sink.
pub(super) struct Lookup<'a, S> {
    entries: &'a Values,
    sink: &'a mut S,
}

impl<'a, S> Lookup<'a, S> {
    pub(super) fn new(entries: &'a Entries<'_>, sink: &'a mut S) -> Self {
        Self { entries: &entries.values, sink }
    }
}

impl<S: Sink> Sink for Lookup<'_, S> {
    fn rewind(&mut self) {
        self.sink.rewind();
    }

    fn passes(&mut self, rows: usize) -> bool {
        self.sink.passes(rows)
    }

    fn numbers<V, N: Number>(
        &mut self,
        values: &[V],
        valid: Option<&[bool]>,
        number: impl Fn(&V) -> N,
    ) -> Result<(), Fault> {
        let beyond = || Fault::damaged("a key beyond its dictionary");
        // Keys are integers; those that no double holds are beyond every dictionary.
        let key = |i: usize| number(&values[i]).double();
        let keys = (0..values.len()).map(|i| {
            let key = entry(valid, i, key(i));
            key.map(|key| if key >= 0.0 { Ok(key as usize) } else { Err(beyond()) }).transpose()
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        match self.entries {
            Values::Numbers(entries) => {
                let found = look_up(&keys, entries).ok_or_else(beyond)?;
                let valid: Vec<bool> = found.iter().map(Option::is_some).collect();
                self.sink.numbers(&found, Some(&valid), |value| value.copied().unwrap_or(f64::NAN))
            }
            Values::Texts(entries) => {
                let found = look_up(&keys, entries).ok_or_else(beyond)?;
                let valid: Vec<bool> = found.iter().map(Option::is_some).collect();
                let texts: Vec<&[u8]> = found.iter().map(|text| text.map_or(&[][..], |text| &**text)).collect();
                self.sink.texts(&texts, Some(&valid))
            }
        }
    }

    fn texts<V: AsRef<[u8]>>(&mut self, _values: &[V], _valid: Option<&[bool]>) -> Result<(), Fault> {
        Err(Fault::damaged("keys that are not numbers"))
    }
}

/// The entry of each key, `None` for a null; `None` if a key has none.
fn look_up<'a, T>(keys: &[Option<usize>], entries: &'a [Option<T>]) -> Option<Vec<Option<&'a T>>> {
    keys.iter().map(|key| key.map_or(Some(None), |key| entries.get(key).map(Option::as_ref))).collect()
}

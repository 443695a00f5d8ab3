//! Traces: the way of a value, kept so that it can be shown.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::{self, Write as _};
use std::mem;
use std::sync::Arc;

use crate::key::{DatasetLeaf, Key};

/// How deep a printed tree is indented; deeper lines say their depth instead, so that long chains stay readable.
const INDENT_DEPTH_MAX: usize = 24;

/// One step on the way of a value: a leaf, or an operator on earlier steps.
///
/// Traces are immutable and share what they have in common. Any depth can be built, printed and dropped.
pub struct Trace {
    key: Key,
    origin: Origin,
}

/// Where the value of one [`Trace`] comes from.
pub enum Origin {
    /// Read from a dataset of this name in the owner's catalogue.
    Dataset {
        /// The catalogue's name for it.
        name: Box<str>,
    },
    /// Sent by a tenant.
    Upload {
        /// Rows and columns.
        shape: (u64, u64),
    },
    /// Computed.
    Apply {
        /// The operator's name.
        op: &'static str,
        /// What it was applied to, in order.
        inputs: Vec<Arc<Trace>>,
    },
}

impl Trace {
    /// A read of the dataset called `name`. The name is shown and not part of the key: the files are.
    #[must_use]
    pub fn dataset(name: &str, leaf: &DatasetLeaf<'_>) -> Arc<Self> {
        let origin = Origin::Dataset { name: name.into() };
        Arc::new(Self { key: Key::dataset(leaf), origin })
    }

    /// An upload; see [`Key::upload`].
    #[must_use]
    pub fn upload(shape: (u64, u64), content: &blake3::Hash) -> Arc<Self> {
        Arc::new(Self { key: Key::upload(shape, content), origin: Origin::Upload { shape } })
    }

    /// The operator called `op`, whose identity is `canonical_op`, on these inputs.
    #[must_use]
    pub fn apply(op: &'static str, canonical_op: &[u8], inputs: Vec<Arc<Self>>) -> Arc<Self> {
        let key = Key::apply_each(canonical_op, inputs.iter().map(|input| input.key));
        Arc::new(Self { key, origin: Origin::Apply { op, inputs } })
    }

    /// The key of the value.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }

    /// Where the value comes from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The values it was computed from; none for a leaf.
    #[must_use]
    pub fn inputs(&self) -> &[Arc<Self>] {
        match &self.origin {
            Origin::Dataset { .. } | Origin::Upload { .. } => &[],
            Origin::Apply { inputs, .. } => inputs,
        }
    }

    /// The trace as an indented tree, one value per line, with its inputs below it.
    ///
    /// Each value is numbered and printed in full once; where it is used again, the line refers to its number. After
    /// `nodes_max` lines a last one says that there is more.
    #[must_use]
    pub fn to_tree(&self, nodes_max: usize) -> String {
        let mut text = String::new();
        let mut numbers = HashMap::new();
        let mut pending = vec![(self, 0)];
        let mut lines = 0;
        while let Some((node, depth)) = pending.pop() {
            if lines == nodes_max {
                text.push_str("… more\n");
                break;
            }
            lines += 1;
            indent(&mut text, depth);
            let next_number = numbers.len() + 1;
            // Writing to a string cannot fail.
            let _ = match numbers.entry(node.key) {
                Entry::Occupied(seen) => writeln!(text, "see #{}", seen.get()),
                Entry::Vacant(unseen) => {
                    unseen.insert(next_number);
                    pending.extend(node.inputs().iter().rev().map(|input| (&**input, depth + 1)));
                    writeln!(text, "#{next_number} {node}")
                }
            };
        }
        text
    }

    fn take_inputs(&mut self) -> Vec<Arc<Self>> {
        match &mut self.origin {
            Origin::Dataset { .. } | Origin::Upload { .. } => Vec::new(),
            Origin::Apply { inputs, .. } => mem::take(inputs),
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    for _ in 0..depth.min(INDENT_DEPTH_MAX) {
        text.push_str("  ");
    }
    if depth > INDENT_DEPTH_MAX {
        // Writing to a string cannot fail.
        let _ = write!(text, "[depth {depth}] ");
    }
}

/// Traces are as deep as the programs were long, and dropping them field by field would go as deep on the stack.
impl Drop for Trace {
    fn drop(&mut self) {
        let mut pending = self.take_inputs();
        while let Some(input) = pending.pop() {
            // Of several threads that give up the last references at once, exactly one gets the inner value.
            if let Some(mut sole) = Arc::into_inner(input) {
                pending.append(&mut sole.take_inputs());
            }
        }
    }
}

/// This step alone, without its inputs.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Dataset { name } => write!(f, "dataset {name:?}")?,
            Origin::Upload { shape } => write!(f, "upload {}×{}", shape.0, shape.1)?,
            Origin::Apply { op, .. } => f.write_str(op)?,
        }
        write!(f, " ({:?})", self.key)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace[{self}]")
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset { name } => f.debug_struct("Dataset").field("name", name).finish(),
            Self::Upload { shape } => f.debug_struct("Upload").field("shape", shape).finish(),
            Self::Apply { op, inputs } => {
                f.debug_struct("Apply").field("op", op).field("inputs", &inputs.len()).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(content: &[u8]) -> Arc<Trace> {
        Trace::upload((4, 3), &blake3::hash(content))
    }

    fn patients() -> Arc<Trace> {
        let leaf = DatasetLeaf { files: vec![], canonical_read: b"age" };
        Trace::dataset("patients", &leaf)
    }

    fn chain(length: usize) -> Arc<Trace> {
        (0..length).fold(upload(b"x"), |last, _| Trace::apply("neg", b"neg", vec![last]))
    }

    #[test]
    fn a_node_has_the_key_of_its_parts() {
        let (x, y) = (upload(b"x"), upload(b"y"));
        assert_eq!(x.key(), Key::upload((4, 3), &blake3::hash(b"x")));
        let product = Trace::apply("matmul", b"mm", vec![x.clone(), y.clone()]);
        assert_eq!(product.key(), Key::apply(b"mm", &[x.key(), y.key()]));
        assert_eq!(product.inputs().len(), 2);
        assert!(x.inputs().is_empty());
    }

    #[test]
    fn a_node_is_small() {
        // Two counters come with the `Arc`, and a pointer with each input.
        assert!(size_of::<Trace>() + 4 * size_of::<usize>() <= 128);
    }

    #[test]
    fn a_long_chain_is_dropped_without_recursion() {
        let top = chain(1_000_000);
        let middle = top.inputs()[0].clone();
        drop(top);
        assert_eq!(middle.inputs().len(), 1);
        drop(middle);
    }

    #[test]
    fn a_chain_shared_by_threads_is_dropped_once() {
        let top = chain(10_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let top = top.clone();
                scope.spawn(move || drop(top));
            }
            drop(top);
        });
    }

    #[test]
    fn a_tree_prints_shared_nodes_once() {
        let x = patients();
        let gram = Trace::apply("matmul", b"mm", vec![x.clone(), x.clone()]);
        let top = Trace::apply("add", b"add", vec![gram.clone(), upload(b"y"), gram.clone()]);
        let expected = format!(
            "#1 add ({:?})\n  #2 matmul ({:?})\n    #3 dataset \"patients\" ({:?})\n    see #3\n  \
             #4 upload 4×3 ({:?})\n  see #2\n",
            top.key(),
            gram.key(),
            x.key(),
            upload(b"y").key()
        );
        assert_eq!(top.to_tree(100), expected);
    }

    #[test]
    fn a_tree_is_bounded() {
        let top = chain(100_000);
        let text = top.to_tree(1_000);
        assert_eq!(text.lines().count(), 1_001);
        assert_eq!(text.lines().last(), Some("… more"));
        assert!(text.contains("[depth 999] #1000 neg"));
        assert!(text.len() < 100_000);
        assert_eq!(top.to_tree(0), "… more\n");
        assert_eq!(upload(b"x").to_tree(1).lines().count(), 1);
    }

    #[test]
    fn doubling_prints_each_level_once() {
        let top = (0..200).fold(upload(b"x"), |last, _| Trace::apply("add", b"add", vec![last.clone(), last]));
        assert_eq!(top.to_tree(usize::MAX).lines().count(), 401);
    }

    #[test]
    fn debug_does_not_descend() {
        let top = chain(100_000);
        assert_eq!(format!("{top:?}"), format!("Trace[neg ({:?})]", top.key()));
        assert_eq!(format!("{:?}", top.origin()), "Apply { op: \"neg\", inputs: 1 }");
    }
}

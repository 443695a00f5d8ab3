//! Where the numbers of a buffer lie.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Buffers of fewer doubles (256 KiB) come from the allocator.
const MAPPED_LEN_MIN: usize = 1 << 15;

/// Doubles, zeros at first. Large ones are mapped one by one: they go back to the system as soon as they are dropped,
/// where the allocator would keep what lies between others, and they lie in huge pages, which cost a fraction of the
/// time to touch first and to find again.
pub enum Cells {
    /// By the allocator.
    Allocated(Vec<f64>),
    /// By the system, a whole number of pages.
    Mapped(MmapMut),
}

impl Cells {
    /// So many zeros. Where the system refuses a mapping the allocator is asked, which ends the process as it does for
    /// any other memory that is not there; the budget is what keeps it from that.
    pub fn zeros(len: usize) -> Self {
        if len < MAPPED_LEN_MIN {
            return Self::Allocated(vec![0.0; len]);
        }
        match MmapMut::map_anon(len * size_of::<f64>()) {
            Ok(map) => {
                #[cfg(target_os = "linux")]
                let _small_pages_do = map.advise(memmap2::Advice::HugePage);
                Self::Mapped(map)
            }
            Err(_) => Self::Allocated(vec![0.0; len]),
        }
    }
}

impl Default for Cells {
    fn default() -> Self {
        Self::Allocated(Vec::new())
    }
}

impl Deref for Cells {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        match self {
            Self::Allocated(cells) => cells,
            // A mapping begins at a page, so it is aligned.
            Self::Mapped(map) => bytemuck::cast_slice(map),
        }
    }
}

impl DerefMut for Cells {
    fn deref_mut(&mut self) -> &mut [f64] {
        match self {
            Self::Allocated(cells) => cells,
            Self::Mapped(map) => bytemuck::cast_slice_mut(map),
        }
    }
}

//! The duty to compute one value: filled, or passed on.

use std::fmt;
use std::sync::Arc;

use super::state::Slot;
use super::{ENTRY_BYTES, Shared, Wake, add};

/// The duty, and the sole right, to compute one value.
///
/// [`Reservation::fill`] ends it. Dropped unfilled (after a failure, a cancellation, a panic), it passes to the
/// caller that has waited longest, or ends where nobody waits. It holds no lock.
#[must_use = "dropping a reservation makes the next caller compute"]
pub struct Reservation<V> {
    /// `None` once there is no duty left.
    shared: Option<Arc<Shared<V>>>,
    slot: Slot,
}

impl<V> Reservation<V> {
    pub(super) const fn new(shared: Arc<Shared<V>>, slot: Slot) -> Self {
        Self { shared: Some(shared), slot }
    }

    /// A reservation that concerns nobody else.
    pub(super) const fn detached(slot: Slot) -> Self {
        Self { shared: None, slot }
    }

    /// Gives the value to everybody who waits for it, keeps it if it fits in the budget, and returns it.
    ///
    /// `bytes` is what the value itself takes; an entry counts for [`ENTRY_BYTES`] more. What is too large for the
    /// whole budget is not kept and evicts nothing.
    pub fn fill(mut self, value: V, bytes: u64) -> V
    where
        V: Clone,
    {
        let Some(shared) = &self.shared else {
            return value;
        };
        // Should the clone panic, the duty is still here and passes on.
        let kept = value.clone();
        let settled = shared.lock().settle(&self.slot, kept, bytes.saturating_add(ENTRY_BYTES));
        add(&shared.counters.evictions, settled.evicted);
        // The computation has ended: nothing is left to pass on.
        self.shared = None;
        for waker in settled.waiters.into_values() {
            // A waiter that has gone needs no value.
            let _ = waker.send(Wake::Value(value.clone()));
        }
        value
    }
}

impl<V> Drop for Reservation<V> {
    fn drop(&mut self) {
        let mut duty = self.shared.take();
        while let Some(shared) = duty {
            let Some(waker) = shared.lock().next_waiter(&self.slot) else {
                return;
            };
            // A waiter that went away after it was named refuses, and the loop, not a nested drop, asks the next.
            duty = match waker.send(Wake::Turn(Self::new(shared, self.slot))) {
                Err(Wake::Turn(mut refused)) => refused.shared.take(),
                Ok(()) | Err(Wake::Value(_)) => None,
            };
        }
    }
}

impl<V> fmt::Debug for Reservation<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reservation").field(&self.slot.0).field(&self.slot.1).finish()
    }
}

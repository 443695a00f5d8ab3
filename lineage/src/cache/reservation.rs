//! The duty to compute one value: filled, or passed on.

use std::fmt;
use std::sync::Arc;

use super::state::Slot;
use super::{Shared, Wake};
use crate::policy::Cost;
use crate::reach::TenantTag;

/// The duty, and the sole right, to compute one value.
///
/// [`Reservation::fill`] ends it. Dropped unfilled (after a failure, a cancellation, a panic), it passes to the
/// caller that has waited longest, or ends where nobody waits. It holds no lock.
#[must_use = "dropping a reservation makes the next caller compute"]
pub struct Reservation<V> {
    /// `None` once there is no duty left.
    shared: Option<Arc<Shared<V>>>,
    slot: Slot,
    asker: TenantTag,
}

impl<V> Reservation<V> {
    pub(super) const fn new(shared: Arc<Shared<V>>, slot: Slot, asker: TenantTag) -> Self {
        Self { shared: Some(shared), slot, asker }
    }

    /// A reservation that concerns nobody else.
    pub(super) const fn detached(slot: Slot, asker: TenantTag) -> Self {
        Self { shared: None, slot, asker }
    }

    /// Gives the value to everybody who waits for it, keeps it if there is room, or less worth keeping, in the budget,
    /// and returns it.
    ///
    /// `cost` is what the value itself takes and took; an entry counts for [`ENTRY_BYTES`](super::ENTRY_BYTES) more, to
    /// the tenant that asked. What is too large, or worth less than all in its place, is not kept and evicts nothing.
    pub fn fill(mut self, value: V, cost: Cost) -> V
    where
        V: Clone,
    {
        let Some(shared) = self.shared.clone() else {
            return value;
        };
        // Should the clone panic, the duty is still here and passes on.
        let kept = value.clone();
        let settled = shared.lock().settle(&self.slot, self.asker, kept, cost);
        // The computation has ended: nothing is left to pass on.
        self.shared = None;
        for waiter in settled.waiters.into_values() {
            // A waiter that has gone needs no value.
            let _ = waiter.waker.send(Wake::Value(value.clone(), cost));
        }
        drop(settled.dropped);
        shared.hand_out(settled.evicted);
        value
    }
}

impl<V> Drop for Reservation<V> {
    fn drop(&mut self) {
        let mut duty = self.shared.take();
        while let Some(shared) = duty {
            let Some(waiter) = shared.lock().next_waiter(&self.slot) else {
                return;
            };
            // A waiter that went away after it was named refuses, and the loop, not a nested drop, asks the next.
            duty = match waiter.waker.send(Wake::Turn(Self::new(shared, self.slot, waiter.asker))) {
                Err(Wake::Turn(mut refused)) => refused.shared.take(),
                Ok(()) | Err(Wake::Value(..)) => None,
            };
        }
    }
}

impl<V> fmt::Debug for Reservation<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reservation").field(&self.slot.0).field(&self.slot.1).finish()
    }
}

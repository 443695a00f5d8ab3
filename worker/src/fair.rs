//! A semaphore that is fair to tenants: whoever waits is served round robin over tenants, not over requests.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fondaco_lineage::TenantTag;
use fondaco_proto::{Error, Result};
use tokio::sync::oneshot;

/// Hint to a caller who was refused.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// So many permits; waiters queue per tenant.
#[derive(Debug)]
pub struct FairQueue {
    /// The limit that a refusal names.
    limit_name: &'static str,
    waiting_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Tenants with waiters, the next to be served in front.
    turns: VecDeque<TenantTag>,
    waiting: HashMap<TenantTag, VecDeque<oneshot::Sender<Permit>>>,
}

/// Given back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<FairQueue>);

impl FairQueue {
    /// `permits` at once, and at most `waiting_max` waiters per tenant (the limit called `limit_name`).
    pub fn new(permits: usize, waiting_max: usize, limit_name: &'static str) -> Arc<Self> {
        let state = State { free: permits.max(1), turns: VecDeque::new(), waiting: HashMap::new() };
        Arc::new(Self { limit_name, waiting_max, state: Mutex::new(state) })
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// `Busy` with a retry hint if too many of this tenant wait already.
    pub async fn acquire(self: &Arc<Self>, tenant: TenantTag) -> Result<Permit> {
        let receiver = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Permit(Arc::clone(self)));
            }
            let queue = state.waiting.entry(tenant).or_default();
            queue.retain(|waiter| !waiter.is_closed());
            if queue.len() >= self.waiting_max {
                let message = format!(
                    "too many requests of this tenant wait already ({} = {}); try again shortly",
                    self.limit_name, self.waiting_max
                );
                return Err(Error::busy(message, RETRY_AFTER));
            }
            let (sender, receiver) = oneshot::channel();
            queue.push_back(sender);
            if !state.turns.contains(&tenant) {
                state.turns.push_back(tenant);
            }
            receiver
        };
        receiver.await.map_err(|_| Error::internal("a permit was lost"))
    }

    fn next_waiter(state: &mut State) -> Option<oneshot::Sender<Permit>> {
        while let Some(tenant) = state.turns.pop_front() {
            let Some(queue) = state.waiting.get_mut(&tenant) else { continue };
            let waiter = queue.pop_front();
            if queue.is_empty() {
                state.waiting.remove(&tenant);
            } else {
                state.turns.push_back(tenant);
            }
            if let Some(waiter) = waiter
                && !waiter.is_closed()
            {
                return Some(waiter);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        match FairQueue::next_waiter(&mut state) {
            None => state.free += 1,
            Some(waiter) => {
                drop(state);
                // A waiter that left in the meantime drops the permit, which comes back here.
                let _left = waiter.send(Self(Arc::clone(&self.0)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn serves_tenants_in_turn() {
        let queue = FairQueue::new(1, 8, "programs_queued_max");
        let first = queue.acquire(TenantTag::new(1)).await.unwrap();
        let (sender, mut served) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = Vec::new();
        for tenant in [1, 1, 1, 2, 3] {
            let (queue, sender) = (Arc::clone(&queue), sender.clone());
            tasks.push(tokio::spawn(async move {
                let permit = queue.acquire(TenantTag::new(tenant)).await.unwrap();
                sender.send(tenant).unwrap();
                drop(permit);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        let mut order = Vec::new();
        while let Ok(tenant) = served.try_recv() {
            order.push(tenant);
        }
        assert_eq!(order, [1, 2, 3, 1, 1]);
    }

    #[tokio::test]
    async fn refuses_a_long_queue_and_survives_waiters_that_leave() {
        let queue = FairQueue::new(1, 1, "programs_queued_max");
        let tenant = TenantTag::new(1);
        let first = queue.acquire(tenant).await.unwrap();
        let waiter = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.acquire(tenant).await }
        });
        tokio::task::yield_now().await;
        let refusal = queue.acquire(tenant).await.unwrap_err();
        assert!(refusal.message().contains("programs_queued_max = 1"), "{refusal}");
        waiter.abort();
        assert!(waiter.await.is_err());
        drop(first);
        assert!(queue.acquire(tenant).await.is_ok());
    }
}

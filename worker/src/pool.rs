//! Computation off the reactor: one rayon pool per tenant, made at its first kernel and given back when idle, so that
//! the operating system's scheduler is the fair scheduler between tenants.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fondaco_lineage::TenantTag;
use fondaco_proto::{Error, Result};
use tokio::sync::oneshot;

use crate::fair::{FairQueue, Permit};

/// For how long a tenant's pool is kept without work.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Kernels of one tenant that may wait for a slot; programs are bounded before they get here.
const KERNELS_WAITING_MAX: usize = 4096;

/// All tenants' pools; together they never have more than `compute_threads_max` threads.
#[derive(Debug)]
pub struct Pools {
    threads_each: usize,
    pools_max: usize,
    slots: Arc<FairQueue>,
    pools: Mutex<HashMap<TenantTag, Pool>>,
}

#[derive(Debug)]
struct Pool {
    threads: Arc<rayon::ThreadPool>,
    active: usize,
    idle_since: Instant,
}

/// The right to run one kernel on a tenant's pool.
struct Slot {
    pools: Arc<Pools>,
    tenant: TenantTag,
    threads: Arc<rayon::ThreadPool>,
    _permit: Permit,
}

impl Pools {
    /// Pools of `threads_each` threads, so many that all have at most `threads_max`.
    pub fn new(threads_each: usize, threads_max: usize) -> Arc<Self> {
        let pools_max = (threads_max / threads_each.max(1)).max(1);
        Arc::new(Self {
            threads_each: threads_each.max(1),
            pools_max,
            slots: FairQueue::new(pools_max, KERNELS_WAITING_MAX, "kernels_waiting_max"),
            pools: Mutex::default(),
        })
    }

    /// Runs a kernel on the tenant's pool; waits without a thread until a slot is free. If the caller leaves, the
    /// kernel still ends by itself (soon, if it watches a cancellation flag).
    ///
    /// # Errors
    /// The kernel's; `Internal` if it panics.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        tenant: TenantTag,
        kernel: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self.slots.acquire(tenant).await?;
        let slot = self.slot(tenant, permit)?;
        let (sender, receiver) = oneshot::channel();
        let threads = Arc::clone(&slot.threads);
        threads.spawn(move || {
            let result = guarded(kernel);
            drop(slot);
            let _caller_left = sender.send(result);
        });
        receiver.await.map_err(|_| Error::internal("a kernel was lost"))?
    }

    /// The permit bounds the kernels that run to `pools_max`: whoever holds one finds its tenant's pool, room for
    /// one more, or an idle one to replace.
    fn slot(self: &Arc<Self>, tenant: TenantTag, permit: Permit) -> Result<Slot> {
        let mut replaced = None;
        let mut pools = self.lock();
        if !pools.contains_key(&tenant) {
            if pools.len() >= self.pools_max {
                let idle = pools.iter().find(|(_, pool)| pool.active == 0).map(|(tenant, _)| *tenant);
                replaced = idle.and_then(|idle| pools.remove(&idle));
            }
            let threads = rayon::ThreadPoolBuilder::new()
                .num_threads(self.threads_each)
                .thread_name(|i| format!("kernel-{i}"))
                .build()
                .map_err(|error| {
                    tracing::error!(%error, "a compute pool cannot be made");
                    Error::busy("the worker cannot start compute threads at present", Duration::from_secs(1))
                })?;
            pools.insert(tenant, Pool { threads: Arc::new(threads), active: 0, idle_since: Instant::now() });
        }
        let Some(pool) = pools.get_mut(&tenant) else { return Err(Error::internal("a compute pool was lost")) };
        pool.active += 1;
        let threads = Arc::clone(&pool.threads);
        drop(pools);
        drop(replaced);
        Ok(Slot { pools: Arc::clone(self), tenant, threads, _permit: permit })
    }

    /// Gives back the pools that were idle for longer than `IDLE_MAX` at `now`.
    pub fn trim(&self, now: Instant) {
        let mut stale = Vec::new();
        self.lock().retain(|_, pool| {
            let keep = pool.active > 0 || now.duration_since(pool.idle_since) <= IDLE_MAX;
            if !keep {
                stale.push(Arc::clone(&pool.threads));
            }
            keep
        });
        drop(stale);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantTag, Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(pool) = self.pools.lock().get_mut(&self.tenant) {
            pool.active -= 1;
            pool.idle_since = Instant::now();
        }
    }
}

/// Runs a kernel so that its panic becomes an error; also for kernels too small for a pool.
///
/// # Errors
/// The kernel's; `Internal` if it panics.
pub fn guarded<T>(kernel: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(kernel)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        tracing::error!(panic = text.unwrap_or_default(), "a kernel panicked");
        Err(Error::internal("a kernel failed; the worker's log says more under this request"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_tenants_share_few_pools() {
        let pools = Pools::new(1, 2);
        let tasks: Vec<_> = (0..40)
            .map(|i| {
                let pools = Arc::clone(&pools);
                tokio::spawn(async move { pools.run(TenantTag::new(i % 5), move || Ok(i)).await })
            })
            .collect();
        for (i, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap().unwrap(), i as u64);
            assert!(pools.lock().len() <= 2);
        }
        pools.trim(Instant::now() + IDLE_MAX + Duration::from_secs(1));
        assert!(pools.lock().is_empty());
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_slot_comes_back() {
        let pools = Pools::new(1, 1);
        for _ in 0..3 {
            let error = pools.run::<()>(TenantTag::new(1), || panic!("secret 42")).await.unwrap_err();
            assert_eq!(error.code(), fondaco_proto::ErrorCode::Internal);
            assert!(!error.message().contains("42"));
        }
        assert_eq!(pools.run(TenantTag::new(2), || Ok(1)).await.unwrap(), 1);
    }
}

//! What each tenant holds: bytes of bound values, and what the owner sees of it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;
use fondaco_lineage::TenantTag;
use fondaco_proto::{Error, Result};

/// One tenant's account. It is charged the full bytes of each value it binds, whether the value was there before or
/// not, so that no refusal depends on others.
#[derive(Debug)]
pub struct Account {
    bytes_max: u64,
    bytes: AtomicU64,
    programs: AtomicUsize,
}

impl Account {
    fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: AtomicU64::new(0), programs: AtomicUsize::new(0) }
    }

    /// Charges bytes until the charge is dropped.
    ///
    /// # Errors
    /// `Limit` naming `tenant_bytes_max`.
    pub fn charge(self: &Arc<Self>, bytes: u64) -> Result<Charge> {
        let within = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.bytes_max);
        match self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within) {
            Ok(_) => Ok(Charge { bytes, account: Arc::clone(self) }),
            Err(_) => Err(Error::limit(format!(
                "a value of {bytes} bytes would bring this tenant above its {} bytes (tenant_bytes_max); drop variables \
                 or read less at once",
                self.bytes_max
            ))),
        }
    }

    /// Counts a program as running until the guard is dropped.
    pub fn running(self: &Arc<Self>) -> Running {
        self.programs.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Programs running.
    pub fn programs(&self) -> usize {
        self.programs.load(Ordering::Relaxed)
    }
}

/// Charged bytes; given back when dropped.
pub struct Charge {
    bytes: u64,
    account: Arc<Account>,
}

impl Charge {
    /// Both, of one account, as one.
    #[must_use]
    pub fn merge(mut self, mut other: Self) -> Self {
        self.bytes += std::mem::take(&mut other.bytes);
        self
    }

    /// Gives back what is charged beyond so many bytes.
    pub fn reduce_to(&mut self, bytes: u64) {
        let beyond = self.bytes.saturating_sub(bytes);
        self.bytes -= beyond;
        self.account.bytes.fetch_sub(beyond, Ordering::Relaxed);
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Charge({} bytes)", self.bytes)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A running program.
#[derive(Debug)]
pub struct Running(Arc<Account>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.programs.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All tenants' accounts.
#[derive(Debug)]
pub struct Accounts {
    tenant_bytes_max: u64,
    accounts: DashMap<TenantTag, Arc<Account>>,
}

impl Accounts {
    /// Accounts of so many bytes each.
    pub fn new(tenant_bytes_max: u64) -> Self {
        Self { tenant_bytes_max, accounts: DashMap::new() }
    }

    /// The account of a tenant.
    pub fn of(&self, tenant: TenantTag) -> Arc<Account> {
        let make = || Arc::new(Account::new(self.tenant_bytes_max));
        Arc::clone(self.accounts.entry(tenant).or_insert_with(make).value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_come_back_and_limits_hold() {
        let accounts = Accounts::new(100);
        let account = accounts.of(TenantTag::new(1));
        let mut charge = account.charge(90).unwrap();
        charge.reduce_to(80);
        charge.reduce_to(95);
        assert!(account.charge(21).unwrap_err().message().contains("tenant_bytes_max"));
        assert!(account.charge(u64::MAX).is_err());
        assert!(accounts.of(TenantTag::new(2)).charge(100).is_ok());
        drop(charge);
        assert_eq!(accounts.of(TenantTag::new(1)).bytes(), 0);
    }
}

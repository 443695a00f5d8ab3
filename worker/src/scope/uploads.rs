//! Which uploads tenants have bound, so that the same bytes need not be sent again. Nothing lives longer because it is
//! known here.

use std::sync::{Arc, Weak};

use dashmap::DashMap;
use fondaco_lineage::{Key, TenantTag};

use super::Bound;

/// What each tenant has uploaded, by what its header says. A look-up names its tenant, and never meets another's.
#[derive(Debug, Default)]
pub struct Uploads(DashMap<(TenantTag, Key), Vec<Weak<Bound>>>);

impl Uploads {
    /// Whether the tenant has anything of this form bound.
    pub fn has(&self, tenant: TenantTag, form: Key) -> bool {
        self.0.get(&(tenant, form)).is_some_and(|known| known.iter().any(|bound| bound.strong_count() > 0))
    }

    /// What the tenant has bound of this form under this key.
    pub fn find(&self, tenant: TenantTag, form: Key, key: Key) -> Option<Arc<Bound>> {
        let known = self.0.get(&(tenant, form))?;
        known.iter().filter_map(Weak::upgrade).find(|bound| bound.trace.key() == key)
    }

    /// What the tenant has just bound; its key was computed here, from the bytes that came.
    pub fn remember(&self, tenant: TenantTag, form: Key, bound: &Arc<Bound>) {
        self.0.entry((tenant, form)).or_default().push(Arc::downgrade(bound));
    }

    /// Forgets what is gone.
    pub fn sweep(&self) {
        self.0.retain(|_, known| {
            known.retain(|bound| bound.strong_count() > 0);
            !known.is_empty()
        });
    }
}

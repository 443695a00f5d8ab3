//! From a peer's token to a tenant: the only place that makes one.

use std::{collections::HashMap, fmt, sync::Arc};

use fondaco_lineage::TenantTag;
use fondaco_proto::{Error, Result};
use tonic::metadata::MetadataMap;

use crate::config::TenantConfig;

/// An authenticated principal. Holding one is the authority to reach that tenant's scopes.
#[derive(Clone)]
pub struct Tenant {
    name: Arc<str>,
    tag: TenantTag,
}

impl Tenant {
    /// The name in the owner's configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The number under which caches, pools and accounts know it.
    pub fn tag(&self) -> TenantTag {
        self.tag
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenant({})", self.name)
    }
}

/// Knows the hashes of all tokens, never the tokens.
pub struct Authenticator {
    by_hash: HashMap<[u8; 32], Tenant>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authenticator({} tenants)", self.by_hash.len())
    }
}

impl Authenticator {
    /// Of the configured tenants.
    pub fn new(tenants: &[TenantConfig]) -> Self {
        let by_hash = tenants
            .iter()
            .enumerate()
            .map(|(i, tenant)| {
                let known = Tenant { name: Arc::from(tenant.name.as_str()), tag: TenantTag::new(i as u64) };
                (tenant.token_blake3.0, known)
            })
            .collect();
        Self { by_hash }
    }

    /// All tenants.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.by_hash.values()
    }

    /// The tenant whose token is in `authorization: Bearer TOKEN`. Tokens are looked up by their hash, so that timing
    /// tells nothing about them.
    ///
    /// # Errors
    /// `Unauthenticated`, the same for a missing and for a wrong token.
    pub fn authenticate(&self, metadata: &MetadataMap) -> Result<Tenant> {
        let token = metadata.get("authorization").and_then(|value| value.to_str().ok());
        token
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|token| self.by_hash.get(blake3::hash(token.as_bytes()).as_bytes()))
            .cloned()
            .ok_or_else(|| {
                Error::unauthenticated(
                    "no tenant has this token; send `authorization: Bearer TOKEN` with the token that the site's owner gave you",
                )
            })
    }
}

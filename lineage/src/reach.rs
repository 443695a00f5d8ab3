//! Who may reuse a value.

/// Stands for one tenant wherever values are shared or kept apart.
///
/// It is an opaque number, given out once per tenant by whoever authenticates. Holding one grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantTag(u64);

impl TenantTag {
    /// The tag with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// Who may reuse a value: everyone with the right to its sources, or one tenant.
///
/// Reaches are ordered by how closely a value is held: `Shared ⊑ Tenant(t)`; two tenants are not comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Every tenant with the right to the sources.
    Shared,
    /// This tenant alone.
    Tenant(TenantTag),
}

impl Reach {
    /// The reach of a value made from two others: the closer held one.
    ///
    /// `None` where the two belong to different tenants. No value is made from such a pair, so there is no reach for
    /// it; a caller that meets `None` has inputs that should never have come together.
    #[must_use]
    pub fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Shared, held) | (held, Self::Shared) => Some(held),
            (Self::Tenant(one), Self::Tenant(two)) => (one == two).then_some(self),
        }
    }

    /// The reach of a value made from any number of others; of none, [`Reach::Shared`].
    ///
    /// `None` where two of them belong to different tenants, as in [`Reach::join`].
    #[must_use]
    pub fn join_all(reaches: impl IntoIterator<Item = Self>) -> Option<Self> {
        reaches.into_iter().try_fold(Self::Shared, Self::join)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Reach; 3] = [Reach::Shared, Reach::Tenant(TenantTag::new(1)), Reach::Tenant(TenantTag::new(2))];

    #[test]
    fn shared_is_below_every_tenant() {
        for reach in ALL {
            assert_eq!(Reach::Shared.join(reach), Some(reach));
            assert_eq!(reach.join(Reach::Shared), Some(reach));
            assert_eq!(reach.join(reach), Some(reach));
        }
    }

    #[test]
    fn foreign_tenants_do_not_join() {
        assert_eq!(ALL[1].join(ALL[2]), None);
        assert_eq!(Reach::join_all(ALL), None);
        assert_eq!(Reach::join_all([]), Some(Reach::Shared));
    }

    #[test]
    fn join_does_not_depend_on_order_or_grouping() {
        for a in ALL {
            for b in ALL {
                assert_eq!(a.join(b), b.join(a));
                for c in ALL {
                    let left = a.join(b).and_then(|ab| ab.join(c));
                    let right = b.join(c).and_then(|bc| a.join(bc));
                    assert_eq!(left, right);
                    assert_eq!(left, Reach::join_all([a, b, c]));
                }
            }
        }
    }
}

//! Three sites, and a federation over them.

use fondaco::{FedMatrix, Federation, Layout, Outcome, Pending};
use fondaco_worker::config::Limits;
use ndarray::Array2;

use super::sample::Cuts;
use crate::harness::{Plan, Random, Site, token};

/// The names of the sites.
pub const NAMES: [&str; 3] = ["a", "b", "c"];

/// Three sites in this process, with memory full of NaN, and a federation of the tenant `ada` over them.
pub struct Trio {
    pub fed: Federation,
    pub sites: Vec<Site>,
}

impl Trio {
    pub async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    /// With other limits, by the index of the site.
    pub async fn with(change: impl Fn(usize, &mut Limits)) -> Self {
        Self::planned(|index, plan| plan.limits(|limits| change(index, limits))).await
    }

    /// With whatever else a site needs.
    pub async fn planned(more: impl Fn(usize, Plan) -> Plan) -> Self {
        let mut sites = Vec::new();
        for index in 0..NAMES.len() {
            sites.push(more(index, Plan::new()).start().await);
        }
        Self { fed: connect(&sites, "ada").await, sites }
    }

    /// Another federation over the same sites.
    pub async fn connect(&self, tenant: &str) -> Federation {
        connect(&self.sites, tenant).await
    }
}

async fn connect(sites: &[Site], tenant: &str) -> Federation {
    let site =
        |(name, site): (&&str, &Site)| fondaco::Site::new(*name, format!("http://{}", site.address), token(tenant));
    Federation::connect(NAMES.iter().zip(sites).map(site)).await.expect("the sites serve")
}

/// The array at the sites, in these cuts; now and then as the transpose of what was sent.
pub fn scatter(fed: &Federation, random: &mut Random, array: &Array2<f64>, cuts: &Cuts) -> FedMatrix {
    if random.below(3) == 0 {
        let turned = array.t().to_owned();
        let sent = fed.scatter(&turned, &cuts.transposed().layout()).expect("the layout has the shape");
        return sent.t().expect("everything can be transposed");
    }
    place(fed, array, &cuts.layout())
}

/// The array at the sites, on this layout.
pub fn place(fed: &Federation, array: &Array2<f64>, layout: &Layout) -> FedMatrix {
    fed.scatter(array, layout).expect("the layout has the shape")
}

/// The result, wherever it is.
pub fn released(outcome: Outcome) -> Pending {
    match outcome {
        Outcome::Fed(matrix) => matrix.fetch().expect("what is one's own is released"),
        Outcome::Local(pending) => pending,
    }
}

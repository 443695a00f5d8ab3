//! What is told of a fitted model: the deviance of the mean alone, and the log-likelihood.

use super::{
    family::{self, Family, Link, poisson_terms},
    irls::{Found, Rows},
    special::log_gamma_of,
};
use crate::{
    Axis, Pending, Result,
    algorithms::common::rows::{if_released, weighted_sum},
};

/// What is known of the response.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// How often all rows count together.
    pub total: f64,
    pub mean: f64,
    /// Whether it is 0 and 1 alone, if it is a share: shares are their own squares just then.
    pub binary: bool,
}

impl Known {
    /// One round trip.
    pub async fn of(rows: &Rows) -> Result<Self> {
        let y = &rows.y;
        let total = rows.weights.as_ref().map(|weights| weights.sum(Axis::All)).transpose()?;
        let weighted = weighted_sum(y, rows.weights.as_ref())?;
        let (sum, squares) = (y.sum(Axis::All)?, y.sumsq(Axis::All)?);
        let weighted = weighted.scalar().await?;
        let total = match total {
            Some(total) => total.scalar().await?,
            None => y.nrows() as f64,
        };
        let binary = sum.scalar().await? == squares.scalar().await?;
        Ok(Self { total, mean: weighted / total, binary })
    }
}

/// The deviance of the mean alone.
pub enum Null {
    Known(f64),
    /// Times `deviance_scale`.
    Asked(Pending),
}

/// Less what `saturated` gives.
pub fn null_deviance(family: Family, rows: &Rows, known: &Known) -> Result<Null> {
    match family.null_terms(&rows.y, known.mean)? {
        Some(terms) => Ok(Null::Asked(weighted_sum(&terms, rows.weights.as_ref())?)),
        None => {
            let entropy = |share: f64| if share > 0.0 { share * share.ln() } else { 0.0 };
            Ok(Null::Known(-2.0 * known.total * (entropy(known.mean) + entropy(1.0 - known.mean))))
        }
    }
}

/// What the deviance has of shares that are neither 0 nor 1, over 2: `Σ y log y + (1 - y) log(1 - y)`; none else.
pub fn saturated(family: Family, rows: &Rows, known: &Known) -> Result<Option<Pending>> {
    if family != Family::Binomial || known.binary {
        return Ok(None);
    }
    let terms = family::saturated_terms(&rows.y)?;
    weighted_sum(&terms, rows.weights.as_ref()).map(Some)
}

/// The deviance of the mean alone, and the log-likelihood. At most one round trip.
pub async fn of(
    family: Family,
    link: Link,
    rows: &Rows,
    found: &Found,
    scale: f64,
) -> Result<(Option<f64>, Option<f64>)> {
    let weights = rows.weights.as_ref();
    let null = if rows.offset.is_none() { Some(null_deviance(family, rows, &found.known)?) } else { None };
    let alone = if family == Family::Binomial && found.known.binary { None } else { family.constant_terms(&rows.y)? };
    let alone = alone.map(|terms| weighted_sum(&terms, weights)).transpose()?;
    let explained = match family {
        Family::Poisson => Some(weighted_sum(&poisson_terms(link, &rows.y, &found.eta)?, weights)?),
        Family::Gaussian | Family::Binomial | Family::Gamma => None,
    };
    // Of y alone, so of few values; a site may not release it.
    let null = match null {
        None => None,
        Some(Null::Known(value)) => Some(value + found.saturated),
        Some(Null::Asked(pending)) => if_released(pending).await?.map(|sum| sum * family.deviance_scale()),
    };
    let mut constant = Some(0.0);
    for pending in [alone, explained].into_iter().flatten() {
        constant = constant.zip(if_released(pending).await?).map(|(sum, more)| sum + more);
    }
    Ok((null, constant.map(|constant| log_likelihood(family, link, found, scale) + constant)))
}

/// But for what depends on the response alone, and for what is summed at the sites.
fn log_likelihood(family: Family, link: Link, found: &Found, scale: f64) -> f64 {
    let (n, deviance) = (found.known.total, found.deviance);
    match family {
        Family::Gaussian => {
            let scale = if link == Link::Identity { deviance / n } else { scale };
            -0.5 * (deviance / scale + n * (std::f64::consts::TAU * scale).ln())
        }
        // Σ y log(p / (1 - p)) + log(1 - p)
        Family::Binomial => -0.5 * (deviance - found.saturated),
        Family::Poisson => 0.0,
        // Σ (log(y / (s μ)) - y / (s μ)) - log Γ(1 / s), all over s but the last
        Family::Gamma => {
            let shape = 1.0 / scale;
            n * (shape * shape.ln() - log_gamma_of(shape)) - shape * (0.5 * deviance + n)
        }
    }
}

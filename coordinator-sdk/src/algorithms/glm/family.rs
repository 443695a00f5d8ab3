//! Families and links of generalised linear models: how the mean of a response follows from the linear predictor, and
//! what a row adds to the iteration. All of it cell by cell, at the sites.

use super::{normal, special};
use crate::{Error, FedMatrix, Result};

/// What a quotient of a response and its mean is raised by before its logarithm, so that a response of 0 counts as the
/// limit, 0: nothing beside any quotient of numbers, but not 0.
const LEAST: f64 = 1e-17;

/// The distribution of a response around its mean (McCullagh & Nelder 1989, "Generalized Linear Models", 2nd ed., 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Any number; constant variance.
    Gaussian,
    /// 0, 1, or a share between; variance `μ (1 - μ)`.
    Binomial,
    /// A count; variance μ.
    Poisson,
    /// A positive number; variance μ².
    Gamma,
}

/// The linear predictor as a function of the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// `μ`.
    Identity,
    /// `log(μ)`.
    Log,
    /// `log(μ / (1 - μ))`.
    Logit,
    /// The quantile of μ in the standard normal distribution.
    Probit,
    /// `log(-log(1 - μ))`.
    Cloglog,
    /// `1 / μ`.
    Inverse,
}

/// What the rows add to an iteration, `(n, 1)` each.
pub struct Terms {
    /// The derivative of the log-likelihood by the linear predictor, without the dispersion.
    pub score: FedMatrix,
    /// The expected second derivative, negated; none: 1 in each row.
    pub weight: Option<FedMatrix>,
    /// What sums to the deviance, times `deviance_scale`.
    pub deviance: FedMatrix,
    /// `(y - μ)² / V(μ)`, where the dispersion is estimated and it is not the deviance.
    pub pearson: Option<FedMatrix>,
}

impl Family {
    /// Its canonical link.
    pub fn link(self) -> Link {
        match self {
            Self::Gaussian => Link::Identity,
            Self::Binomial => Link::Logit,
            Self::Poisson => Link::Log,
            Self::Gamma => Link::Inverse,
        }
    }

    /// Whether the dispersion is 1 by itself.
    pub(super) fn has_fixed_scale(self) -> bool {
        matches!(self, Self::Binomial | Self::Poisson)
    }

    /// # Errors
    /// `Plan` if the family cannot have the link, saying which it can.
    pub(super) fn allow(self, link: Link) -> Result<()> {
        let (name, links): (&str, &[Link]) = match self {
            Self::Gaussian => ("gaussian", &[Link::Identity, Link::Log, Link::Inverse]),
            Self::Binomial => ("binomial", &[Link::Logit, Link::Probit, Link::Cloglog, Link::Log, Link::Identity]),
            Self::Poisson => ("poisson", &[Link::Log, Link::Identity]),
            Self::Gamma => ("gamma", &[Link::Inverse, Link::Log, Link::Identity]),
        };
        if links.contains(&link) {
            return Ok(());
        }
        Err(Error::plan(format!("the {name} family has no link {link:?}; it has {links:?}")))
    }

    /// The variance as a power of the mean; the binomial one is none.
    fn power(self) -> i32 {
        match self {
            Self::Gaussian | Self::Binomial => 0,
            Self::Poisson => 1,
            Self::Gamma => 2,
        }
    }

    /// `V(μ)` of a number.
    pub(super) fn variance(self, mean: f64) -> f64 {
        match self {
            Self::Gaussian => 1.0,
            Self::Binomial => mean * (1.0 - mean),
            Self::Poisson => mean,
            Self::Gamma => mean * mean,
        }
    }

    /// By what sums of `Terms::deviance` are multiplied.
    pub(super) fn deviance_scale(self) -> f64 {
        if self == Self::Gaussian { 1.0 } else { 2.0 }
    }

    /// What the rows add where the linear predictor is `eta`.
    pub(super) fn terms(self, link: Link, y: &FedMatrix, eta: &FedMatrix) -> Result<Terms> {
        if self == Self::Binomial {
            return binomial(link, y, eta);
        }
        let mean = link.mean(eta)?;
        let residual = y.subtract(&mean)?;
        // The derivative of the mean is ± μ^p, the variance μ^q.
        let (p, q) = (link.power(), self.power());
        let score = times_power(&residual, &mean, p - q)?;
        let score = if link == Link::Inverse { score.negative()? } else { score };
        let weight = power(&mean, 2 * p - q)?;
        let (deviance, pearson) = match self {
            Self::Poisson => {
                let log = y.divide(&mean)?.add(LEAST)?.log()?;
                (log.multiply(y)?.subtract(&residual)?, None)
            }
            Self::Gamma => {
                let (quotient, relative) = (y.divide(&mean)?, residual.divide(&mean)?);
                (relative.subtract(quotient.log()?)?, Some(relative.multiply(&relative)?))
            }
            Self::Gaussian | Self::Binomial => (residual.multiply(&residual)?, None),
        };
        Ok(Terms { score, weight, deviance, pearson })
    }

    /// What sums to the deviance of a constant mean, times `deviance_scale`, less what is known without the rows; none
    /// where all of it is.
    pub(super) fn null_terms(self, y: &FedMatrix, mean: f64) -> Result<Option<FedMatrix>> {
        let quotient = || y.multiply(1.0 / mean);
        match self {
            Self::Gaussian => {
                let residual = y.subtract(mean)?;
                residual.multiply(&residual).map(Some)
            }
            Self::Poisson => y.multiply(quotient()?.add(LEAST)?.log()?).map(Some),
            Self::Gamma => quotient()?.log()?.negative().map(Some),
            Self::Binomial => Ok(None),
        }
    }

    /// What of the log-likelihood depends on the response alone, row by row; none where nothing does.
    pub(super) fn constant_terms(self, y: &FedMatrix) -> Result<Option<FedMatrix>> {
        match self {
            Self::Gaussian => Ok(None),
            Self::Poisson => special::log_gamma(&y.add(1.0)?)?.negative().map(Some),
            Self::Gamma => y.log()?.negative().map(Some),
            Self::Binomial => {
                let both = special::log_gamma(&y.add(1.0)?)?.add(special::log_gamma(&y.negative()?.add(2.0)?)?)?;
                both.negative().map(Some)
            }
        }
    }
}

impl Link {
    /// The linear predictor of a mean.
    pub(super) fn of(self, mean: f64) -> f64 {
        match self {
            Self::Identity => mean,
            Self::Log => mean.ln(),
            Self::Logit => (mean / (1.0 - mean)).ln(),
            Self::Probit => normal::quantile(mean),
            Self::Cloglog => (-(-mean).ln_1p()).ln(),
            Self::Inverse => 1.0 / mean,
        }
    }

    /// The derivative of the mean by the linear predictor, at a mean.
    pub(super) fn slope(self, mean: f64) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Log => mean,
            Self::Logit => mean * (1.0 - mean),
            Self::Probit => normal::density(normal::quantile(mean)),
            Self::Cloglog => -(1.0 - mean) * (-mean).ln_1p(),
            Self::Inverse => -mean * mean,
        }
    }

    /// The derivative of the mean is ± μ to this power.
    fn power(self) -> i32 {
        match self {
            Self::Identity | Self::Logit | Self::Probit | Self::Cloglog => 0,
            Self::Log => 1,
            Self::Inverse => 2,
        }
    }

    /// The mean of each row.
    pub(super) fn mean(self, eta: &FedMatrix) -> Result<FedMatrix> {
        match self {
            Self::Identity => Ok(eta.clone()),
            Self::Log => eta.exp(),
            Self::Logit => eta.sigmoid(),
            Self::Probit => normal::log_odds(eta)?.odds.sigmoid(),
            Self::Cloglog => eta.exp()?.negative()?.expm1()?.negative(),
            Self::Inverse => eta.binary_left(1.0, crate::BinaryFunction::Divide),
        }
    }
}

/// The logarithm of the odds of a mean, and its derivative by the linear predictor.
pub struct LogOdds {
    pub odds: FedMatrix,
    /// None: 1 in each row.
    pub slope: Option<FedMatrix>,
}

/// `log(μ / (1 - μ))` without going through the mean, which is 0 or 1 before this is infinite.
fn log_odds(link: Link, eta: &FedMatrix) -> Result<LogOdds> {
    let (odds, slope) = match link {
        Link::Logit | Link::Inverse => (eta.clone(), None),
        Link::Probit => return normal::log_odds(eta),
        Link::Cloglog => {
            // -log(1 - μ) is e^η.
            let rate = eta.exp()?;
            let mean = rate.negative()?.expm1()?.negative()?;
            (mean.log()?.add(&rate)?, Some(rate.divide(&mean)?))
        }
        Link::Log => {
            let rest = eta.expm1()?.negative()?;
            (eta.subtract(rest.log()?)?, Some(rest.binary_left(1.0, crate::BinaryFunction::Divide)?))
        }
        Link::Identity => {
            let rest = eta.negative()?.log1p()?;
            let variance = eta.multiply(eta.negative()?.add(1.0)?)?;
            (eta.log()?.subtract(rest)?, Some(variance.binary_left(1.0, crate::BinaryFunction::Divide)?))
        }
    };
    Ok(LogOdds { odds, slope })
}

/// Any link is the canonical one of transformed predictors l: with the derivative l' the score is `l' (y - μ)` and the
/// weight `l'² μ (1 - μ)`, stable for all of them.
fn binomial(link: Link, y: &FedMatrix, eta: &FedMatrix) -> Result<Terms> {
    let LogOdds { odds, slope } = log_odds(link, eta)?;
    let (mean, rest) = (odds.sigmoid()?, odds.negative()?.sigmoid()?);
    let (score, weight) = (y.subtract(&mean)?, mean.multiply(&rest)?);
    let (score, weight) = match &slope {
        None => (score, weight),
        Some(slope) => (score.multiply(slope)?, weight.multiply(slope)?.multiply(slope)?),
    };
    // log(1 + e^l) - y l, as log(2 cosh(l / 2)) + (1/2 - y) l: of no sign of l is a term 0 in all rows.
    let size = odds.abs()?;
    let even = size.negative()?.exp()?.log1p()?.plus_multiply(0.5, &size)?;
    let deviance = even.add(odds.multiply(y.negative()?.add(0.5)?)?)?;
    Ok(Terms { score, weight: Some(weight), deviance, pearson: None })
}

/// What sums to the deviance of binomial shares by themselves, over 2: `y log y + (1 - y) log(1 - y)`.
pub fn saturated_terms(y: &FedMatrix) -> Result<FedMatrix> {
    let rest = y.negative()?.add(1.0)?;
    let entropy = |share: &FedMatrix| share.multiply(share.add(LEAST)?.log()?);
    entropy(y)?.add(entropy(&rest)?)
}

/// What of a Poisson log-likelihood depends on the model: `y log μ - μ`.
pub fn poisson_terms(link: Link, y: &FedMatrix, eta: &FedMatrix) -> Result<FedMatrix> {
    let mean = link.mean(eta)?;
    let log = if link == Link::Log { eta.clone() } else { mean.log()? };
    log.multiply(y)?.subtract(mean)
}

/// `x^k`; none for 1.
fn power(x: &FedMatrix, k: i32) -> Result<Option<FedMatrix>> {
    if k == 0 {
        return Ok(None);
    }
    let power = (1..k.abs()).try_fold(x.clone(), |power, _| power.multiply(x))?;
    if k > 0 { Ok(Some(power)) } else { power.binary_left(1.0, crate::BinaryFunction::Divide).map(Some) }
}

/// `y x^k`.
fn times_power(y: &FedMatrix, x: &FedMatrix, k: i32) -> Result<FedMatrix> {
    match power(x, k.abs())? {
        None => Ok(y.clone()),
        Some(power) if k > 0 => y.multiply(&power),
        Some(power) => y.divide(&power),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_derivatives() {
        let links = [Link::Identity, Link::Log, Link::Logit, Link::Probit, Link::Cloglog, Link::Inverse];
        for link in links {
            for mean in [0.1, 0.5, 0.83] {
                let step = 1e-6;
                let slope = 2.0 * step / (link.of(mean + step) - link.of(mean - step));
                assert!((slope - link.slope(mean)).abs() < 1e-8, "{link:?} at {mean}");
            }
        }
    }

    #[test]
    fn families_name_their_links() {
        let message = Family::Poisson.allow(Link::Logit).unwrap_err().to_string();
        assert!(message.contains("poisson") && message.contains("Log, Identity"), "{message}");
        for family in [Family::Gaussian, Family::Binomial, Family::Poisson, Family::Gamma] {
            assert!(family.allow(family.link()).is_ok());
        }
    }
}

//! Responses that a family cannot have, as far as sums show them.

use crate::{
    Axis, Error, ErrorCode, FedMatrix, Pending, Result,
    algorithms::common::rows::{GAPS, hinted},
};

use super::Family;

/// What is asked of a response: it rides with the first round trip.
pub struct Range {
    family: Family,
    sum: Pending,
    squares: Pending,
    /// `Σ |y|`, and of a binomial response `Σ |1 - y|`: as large as `Σ y` and `Σ (1 - y)`, if nothing is negative.
    sizes: Vec<Pending>,
    rows: f64,
}

impl Range {
    pub fn asked(family: Family, y: &FedMatrix) -> Result<Self> {
        let mut sizes = Vec::new();
        if family != Family::Gaussian {
            sizes.push(y.abs()?.sum(Axis::All)?);
        }
        if family == Family::Binomial {
            sizes.push(y.negative()?.add(1.0)?.abs()?.sum(Axis::All)?);
        }
        let (sum, squares) = (y.sum(Axis::All)?, y.sumsq(Axis::All)?);
        Ok(Self { family, sum, squares, sizes, rows: y.nrows() as f64 })
    }

    /// Whether it is 0 and 1 alone, if it is a share. Where a site does not release a sum nobody can say what is wrong.
    ///
    /// # Errors
    /// `Numeric` for what the family cannot have; a site's.
    pub async fn checked(self, hint: &str) -> Result<bool> {
        let sum = self.sum.scalar().await.map_err(|error| hinted(error, hint))?;
        let squares = self.squares.scalar().await.map_err(|error| hinted(error, hint))?;
        if !squares.is_finite() {
            return Err(Error::Numeric(GAPS.to_owned()));
        }
        let signed = [sum, self.rows - sum];
        for (size, signed) in self.sizes.into_iter().zip(signed) {
            match size.scalar().await {
                // Sums of the same numbers differ by rounding, if one is of differences.
                Ok(size) if size - signed <= 1e-12 * size => {}
                Ok(_) => {
                    let (name, allowed) = match self.family {
                        Family::Gaussian => ("gaussian", "numbers"),
                        Family::Binomial => ("binomial", "0, 1, or shares between"),
                        Family::Poisson => ("poisson", "counts, not negative"),
                        Family::Gamma => ("gamma", "greater than 0"),
                    };
                    return Err(Error::Numeric(format!("responses of the {name} family must be {allowed}")));
                }
                Err(error) if error.code() == Some(ErrorCode::ReleaseDenied) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sum == squares)
    }
}

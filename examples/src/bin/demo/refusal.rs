//! What the gate does not let out.

use fondaco::{ErrorCode, Federation, Site};
use ndarray::Array2;

use crate::Result;

/// The flight whose delay somebody would like to know, by its row.
pub const ROW: u64 = 100_000;

/// What became of the attempt.
pub enum Outcome {
    /// As it should be.
    Refused {
        /// The site that said so.
        site: String,
        /// Its message.
        message: String,
    },
    /// The delay of one flight left its site.
    Released(f64),
}

/// Asks for the sum of all arrival delays, each times 0 but for one flight's: the classic way to read a single row out
/// of a system that gives sums alone.
pub async fn attempt(sites: Vec<Site>) -> Result<Outcome> {
    let fed = Federation::connect(sites).await?;
    let delays = fed.read("flights").columns(["arr_delay"]).await?;
    let one_hot =
        Array2::from_shape_fn((1, delays.nrows() as usize), |(_, row)| if row as u64 == ROW { 1.0 } else { 0.0 });
    let answer = delays.left_matmul(one_hot)?.scalar().await;
    fed.close().await?;
    match answer {
        Ok(delay) => Ok(Outcome::Released(delay)),
        Err(fondaco::Error::Site { site, error }) if error.code() == ErrorCode::ReleaseDenied => {
            Ok(Outcome::Refused { site, message: error.message().to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}

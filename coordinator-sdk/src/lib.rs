//! Federated linear algebra over data that may not move.
//!
//! Data owners run workers next to their files; a [`Federation`] connects to them, and a [`FedMatrix`] is one matrix
//! over many sites, with NumPy's operators. What an operator gives stays at the sites, or is a [`Pending`] result:
//! to await one sends everything that is queued, to all sites in parallel, in one round trip. What may leave a site is
//! decided there; a refusal is an error that says why.
//!
//! ```no_run
//! use fondaco::{Axis, Federation, Site, algorithms::LinearRegression, column};
//!
//! # #[tokio::main]
//! # async fn main() -> fondaco::Result<()> {
//! let fed = Federation::connect([
//!     Site::parse("fondaco://TOKEN@127.0.0.1:7171")?.named("ewr"),
//!     Site::parse("fondaco://TOKEN@127.0.0.1:7172")?.named("jfk"),
//! ])
//! .await?;
//!
//! // One row part per site; the rows stay where they are.
//! let flights = fed.read("flights").columns(["distance", "air_time"]).filter(column("air_time").gt(0)).await?;
//! let (distance, air_time) = (flights.slice(.., 0..1)?, flights.slice(.., 1..2)?);
//!
//! // Planned now, computed together in one round trip.
//! let mean = flights.mean(Axis::Columns)?;
//! let std = flights.std(Axis::Columns, 1)?;
//! println!("{} ± {}", mean.await?, std.await?);
//!
//! let model = LinearRegression::default().fit(&distance, &air_time).await?;
//! println!("{} minutes per mile, R² {:.3}", model.coef, model.score(&distance, &air_time).await?);
//! println!("{}", fed.stats());
//! fed.close().await
//! # }
//! ```

pub mod algorithms;
mod batch;
mod blas;
mod combine;
mod connection;
mod dataset;
pub mod encode;
mod error;
pub mod explain;
mod federation;
mod filter;
mod frame;
mod fuse;
mod gather;
mod layout;
mod matrix;
pub mod metrics;
mod operand;
mod pending;
mod perform;
mod plan;
mod quantile;
mod queue;
mod read;
mod recover;
mod relay;
mod retry;
mod scheme;
mod session;
mod site;
pub mod solve;
mod stage;
mod stats;
mod transfer;

pub use fondaco_proto::{
    ColumnKind, ErrorCode, Field, Op, Shape,
    op::{self, AggregateFunction, BinaryFunction, Distribution, Filter, JoinHow, JoinKeys, Map, Unary},
};

pub use dataset::{Column, Dataset, Limits, Privacy};
pub use error::{Error, Result};
pub use federation::Federation;
pub use filter::{FilterColumn, Value, all_of, any_of, column, not};
pub use frame::{FedFrame, Frame, Right, Series};
pub use layout::{Cut, Layout, Part};
pub use matrix::{Axis, DistinctCounts, FedMatrix, GroupBy, Levels};
pub use operand::Operand;
pub use pending::{Outcome, Pending};
pub use quantile::Quantiles;
pub use read::Read;
pub use scheme::Scheme;
pub use site::Site;
pub use stats::{SiteStats, Stats};

//! What the integration tests and the fuzz targets share.

pub mod fuzz;

//! What several algorithms share. Over the public interface, like they themselves.

pub mod bordered;
pub mod classes;
pub mod design;
pub mod lbfgs;
pub mod metric;
pub mod rows;

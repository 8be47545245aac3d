//! The configuration file: values with places, problems with remedies.

pub mod problem;
pub mod value;

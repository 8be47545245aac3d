//! What becomes of a request: which route it takes, and what the route does to it.
//!
//! A request's host and path are normalised first ([`normalise_host`], [`normalise_path`]); the same normalised
//! path is matched and sent upstream, so that nothing can be matched as one thing and fetched as another.

pub mod config;
mod edit;
mod explain;
mod host;
mod matcher;
mod matching;
mod path;
pub(crate) mod pattern;
mod respond;
mod rewrite;
mod table;
mod template;

pub use edit::HeaderEdits;
pub use explain::{Explanation, Step, Verdict};
pub use host::{HostError, normalise_host};
pub use matcher::{Conditions, Facts, HeaderTest, MatchConfig, Mismatch};
pub use path::{PathError, normalise_path};
pub use pattern::{HostPattern, PathPattern};
pub use respond::{Redirect, Respond};
pub use rewrite::Rewrite;
pub use table::RouteTable;
pub use template::{Scope, Template};

//! What every part's configuration is made of: values that know their place, and a reader that finds every mistake.
//!
//! A file becomes a tree with places ([`parse`]), typed raw values are read out of it ([`read()`]), and whoever owns
//! them checks them and leaves what is wrong in [`Problems`]. A [`Report`] shows that to whoever wrote the file.

mod deserialize;
mod fault;
pub mod file;
mod finding;
mod network;
mod outline;
mod part;
mod passwords;
mod place;
mod problem;
mod read;
mod report;
pub mod secret;
mod source;
mod tree;
mod unit;
mod value;
mod variables;
mod yaml;

pub use fault::alternatives;
pub use finding::{Enforcement, Exclusion, masked};
pub use network::Network;
pub use outline::Outline;
pub use part::part;
pub use passwords::without_passwords;
pub use place::{At, Item, Place};
pub use problem::{Problem, Problems, Severity};
pub use read::read;
pub use report::{Report, Style};
pub use secret::{RawSecret, Secret};
pub use source::{Source, Sources};
pub use tree::{Content, Entry, Node, Scalar};
pub use unit::{Size, Time};
pub use value::{OneOrMany, Switch, Table, Toggle};
pub use variables::Lookup;
pub use yaml::parse;

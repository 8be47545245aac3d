//! Real files of rules, and libmodsecurity's opinion of the same messages.
#![allow(clippy::unwrap_used)]

mod core_rule_set;
mod generator;
mod libmodsecurity;
mod requests;
mod version_4;

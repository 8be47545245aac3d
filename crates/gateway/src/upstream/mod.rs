//! Backends: targets, balance, health, dialling.

pub mod config;

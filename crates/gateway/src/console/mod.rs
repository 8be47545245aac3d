//! The section `console` of the configuration. What serves it is the crate `wicketgate-console`, which uses this one: a file is
//! read whole, with every section, by who is below.

pub mod config;
mod limits;
mod openid;
mod user;

pub use config::{ConsoleConfig, RawConsole, SignInConfig};
pub use limits::{ConsoleLimits, MessagesConfig, RawConsoleLimits, RawMessages};
pub use openid::{OpenIdConfig, Prompt, RawOpenId, RawRoles};
pub use user::{Password, RawToken, RawUser, Role, Scope, Token, Totp, User};

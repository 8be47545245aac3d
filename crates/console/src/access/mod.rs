//! Who asks, and what they may: passwords, one-time codes, sessions of browsers, tokens of programs.

pub(crate) mod attempts;
pub(crate) mod caller;
pub(crate) mod gate;
pub(crate) mod openid;
pub mod password;
pub(crate) mod sessions;

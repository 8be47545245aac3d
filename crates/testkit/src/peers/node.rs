//! Node scripts with the libraries that `cargo xtask peers` installs: ws, undici, oidc-provider, playwright-core, and those of
//! the protocols that formats know.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::installed;

/// Node itself, trusting this root beside its own, with the installed libraries in reach of `require`.
pub fn interpreter(ca_file: Option<&Path>) -> Result<Command> {
    let mut command = Command::new(installed("bin/node")?);
    command.env("NODE_PATH", installed("node/node_modules")?);
    if let Some(ca_file) = ca_file {
        command.env("NODE_EXTRA_CA_CERTS", ca_file);
    }
    Ok(command)
}

/// Runs the CommonJS script in this text.
pub fn code(text: &str, ca_file: Option<&Path>) -> Result<Command> {
    let mut command = interpreter(ca_file)?;
    command.args(["--input-type=commonjs", "--eval"]).arg(text);
    Ok(command)
}

/// Runs the CommonJS script in this file.
pub fn script(path: &Path, ca_file: Option<&Path>) -> Result<Command> {
    let mut command = interpreter(ca_file)?;
    command.arg(path);
    Ok(command)
}

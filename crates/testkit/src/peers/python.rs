//! Python scripts in the environment that `cargo xtask peers` makes: websockets, aiohttp, h2, OpenTelemetry's messages.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::installed;

/// The interpreter with its libraries, ready for arguments; output is not buffered.
pub fn interpreter() -> Result<Command> {
    let mut command = Command::new(installed("python/bin/python")?);
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// Runs the script in this file.
pub fn script(path: &Path) -> Result<Command> {
    let mut command = interpreter()?;
    command.arg(path);
    Ok(command)
}

/// Runs the script in this text.
pub fn code(text: &str) -> Result<Command> {
    let mut command = interpreter()?;
    command.arg("-c").arg(text);
    Ok(command)
}

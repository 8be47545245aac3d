//! Debian packages, installed without starting the services they bring.

use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{exists, read, run};

/// Debian's maintainer scripts ask `policy-rc.d` before they start a service. One that is there already stays.
const SCRIPT: &str = r#"
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o Acquire::Retries=3 update
apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
"#;

/// Installs each package whose program is not there.
pub(super) fn install(packages: &[(&str, &str)]) -> Result<()> {
    let missing = packages.iter().filter(|(_, program)| !exists(program)).map(|(package, _)| *package);
    install_now(&missing.collect::<Vec<_>>())
}

/// Installs these packages, whatever is there.
pub(super) fn install_now(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    eprintln!("peers: apt: {}", packages.join(" "));
    let root = read(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command = if root {
        Command::new("sh")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    };
    run(command.args(["-c", SCRIPT, "sh"]).args(packages)).with_context(|| {
        format!("Debian's packages {packages:?} could not be installed: is its mirror reachable, and are you root or may use sudo without a password?")
    })
}

//! The part of the documentation that the program itself writes.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::shell::{COMPONENTS, cargo, read, root, run as run_command, target};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Compares instead of writing
    #[arg(long)]
    check: bool,
}

/// A committed file, the program that prints it and its arguments.
struct Generated {
    path: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

const GATEWAY: &str = "debug/wicketgate";
const GUARD: &str = "debug/examples/detection";

const GENERATED: &[Generated] = &[
    Generated { path: "docs/reference/configuration.md", program: GATEWAY, arguments: &["reference"] },
    Generated { path: "docs/reference/agent.md", program: GATEWAY, arguments: &["reference", "agent"] },
    Generated { path: "docs/reference/client.md", program: GATEWAY, arguments: &["reference", "client"] },
    Generated { path: "docs/reference/refusals.md", program: GATEWAY, arguments: &["reference", "refusals"] },
    Generated { path: "docs/reference/wicketgate.schema.json", program: GATEWAY, arguments: &["schema"] },
    Generated {
        path: "docs/reference/audit-events.md",
        program: GATEWAY,
        arguments: &["audit", "reference"],
    },
    Generated { path: "docs/reference/guard.md", program: GUARD, arguments: &["--reference"] },
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.check {
        return check();
    }
    build()?;
    for file in GENERATED {
        let path = root().join(file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, generate(file)?).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("docs: {}", file.path);
    }
    Ok(())
}

/// Every generated file is committed as it would be written now.
pub(crate) fn check() -> Result<()> {
    build()?;
    let mut stale = Vec::new();
    for file in GENERATED {
        let now = generate(file)?;
        if fs::read_to_string(root().join(file.path)).ok().as_deref() != Some(&now) {
            stale.push(file.path);
        }
    }
    ensure!(stale.is_empty(), "not as generated: {}; run `cargo xtask docs`", stale.join(", "));
    Ok(())
}

/// Builds with the features that tests are built with, so that nothing is built twice.
fn build() -> Result<()> {
    run_command(&mut cargo(&[
        "build",
        "--quiet",
        "--locked",
        "--workspace",
        "--bins",
        "--examples",
        "--features",
        COMPONENTS,
    ]))
}

fn generate(file: &Generated) -> Result<String> {
    let text = read(Command::new(target().join(file.program)).args(file.arguments))?;
    ensure!(!text.is_empty(), "`{}` prints nothing", file.arguments.join(" "));
    Ok(text)
}

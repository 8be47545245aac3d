//! Where the configuration is, and how its problems are shown.

use std::env;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use clap::Args;
use wicketgate_gateway::config::{self, Config, Report, Style};

/// Where the configuration is looked for when none is named.
const PLACES: [&str; 2] = ["wicketgate.yaml", "/etc/wicketgate/wicketgate.yaml"];

/// The exit code for a configuration that cannot be used.
pub(crate) const BAD_CONFIGURATION: u8 = 2;

/// Which configuration a command uses.
#[derive(Args)]
pub(crate) struct ConfigPath {
    /// The configuration file. Without it: ./wicketgate.yaml, then /etc/wicketgate/wicketgate.yaml.
    #[arg(long, short, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
}

impl ConfigPath {
    /// The file that is meant; the first of the usual places where there is none.
    pub(crate) fn path(&self) -> &Path {
        let usual =
            || PLACES.iter().map(Path::new).find(|path| path.exists()).unwrap_or(Path::new(PLACES[0]));
        self.config.as_deref().unwrap_or_else(usual)
    }

    /// Reads it and shows every problem on standard error. `None` when it cannot be used.
    pub(crate) fn load(&self) -> Option<(Config, Report)> {
        let (config, report) = config::load(self.path())
            .map_or_else(|report| (None, report), |(config, report)| (Some(config), report));
        tell(self.path(), config.is_some(), &report);
        config.map(|config| (config, report))
    }
}

/// What a file says, once every problem of it is shown on standard error. `None` when it cannot be used.
pub(super) fn show<C>(path: &Path, loaded: Result<(C, Report), Report>) -> Option<C> {
    let (config, report) =
        loaded.map_or_else(|report| (None, report), |(config, report)| (Some(config), report));
    tell(path, config.is_some(), &report);
    config
}

fn tell(path: &Path, usable: bool, report: &Report) {
    eprint!("{}", report.render(style()));
    if !usable {
        eprintln!("{}: {}", path.display(), counted(report.errors(), report.warnings()));
    }
}

/// `2 errors, 1 warning`; errors are named also where there are none.
pub(crate) fn counted(errors: usize, warnings: usize) -> String {
    match warnings {
        0 => plural(errors, "error"),
        _ => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

/// `1 route`, `2 routes`.
pub(crate) fn plural(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// Colours only for a terminal whose user has not asked for none (no-color.org).
fn style() -> Style {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if stderr().is_terminal() && !refused { Style::Colour } else { Style::Plain }
}

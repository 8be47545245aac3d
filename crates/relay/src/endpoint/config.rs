//! What the configurations of agents and clients have in common, and how such a file is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wicketgate_admission::fetch::{FetchConfig, RawFetch};
use wicketgate_config::{At, Place, Problems, Report, Sources};

use crate::carrier::websocket::{Dialer, Gateway};
use crate::identity::{Identity, IdentityFiles};
use crate::name::Role;

/// The gateway that an endpoint dials.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawGateway {
    /// Where it is: `https://HOST[:PORT]/PATH`, the host being that of whatever stands in front of it.
    pub url: At<String>,
    /// How whatever stands in front of it is verified, and how long it may take to answer. The gateway itself, and the other end of
    /// each session, prove who they are by the site's authority, whatever is said here.
    #[serde(default)]
    pub https: At<RawFetch>,
}

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

impl RawGateway {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<Dialer> {
        let https: Option<FetchConfig> = self.https.value.check(self.https.place, problems);
        match Gateway::parse(&self.url) {
            Ok(gateway) => Some(Dialer::new(gateway, &https?)),
            Err(why) => {
                let what = format!("`{}` is no gateway: {why}", self.url.value);
                problems.error(self.url.place, what, "write `https://HOST/PATH`");
                None
            }
        }
    }
}

/// Reads an endpoint's identity from its folder; what is wrong goes to `problems`.
pub fn identity(folder: &At<PathBuf>, role: Role, problems: &mut Problems) -> Option<Arc<Identity>> {
    match IdentityFiles::in_folder(folder).load() {
        Ok(identity) if identity.name.role == role => Some(Arc::new(identity)),
        Ok(identity) => {
            let (what, help) = (
                format!("`{}` is the name of no {}", identity.name, role.label()),
                format!("make one: wicketgate ca issue {} NAME", role.label()),
            );
            problems.error(folder.place, what, help);
            None
        }
        Err(fault) => {
            problems.error(folder.place, fault.to_string(), fault.help);
            None
        }
    }
}

/// Reads a file of one kind of endpoint. Variables come from the environment, as in a gateway's file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load<R, C>(
    path: &Path,
    check: impl FnOnce(R, &mut Problems) -> Option<C>,
) -> Result<(C, Report), Report>
where
    R: DeserializeOwned,
{
    let (mut sources, mut problems) = (Sources::default(), Problems::default());
    let config = match wicketgate_config::file::read(path, MAX_FILE) {
        Ok(text) => {
            let file = sources.add(path, text);
            let lookup = |name: &str| std::env::var(name).ok();
            let root = wicketgate_config::parse(file, &mut sources, &lookup, &mut problems);
            if root.is_none() && !problems.has_errors() {
                let place = Place::new(file, 1, 1, 0..0);
                problems.error(place, "this file holds nothing", "the guide has one to start from");
            }
            let raw = root.and_then(|mut root| wicketgate_config::read(&mut root, &mut problems));
            raw.and_then(|raw| check(raw, &mut problems))
        }
        Err(error) => {
            let what = format!("cannot read {}: {error}", path.display());
            problems.error(Place::UNKNOWN, what, "check the path and its permissions");
            None
        }
    };
    let failed = problems.has_errors();
    let report = Report::new(sources, problems);
    match config {
        Some(config) if !failed => Ok((config, report)),
        _ => Err(report),
    }
}

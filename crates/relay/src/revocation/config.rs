//! What a gateway does not accept any more.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};

use super::watched::WatchedList;
use crate::name::{Name, Role};

/// Agents and clients that are not let in any more. Their live sessions end within two seconds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRevocations {
    /// The authority's certificate revocation list, as `wicketgate ca revoke` writes it (PEM). It is read anew when it changes, and
    /// handed to every agent and client, so that they refuse each other too.
    pub list: Option<At<PathBuf>>,
    /// Names, as in `client/alice`: this gateway alone refuses them, whatever their certificates.
    pub names: OneOrMany<At<String>>,
    /// Serial numbers of certificates, in hexadecimal digits: this gateway alone refuses them.
    pub serials: OneOrMany<At<String>>,
}

/// What a gateway does not accept any more.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    /// The authority's list.
    pub list: Option<Arc<WatchedList>>,
    names: BTreeSet<(Role, Arc<str>)>,
    serials: BTreeSet<String>,
}

/// The most names or serial numbers.
const MAX: usize = 10_000;

impl RawRevocations {
    /// Checks the values and reads the list; what is wrong goes to `problems`.
    pub fn check(
        self,
        authorities: &[CertificateDer<'static>],
        site: &str,
        problems: &mut Problems,
    ) -> Revocations {
        let list = self.list.and_then(|path| {
            let loaded = WatchedList::load(path.value.clone(), authorities.to_vec());
            loaded
                .map(Arc::new)
                .map_err(|why| {
                    let what = format!("`{}` {why}", path.value.display());
                    problems.error(path.place, what, "make one: wicketgate ca revoke SERIAL");
                })
                .ok()
        });
        for (what, values) in [("names", &self.names), ("serials", &self.serials)] {
            if let Some(beyond) = values.0.get(MAX) {
                problems.error(
                    beyond.place,
                    format!("more than {MAX} {what}"),
                    "revoke by the authority's list",
                );
            }
        }
        let mut names = BTreeSet::new();
        for text in self.names.0 {
            let name = text.split_once('/').and_then(|(role, name)| Some((role.parse().ok()?, name)));
            match name.map(|(role, name)| Name::new(site, role, name)) {
                Some(Ok(name)) if name.role != Role::Gateway => drop(names.insert((name.role, name.name))),
                _ => {
                    let what = format!("`{}` is the name of no agent or client", text.value);
                    problems.error(text.place, what, "write `agent/NAME` or `client/NAME`");
                }
            }
        }
        let mut serials = BTreeSet::new();
        for text in self.serials.0 {
            let digits = text.to_ascii_lowercase().replace(':', "");
            let digits = digits.trim_start_matches('0');
            if digits.is_empty()
                || digits.len() > 40
                || !digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            {
                let what = format!("`{}` is no serial number", text.value);
                problems.error(
                    text.place,
                    what,
                    "write its hexadecimal digits, as `wicketgate ca issue` shows them",
                );
            }
            serials.insert(digits.to_owned());
        }
        Revocations { list, names, serials }
    }
}

impl Revocations {
    /// Whether this party is not accepted any more.
    pub fn covers(&self, name: &Name, serial: &str) -> bool {
        self.names.contains(&(name.role, name.name.clone()))
            || self.serials.contains(serial)
            || self.list.as_ref().and_then(|list| list.current()).is_some_and(|list| list.covers(serial))
    }
}

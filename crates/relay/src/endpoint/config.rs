//! What the configurations of agents and clients have in common, and how such a file is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wicketgate_admission::fetch::{FetchConfig, RawFetch};
use wicketgate_config::{At, OneOrMany, Place, Problems, Report, Sources, Time, Toggle};

use crate::carrier::keepalive::RawKeepalive;
use crate::carrier::proxy::config::{RawProxy, check as check_proxy};
use crate::carrier::{Dialer, Gateway, Kind, Kinds, Proxy};
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
    /// The kinds of carriers that are dialled: `tls`, which is TLS with the gateway itself, and `websocket`, which passes whatever ends
    /// TLS. Of both, the first that proves a gateway is taken, `tls` having a head start. Default: both.
    #[serde(default)]
    pub carriers: Option<OneOrMany<At<Kind>>>,
    /// The proxy on the way out.
    #[serde(default)]
    pub proxy: Option<At<Toggle<RawProxy>>>,
    /// Where carrier `tls` was passed by, how long until it is tried again, 1s to 1d.
    #[serde(default = "ten_minutes")]
    pub retry_tls: At<Time>,
    /// How it sees that a connection is dead, and keeps one alive.
    #[serde(default)]
    pub keepalive: RawKeepalive,
}

fn ten_minutes() -> At<Time> {
    At::nowhere(Time::secs(600))
}

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

impl RawGateway {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, identity: Option<&Identity>, problems: &mut Problems) -> Option<Dialer> {
        let https: Option<FetchConfig> = self.https.value.check(self.https.place, problems);
        let kinds = Kinds::check(self.carriers, self.url.place, problems);
        let retry = problems.in_range("retry_tls", &self.retry_tls, Time::secs(1)..=Time::secs(86_400)).0;
        let keepalive = self.keepalive.check(problems);
        let gateway = Gateway::parse(&self.url).map_err(|why| {
            let what = format!("`{}` is no gateway: {why}", self.url.value);
            problems.error(self.url.place, what, "write `https://HOST/PATH`");
        });
        let gateway = gateway.ok()?;
        let proxy = proxy(self.proxy, &gateway, problems);
        let gateway = gateway.through(proxy);
        if !gateway.is_secure() && !kinds.allows(Kind::WebSocket) {
            let what = "carrier `tls` does not go to `http://`";
            problems.error(self.url.place, what, "write `https://HOST/PATH`, or allow `websocket`");
        }
        match identity?.carrier() {
            Ok(own) => Some(Dialer::new(gateway, &https?, own, kinds, retry, keepalive)),
            Err(error) => {
                problems.error(
                    self.url.place,
                    format!("TLS cannot be set up: {error}"),
                    "issue the identity anew",
                );
                None
            }
        }
    }
}

/// The proxy on the way to a gateway; what is wrong goes to `problems`.
pub fn proxy(raw: Option<At<Toggle<RawProxy>>>, gateway: &Gateway, problems: &mut Problems) -> Option<Proxy> {
    check_proxy(raw, gateway.place(), &|name| std::env::var(name).ok(), problems)
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

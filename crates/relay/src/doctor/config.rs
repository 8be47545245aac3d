//! What the doctor is told: a URL, and perhaps the file of an agent or a client.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use wicketgate_admission::fetch::RawFetch;
use wicketgate_config::{At, Place, Problems, Time, Toggle};

use super::Doctor;
use crate::carrier::Gateway;
use crate::carrier::proxy::config::RawProxy;
use crate::endpoint::config::{RawGateway, proxy};
use crate::identity::IdentityFiles;
use crate::name::Role;
use crate::probe::MAX_IDLE;

/// What the files of agents and clients have in common; what else stands there is none of the doctor's.
#[derive(Clone, Debug, Deserialize)]
pub struct RawEndpoint {
    gateway: RawGateway,
    identity: At<PathBuf>,
}

/// What is asked for on the command line.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The gateway; else that of the file.
    pub gateway: Option<Gateway>,
    /// The authorities to trust in front of it; else those of the file, or the system's.
    pub ca: Option<PathBuf>,
    /// The proxy on the way out; else that of the file, or of the environment.
    pub proxy: Option<Toggle<RawProxy>>,
    /// How long each step may take; else as the file says, or 5s.
    pub timeout: Option<Time>,
    /// Up to which time of silence the idle limit is looked for.
    pub idle: Option<Time>,
}

impl RawEndpoint {
    /// Checks the values and reads the identity; what is wrong goes to `problems`.
    pub fn check(self, wish: Wish, problems: &mut Problems) -> Option<Doctor> {
        let gateway = match wish.gateway.clone() {
            Some(gateway) => Some(gateway),
            None => Gateway::parse(&self.gateway.url)
                .map_err(|why| {
                    let what = format!("`{}` is no gateway: {why}", self.gateway.url.value);
                    problems.error(self.gateway.url.place, what, "write `https://HOST/PATH`");
                })
                .ok(),
        };
        let identity = match IdentityFiles::in_folder(&self.identity).load() {
            Ok(identity) if identity.name.role != Role::Gateway => Some(identity),
            Ok(identity) => {
                let what = format!("`{}` is the name of no agent or client", identity.name);
                problems.error(self.identity.place, what, "make one: wicketgate ca issue client NAME");
                None
            }
            Err(fault) => {
                problems.error(self.identity.place, fault.to_string(), fault.help);
                None
            }
        };
        let RawGateway { https, proxy, .. } = self.gateway;
        let doctor = wish.check(gateway, proxy, https.value, https.place, problems)?;
        Some(Doctor { identity: Some(Arc::new(identity?)), ..doctor })
    }
}

impl Wish {
    /// Checks the values where there is no file.
    pub fn alone(self, problems: &mut Problems) -> Option<Doctor> {
        let gateway = self.gateway.clone();
        self.check(gateway, None, RawFetch::default(), Place::UNKNOWN, problems)
    }

    fn check(
        self,
        gateway: Option<Gateway>,
        in_file: Option<At<Toggle<RawProxy>>>,
        https: RawFetch,
        place: Place,
        problems: &mut Problems,
    ) -> Option<Doctor> {
        let https = RawFetch {
            ca: self.ca.map(At::nowhere).or(https.ca),
            timeout: self.timeout.map(At::nowhere).or(https.timeout),
            ..https
        };
        let idle = self.idle.map(|idle| {
            let longest = Time(MAX_IDLE);
            problems.in_range("idle", &At::nowhere(idle), Time(Duration::from_secs(1))..=longest).0
        });
        let https = https.check(place, problems);
        let (named, gateway) = (self.proxy.map(At::nowhere).or(in_file), gateway?);
        let proxy = proxy(named, &gateway, problems);
        let gateway = gateway.through(proxy);
        Some(Doctor { gateway, https: https?, identity: None, idle })
    }
}

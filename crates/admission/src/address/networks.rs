//! Which networks may use a route.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Network, Place, Problems};

/// Which networks may use the route, by the client's address. Others are answered 403.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawNetworks {
    /// Only these networks. A client whose address is not known, as on a Unix socket, is in none. All of them, where this is
    /// left out.
    pub allow: Option<At<Vec<Network>>>,
    /// All but these networks; it wins over `allow`.
    pub deny: Vec<Network>,
}

/// Which networks may use a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Only these; `None` for all.
    pub allow: Option<Vec<Network>>,
    /// All but these.
    pub deny: Vec<Network>,
}

impl RawNetworks {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, place: Place, problems: &mut Problems) -> Networks {
        let nobody = self.allow.as_ref().filter(|allow| allow.is_empty());
        if let Some(nobody) = nobody {
            let what = "no network is allowed, so nobody may use the route";
            problems.error(nobody.place, what, "list networks, or remove `allow`");
        } else if self.allow.is_none() && self.deny.is_empty() {
            problems.error(place, "no network is named here", "write `allow: [10.0.0.0/8]` or `deny: [...]`");
        }
        Networks { allow: self.allow.map(|allow| allow.value), deny: self.deny }
    }
}

impl Networks {
    /// Whether a client at this address may use the route.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let is_in = |networks: &[Network]| {
            address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
        };
        !is_in(&self.deny) && self.allow.as_deref().is_none_or(is_in)
    }
}

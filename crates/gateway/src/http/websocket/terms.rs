//! What extensions run on a session, and between whom.

use wicketgate_wire::Rsv;
use wicketgate_wire::deflate::{Params, Window, WindowBits, negotiate::NAME};
use wicketgate_wire::handshake::{Extension, Upgrade};

use crate::http::refusal::Refused;
use crate::pump::config::{Mode, WebSocketConfig};

/// What the extensions come to on both sides of the gateway.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// What the client is answered.
    pub(super) answer: Vec<Extension>,
    /// The reserved bits of frames on the client's side, and on the upstream's.
    pub(super) client_rsv: Rsv,
    pub(super) upstream_rsv: Rsv,
    /// permessage-deflate as negotiated with each side by the gateway itself.
    pub(super) client: Option<Params>,
    pub(super) upstream: Option<Params>,
}

/// What is offered to the upstream, and on which terms.
pub(super) enum Terms {
    /// Extensions run between client and upstream; the gateway lets their bits pass.
    EndToEnd(Vec<Extension>),
    /// The gateway inflates on its own; with the client it has agreed on this.
    PerSide(Option<(Params, Extension)>),
}

/// Without context takeover each message can be inflated by itself, dropped, or passed on as it came.
const OWN_TERMS: Params = Params {
    server: Window { bits: WindowBits::MAX, takeover: false },
    client: Window { bits: WindowBits::MAX, takeover: false },
};

pub(super) fn negotiate(upgrade: &Upgrade, config: &WebSocketConfig) -> Terms {
    let is_deflate = |extension: &Extension| extension.name == NAME;
    match config.mode {
        Mode::Headers => {
            let passes = |extension: &&Extension| match is_deflate(extension) {
                // RFC 7692 section 7.1: parameters that are wrong or out of range decline the offer. A backend might not
                // look as closely.
                true => config.compression && Params::default().accept(extension).is_ok(),
                false => {
                    config.extensions.iter().any(|name| extension.name.as_str().eq_ignore_ascii_case(name))
                }
            };
            Terms::EndToEnd(upgrade.extensions.iter().filter(passes).cloned().collect())
        }
        Mode::Messages if config.compression => Terms::PerSide(OWN_TERMS.choose(&upgrade.extensions)),
        Mode::Messages => Terms::PerSide(None),
    }
}

impl Terms {
    pub(super) fn offer(&self) -> Vec<Extension> {
        match self {
            Self::EndToEnd(extensions) => extensions.clone(),
            // The client's windows are asked of the upstream too, so that messages can go on as they came.
            Self::PerSide(agreed) => agreed.iter().map(|(params, _)| params.offer()).collect(),
        }
    }

    /// What the upstream's choice makes of it.
    pub(super) fn settle(self, chosen: &[Extension]) -> Result<Extensions, Refused> {
        match self {
            Self::EndToEnd(_) => {
                for extension in chosen.iter().filter(|extension| extension.name == NAME) {
                    Params::default().confirm(extension).map_err(Refused::Deflate)?;
                }
                let rsv = match chosen {
                    [] => Rsv::NONE,
                    [only] if only.name == NAME => Rsv::RSV1,
                    _ => Rsv::ALL,
                };
                Ok(Extensions {
                    answer: chosen.to_vec(),
                    client_rsv: rsv,
                    upstream_rsv: rsv,
                    ..Extensions::default()
                })
            }
            Self::PerSide(None) => Ok(Extensions::default()),
            Self::PerSide(Some((params, answer))) => {
                let confirm = |extension| params.confirm(extension).map_err(Refused::Deflate);
                let upstream = chosen.first().map(confirm).transpose()?;
                Ok(Extensions {
                    answer: vec![answer],
                    client_rsv: Rsv::RSV1,
                    upstream_rsv: if upstream.is_some() { Rsv::RSV1 } else { Rsv::NONE },
                    client: Some(params),
                    upstream,
                })
            }
        }
    }
}

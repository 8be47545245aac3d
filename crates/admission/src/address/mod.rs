//! Where a client really is: its connection's address, or what a trusted proxy in front of it says.

mod config;
mod element;
mod networks;

use std::net::IpAddr;

use http::header::{FORWARDED, HeaderMap, HeaderName};

pub use config::{AddressHeader, Missing, RawTrustedProxies, TrustedProxies};
pub use networks::{Networks, RawNetworks};

use self::element::{Element, Node};
use crate::refusal::Refusal;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");
const TRUE_CLIENT_IP: HeaderName = HeaderName::from_static("true-client-ip");

/// What a trusted proxy says about the client that it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The client's address; none where the proxy does not know it, or does not tell.
    pub address: Option<IpAddr>,
    /// Whether the client's side is TLS. Not so without a word about it.
    pub secure: bool,
}

impl TrustedProxies {
    /// What the connection's peer says about the client; `None` where it is no trusted proxy, or speaks for itself. A peer
    /// without an address came by a Unix socket, whose file permissions say who may.
    ///
    /// # Errors
    /// A trusted proxy's headers that cannot be read, or that two readers could read differently.
    pub fn told(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Option<Told>, Refusal> {
        if !self.trusts_peer(peer) {
            return Ok(None);
        }
        let found = match self.header {
            AddressHeader::XForwardedFor => {
                self.client_in(headers, &X_FORWARDED_FOR, element::x_forwarded_for)?
            }
            AddressHeader::Forwarded => self.client_in(headers, &FORWARDED, element::forwarded)?,
            AddressHeader::CfConnectingIp => alone(headers, &CF_CONNECTING_IP)?,
            AddressHeader::TrueClientIp => alone(headers, &TRUE_CLIENT_IP)?,
        };
        let Some(Element { node, secure }) = found else {
            return match self.missing {
                Missing::Refuse => Err(Refusal::Forwarded("no header about the client")),
                Missing::Proxy => Ok(None),
            };
        };
        let secure = match self.header {
            AddressHeader::Forwarded => secure,
            _ => proto(headers)?,
        };
        Ok(Some(Told { address: node.address(), secure: secure.unwrap_or(false) }))
    }

    /// Whether a connection's peer is one of them. One without an address came by a Unix socket.
    pub fn trusts_peer(&self, peer: Option<IpAddr>) -> bool {
        peer.is_none_or(|peer| self.trusts(peer))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.from.iter().any(|network| network.contains(address))
    }

    /// The client in a list to which every proxy added whom it heard: read from its end, for what stands before the first
    /// stranger is that stranger's own word.
    fn client_in(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        read: impl Fn(&str) -> Result<Element, Refusal>,
    ) -> Result<Option<Element>, Refusal> {
        let mut farthest = None;
        let mut hops = 0;
        for line in headers.get_all(name).iter().rev() {
            let line = line.to_str().map_err(|_| Refusal::Forwarded("characters that are not ASCII"))?;
            for text in line.rsplit(',') {
                let element = read(text.trim_matches([' ', '\t']))?;
                hops += 1;
                let is_client = match (self.hops, element.node) {
                    (Some(expected), _) => hops == expected,
                    (None, Node::Address(address)) => !self.trusts(address),
                    (None, Node::Unknown) => true,
                };
                if is_client {
                    return Ok(Some(element));
                }
                farthest = Some(element);
            }
        }
        match (self.hops, farthest) {
            (Some(_), Some(_)) => Err(Refusal::Forwarded("fewer proxies than `hops` says")),
            // Trusted proxies alone: the one that began it is the client.
            (_, farthest) => Ok(farthest),
        }
    }
}

/// The only value of a header that has one.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(Refusal::Forwarded("a header twice that has one value"));
    }
    line.to_str().map(Some).map_err(|_| Refusal::Forwarded("characters that are not ASCII"))
}

fn alone(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Element>, Refusal> {
    let Some(text) = only(headers, name)? else { return Ok(None) };
    let address: IpAddr = text.parse().map_err(|_| Refusal::Forwarded("no address"))?;
    Ok(Some(Element { node: Node::Address(address.to_canonical()), secure: None }))
}

fn proto(headers: &HeaderMap) -> Result<Option<bool>, Refusal> {
    only(headers, &X_FORWARDED_PROTO)?.map(element::is_secure).transpose()
}

#[cfg(test)]
mod tests;

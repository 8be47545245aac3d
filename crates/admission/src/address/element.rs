//! One proxy's word about whom it heard: an element of `X-Forwarded-For` or `Forwarded`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::refusal::Refusal;

/// Whom a proxy heard, and whether by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) node: Node,
    pub(super) secure: Option<bool>,
}

/// RFC 7239 section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// An address, in IPv4 where it is one mapped into IPv6.
    Address(IpAddr),
    /// `unknown`, or an identifier that stands for an address and does not tell it.
    Unknown,
}

impl Node {
    pub(super) const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Unknown => None,
        }
    }
}

/// An element of `X-Forwarded-For`: an address, with or without a port, an IPv6 address with or without brackets.
pub(super) fn x_forwarded_for(text: &str) -> Result<Element, Refusal> {
    let node = match text.parse::<Ipv6Addr>() {
        Ok(address) => Node::Address(IpAddr::V6(address).to_canonical()),
        Err(_) => node(text)?,
    };
    Ok(Element { node, secure: None })
}

/// An element of `Forwarded` (RFC 7239 section 4): pairs of names and values, each name once, `for` among them.
///
/// The list was split at every comma, also at one in a quoted string. None that names a host, port or scheme has one; so
/// no open quote of a client's can swallow what a proxy adds behind it.
pub(super) fn forwarded(text: &str) -> Result<Element, Refusal> {
    let (mut client, mut secure, mut by, mut host) = (None, None, None, None);
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=').ok_or(Refusal::Forwarded("a parameter without a value"))?;
        let (value, after) = value(after)?;
        let slot = match name {
            _ if name.eq_ignore_ascii_case("for") => &mut client,
            _ if name.eq_ignore_ascii_case("proto") => &mut secure,
            _ if name.eq_ignore_ascii_case("by") => &mut by,
            _ if name.eq_ignore_ascii_case("host") => &mut host,
            _ if !name.is_empty() && name.bytes().all(is_token) => &mut None,
            _ => return Err(Refusal::Forwarded("a parameter without a name")),
        };
        if slot.replace(value).is_some() {
            return Err(Refusal::Forwarded("a parameter twice"));
        }
        match after.strip_prefix(';') {
            Some(more) => rest = more,
            None if after.is_empty() => break,
            None => return Err(Refusal::Forwarded("something behind a value")),
        }
    }
    let node = node(&client.ok_or(Refusal::Forwarded("no `for`"))?)?;
    Ok(Element { node, secure: secure.map(|proto| is_secure(&proto)).transpose()? })
}

/// Whether a scheme is that of TLS.
pub(super) fn is_secure(scheme: &str) -> Result<bool, Refusal> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    match (is("https") || is("wss"), is("http") || is("ws")) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(Refusal::Forwarded("a scheme that is neither http nor https")),
    }
}

/// A token or quoted string at the beginning of `text`, and what follows it.
fn value(text: &str) -> Result<(String, &str), Refusal> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
        return match text.split_at(end) {
            ("", _) => Err(Refusal::Forwarded("an empty value")),
            (value, rest) => Ok((value.to_owned(), rest)),
        };
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    Err(Refusal::Forwarded("a quoted string without its end"))
}

/// RFC 7239 section 6: an address with an optional port, an IPv6 address in brackets; `unknown`; or `_` and an identifier.
fn node(text: &str) -> Result<Node, Refusal> {
    const NO_NODE: Refusal = Refusal::Forwarded("no address");
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(NO_NODE)?;
            let address: Ipv6Addr = address.parse().map_err(|_| NO_NODE)?;
            if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
                return Err(Refusal::Forwarded("no port"));
            }
            return Ok(Node::Address(IpAddr::V6(address).to_canonical()));
        }
        None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
    };
    if !port.is_none_or(is_port) {
        return Err(Refusal::Forwarded("no port"));
    }
    if name.eq_ignore_ascii_case("unknown") || name.strip_prefix('_').is_some_and(is_obfuscated) {
        return Ok(Node::Unknown);
    }
    name.parse::<Ipv4Addr>().map(|address| Node::Address(address.into())).map_err(|_| NO_NODE)
}

/// Digits, or `_` and an identifier.
fn is_port(text: &str) -> bool {
    let is_number = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && text.parse::<u16>().is_ok()) || text.strip_prefix('_').is_some_and(is_obfuscated)
}

fn is_obfuscated(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

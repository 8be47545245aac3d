//! Who is who at a site: the SPIFFE names of agents, clients and gateways.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of a site, in bytes (SPIFFE-ID, section 2.1).
const MAX_SITE: usize = 255;
/// The longest name of one party, in bytes.
const MAX_NAME: usize = 128;

/// What a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// On the machine to be reached.
    Agent,
    /// On the side of whoever reaches it.
    Client,
    /// Between them.
    Gateway,
    /// The site's authority, while it lets others join.
    Authority,
}

impl Role {
    /// As it stands in names.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Authority => "authority",
        }
    }
}

impl FromStr for Role {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        [Self::Agent, Self::Client, Self::Gateway, Self::Authority]
            .into_iter()
            .find(|role| role.label() == text)
            .ok_or(NameError::Role)
    }
}

/// The name of a party: `spiffe://SITE/ROLE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The trust domain: what the site's authority speaks for.
    pub site: Arc<str>,
    /// What the party is.
    pub role: Role,
    /// Its own name: letters, digits, `-`, `_` and `.`.
    pub name: Arc<str>,
}

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It does not begin as one.
    #[error("a name is written spiffe://SITE/ROLE/NAME")]
    Form,
    /// The site.
    #[error("a site has 1 to {MAX_SITE} characters: a-z, 0-9, `-`, `_` and `.`")]
    Site,
    /// The role.
    #[error("a role is `agent`, `client`, `gateway` or `authority`")]
    Role,
    /// The party's own name.
    #[error(
        "a name has 1 to {MAX_NAME} characters: letters, digits, `-`, `_` and `.`, and is not `.` or `..`"
    )]
    Name,
}

impl Name {
    /// A name of these parts.
    ///
    /// # Errors
    /// A part that cannot stand in a name.
    pub fn new(site: &str, role: Role, name: &str) -> Result<Self, NameError> {
        let is_site = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        if site.is_empty() || site.len() > MAX_SITE || !site.bytes().all(is_site) {
            return Err(NameError::Site);
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if matches!(name, "" | "." | "..") || name.len() > MAX_NAME || !name.bytes().all(is_name) {
            return Err(NameError::Name);
        }
        Ok(Self { site: site.into(), role, name: name.into() })
    }

    /// Another party of the same site.
    ///
    /// # Errors
    /// A text that is no name.
    pub fn peer(&self, role: Role, name: &str) -> Result<Self, NameError> {
        Self::new(&self.site, role, name)
    }
}

/// Whether a text can be the name of a service: 1 to 128 letters, digits, `-`, `_` and `.`.
pub fn is_service(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(is_name)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/{}/{}", self.site, self.role.label(), self.name)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let rest = text.strip_prefix("spiffe://").ok_or(NameError::Form)?;
        let mut parts = rest.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(site), Some(role), Some(name)) => Self::new(site, role.parse()?, name),
            _ => Err(NameError::Form),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let name = Name::new("site.example", Role::Agent, "office-pc").unwrap();
        assert_eq!(name.to_string(), "spiffe://site.example/agent/office-pc");
        assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
        assert_eq!(
            name.peer(Role::Client, "Alice").unwrap().to_string(),
            "spiffe://site.example/client/Alice"
        );
        for (text, error) in [
            ("https://site/agent/a", NameError::Form),
            ("spiffe://site/agent", NameError::Form),
            ("spiffe://Site/agent/a", NameError::Site),
            ("spiffe:///agent/a", NameError::Site),
            ("spiffe://site/admin/a", NameError::Role),
            ("spiffe://site/agent/", NameError::Name),
            ("spiffe://site/agent/..", NameError::Name),
            ("spiffe://site/agent/a/b", NameError::Name),
            ("spiffe://site/agent/a b", NameError::Name),
        ] {
            assert_eq!(text.parse::<Name>().unwrap_err(), error, "{text}");
        }
    }
}

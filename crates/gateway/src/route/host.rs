//! One spelling for every host.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Why a `Host` or `:authority` is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing before the port.
    #[error("the host is empty")]
    Empty,
    /// A character that no host name has, user information among them, or an address in brackets that is none.
    #[error("the host has a character that no host name has")]
    BadName,
    /// What follows the colon is no port.
    #[error("the port is no number from 0 to 65535")]
    BadPort,
    /// More than 253 bytes.
    #[error("the host is longer than 253 bytes")]
    TooLong,
}

/// The longest name by RFC 1035.
const MAX_NAME: usize = 253;

/// The host of `authority` (a `Host` header or `:authority`) in lower case, without its port and without a dot at
/// its end; an IPv6 address in its brackets. Nothing is allocated for a host in lower case.
pub fn normalise_host(authority: &str) -> Result<Cow<'_, str>, HostError> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(_) => {
            let end = authority.find(']').ok_or(HostError::BadName)? + 1;
            (&authority[..end], &authority[end..])
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            if !digits.is_empty() && digits.parse::<u16>().is_err() {
                return Err(HostError::BadPort);
            }
        }
        None if port.is_empty() => {}
        _ => return Err(HostError::BadPort),
    }
    if name.starts_with('[') {
        let address: Ipv6Addr = name[1..name.len() - 1].parse().map_err(|_| HostError::BadName)?;
        let one = format!("[{address}]");
        return Ok(if one == name { Cow::Borrowed(name) } else { Cow::Owned(one) });
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    match name.len() {
        0 => return Err(HostError::Empty),
        length if length > MAX_NAME => return Err(HostError::TooLong),
        _ => {}
    }
    let is_good = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !name.split('.').all(is_good) {
        return Err(HostError::BadName);
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Ok(Cow::Owned(name.to_ascii_lowercase()));
    }
    Ok(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling_for_every_host() {
        for (authority, want) in [
            ("a.example", "a.example"),
            ("A.Example.:443", "a.example"),
            ("a_b.example:", "a_b.example"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("[0:0::1]", "[::1]"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(normalise_host(authority).as_deref(), Ok(want), "{authority}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        use HostError::*;
        let long = "a.".repeat(127);
        for (authority, want) in [
            ("", Empty),
            (":80", Empty),
            (".", Empty),
            ("a..b", BadName),
            ("a.example..", BadName),
            ("user@a.example", BadName),
            ("a b", BadName),
            ("a/b", BadName),
            ("é.example", BadName),
            ("[::1", BadName),
            ("[x]", BadName),
            ("[]", BadName),
            ("a:b", BadPort),
            ("a:80:80", BadPort),
            ("a:65536", BadPort),
            ("[::1]x", BadPort),
            (&format!("{long}aa"), TooLong),
        ] {
            assert_eq!(normalise_host(authority), Err(want), "{authority}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = normalise_host(&text);
            let _ = normalise_host(&format!("[{text}"));
        }

        #[test]
        fn twice_is_once(text in "[\\[a-zA-Z0-9._:\\]-]{0,30}") {
            if let Ok(once) = normalise_host(&text) {
                let twice = normalise_host(&once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once));
            }
        }
    }
}

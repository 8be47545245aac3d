//! Which target gets the next session: no sockets, no clock.

mod hash;
mod load;
mod round_robin;

use std::net::IpAddr;

use http::HeaderName;
use http::header::COOKIE;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use hash::Rendezvous;
use load::{LeastConnections, TwoChoices};
use round_robin::RoundRobin;

/// How sessions and requests are spread over the targets. Weights count in all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Each in turn, evenly mixed.
    #[default]
    RoundRobin,
    /// The one with the fewest open sessions for its weight; in turn among equals.
    LeastConnections,
    /// The less busy of two drawn at random: nearly as even, and no herd where several gateways share the targets.
    PowerOfTwoChoices,
    /// The same key goes to the same target (rendezvous hashing): when a target leaves, only its own keys move.
    ConsistentHash(HashBy),
}

/// What makes the key of `consistent_hash`. A request without it is spread at random.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashBy {
    /// The client's address, without the port.
    Address,
    /// The path, without the query.
    Path,
    /// The first value of a request header.
    Header(
        #[serde(deserialize_with = "header_name", serialize_with = "header_text")]
        #[schemars(with = "String")]
        HeaderName,
    ),
    /// The value of a cookie.
    Cookie(String),
}

/// The key by which a request sticks to a target; taken before the request is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affinity(u64);

impl Affinity {
    /// A key drawn at random: sticks to nothing.
    pub fn none() -> Self {
        Self(rand::random())
    }

    /// The key for these bytes; the same in every process.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hash::fingerprint(bytes))
    }
}

impl Balance {
    /// The key of a request under this policy.
    pub fn affinity(&self, client: Option<IpAddr>, request: &Parts) -> Affinity {
        let Self::ConsistentHash(by) = self else { return Affinity(0) };
        let key = match by {
            HashBy::Address => client.map(|address| match address {
                IpAddr::V4(v4) => Affinity::of(&v4.octets()),
                IpAddr::V6(v6) => Affinity::of(&v6.octets()),
            }),
            HashBy::Path => Some(Affinity::of(request.uri.path().as_bytes())),
            HashBy::Header(name) => request.headers.get(name).map(|value| Affinity::of(value.as_bytes())),
            HashBy::Cookie(name) => cookie(request, name).map(Affinity::of),
        };
        key.unwrap_or_else(Affinity::none)
    }
}

/// A target as the balancer sees it: a lasting name and a weight.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// What consistent hashing knows it by, whatever its place in the list.
    pub name: &'a str,
    /// Its share, from 1.
    pub weight: u32,
}

/// A balance policy and what it remembers.
#[derive(Debug)]
pub enum Balancer {
    /// See [`Balance::RoundRobin`].
    RoundRobin(RoundRobin),
    /// See [`Balance::LeastConnections`].
    LeastConnections(LeastConnections),
    /// See [`Balance::PowerOfTwoChoices`].
    TwoChoices(TwoChoices),
    /// See [`Balance::ConsistentHash`].
    ConsistentHash(Rendezvous),
}

impl Balancer {
    /// A balancer over these targets; a pick answers with an index into them. O(targets) memory and time per pick.
    pub fn new(balance: &Balance, members: &[Member<'_>]) -> Self {
        let weights = members.iter().map(|m| m.weight.max(1)).collect();
        match balance {
            Balance::RoundRobin => Self::RoundRobin(RoundRobin::new(weights)),
            Balance::LeastConnections => Self::LeastConnections(LeastConnections::new(weights)),
            Balance::PowerOfTwoChoices => Self::TwoChoices(TwoChoices::new(weights)),
            Balance::ConsistentHash(_) => Self::ConsistentHash(Rendezvous::new(members)),
        }
    }

    /// Picks a target. `open` gives the open sessions of a target, `None` for one that must not be picked.
    pub fn pick(&self, affinity: Affinity, open: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        match self {
            Self::RoundRobin(policy) => policy.pick(|index| open(index).is_some()),
            Self::LeastConnections(policy) => policy.pick(open),
            Self::TwoChoices(policy) => policy.pick(&mut rand::rng(), open),
            Self::ConsistentHash(policy) => policy.pick(affinity.0, |index| open(index).is_some()),
        }
    }
}

fn cookie<'a>(request: &'a Parts, name: &str) -> Option<&'a [u8]> {
    let pairs =
        request.headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|&b| b == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| {
        let (key, value) = pair.split_at_checked(name.len())?;
        if key == name.as_bytes() { value.strip_prefix(b"=") } else { None }
    })
}

fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom(format!("`{text}` is no header name")))
}

fn header_text<S: Serializer>(name: &HeaderName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::Request;

    use super::*;

    fn request(path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().uri(path);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_key_is_what_the_policy_names() {
        let by = Balance::ConsistentHash;
        let parts = request("/room/7?token=a", &[("x-user", "ann"), ("cookie", "a=1; session=xyz; b=2")]);
        let address: IpAddr = [192, 0, 2, 7].into();
        assert_eq!(by(HashBy::Address).affinity(Some(address), &parts), Affinity::of(&[192, 0, 2, 7]));
        assert_eq!(by(HashBy::Path).affinity(None, &parts), Affinity::of(b"/room/7"));
        let header = HashBy::Header(HeaderName::from_static("x-user"));
        assert_eq!(by(header).affinity(None, &parts), Affinity::of(b"ann"));
        assert_eq!(by(HashBy::Cookie("session".into())).affinity(None, &parts), Affinity::of(b"xyz"));
    }

    #[test]
    fn a_request_without_the_key_sticks_to_nothing() {
        let policy = Balance::ConsistentHash(HashBy::Cookie("session".into()));
        let parts = request("/", &[("cookie", "sessions=1; xsession=2; session")]);
        assert_ne!(policy.affinity(None, &parts), policy.affinity(None, &parts));
    }

    #[test]
    fn every_policy_skips_what_must_not_be_picked() {
        let members: Vec<_> = ["a", "b", "c", "d"].map(|name| Member { name, weight: 3 }).into();
        let policies = [
            Balance::RoundRobin,
            Balance::LeastConnections,
            Balance::PowerOfTwoChoices,
            Balance::ConsistentHash(HashBy::Path),
        ];
        for policy in policies {
            let balancer = Balancer::new(&policy, &members);
            for _ in 0..100 {
                let only_c = balancer.pick(Affinity::none(), |index| (index == 2).then_some(0));
                assert_eq!(only_c, Some(2), "{policy:?}");
                assert_eq!(balancer.pick(Affinity::none(), |_| None), None, "{policy:?}");
            }
        }
    }
}

//! Texts with parts of the request in them: `https://{host}{path_and_query}`.

use std::fmt::Write as _;
use std::net::IpAddr;

/// The parts of a request that a template may use.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The client's address, as far as it is believed; none on a Unix socket.
    pub client_address: Option<IpAddr>,
    /// `http` or `https`, by the client's side.
    pub scheme: &'a str,
    /// The host, normalised; empty where the request names none.
    pub host: &'a str,
    /// The path, normalised.
    pub path: &'a str,
    /// The query without its `?`.
    pub query: Option<&'a str>,
    /// The name of the route.
    pub route: &'a str,
}

/// A text with parts of the request in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(Part),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    ClientAddress,
    Scheme,
    Host,
    Path,
    PathAndQuery,
    Query,
    Route,
}

const PARTS: [(&str, Part); 7] = [
    ("client_address", Part::ClientAddress),
    ("scheme", Part::Scheme),
    ("host", Part::Host),
    ("path", Part::Path),
    ("path_and_query", Part::PathAndQuery),
    ("query", Part::Query),
    ("route", Part::Route),
];

impl Template {
    /// Reads a text with `{host}` and the like; `{{` and `}}` stand for the braces themselves.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = match (brace, rest.split_once('}')) {
                ("{", Some(split)) => split,
                _ => {
                    return Err(format!(
                        "a single `{brace}`; write `{brace}{brace}` for the character itself"
                    ));
                }
            };
            let Some((_, part)) = PARTS.iter().find(|(known, _)| *known == name) else {
                let known: Vec<String> = PARTS.iter().map(|(known, _)| format!("`{{{known}}}`")).collect();
                return Err(format!("there is no `{{{name}}}`, only {}", known.join(", ")));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Part(*part));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }

    /// The text, if it has no parts of the request in it.
    pub fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with the parts filled in.
    pub fn render(&self, scope: &Scope<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Part(part) => scope.write(*part, &mut out),
            }
        }
        out
    }
}

impl Scope<'_> {
    fn write(&self, part: Part, out: &mut String) {
        match part {
            Part::ClientAddress => {
                if let Some(address) = self.client_address {
                    let _ = write!(out, "{address}");
                }
            }
            Part::Scheme => out.push_str(self.scheme),
            Part::Host => out.push_str(self.host),
            Part::Path => out.push_str(self.path),
            Part::PathAndQuery => {
                out.push_str(self.path);
                if let Some(query) = self.query {
                    out.push('?');
                    out.push_str(query);
                }
            }
            Part::Query => out.push_str(self.query.unwrap_or_default()),
            Part::Route => out.push_str(self.route),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SCOPE: Scope<'_> = Scope {
        client_address: Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        scheme: "https",
        host: "a.example",
        path: "/p",
        query: Some("q=1"),
        route: "r",
    };

    #[test]
    fn parts_are_filled_in() {
        for (text, want) in [
            ("", ""),
            ("plain", "plain"),
            ("{scheme}://{host}{path_and_query}", "https://a.example/p?q=1"),
            ("{client_address} {route} {path} {query}", "127.0.0.1 r /p q=1"),
            ("{{host}} {{{host}}}", "{host} {a.example}"),
        ] {
            assert_eq!(Template::parse(text).unwrap().render(&SCOPE), want, "{text}");
        }
        let none = Scope { query: None, client_address: None, ..SCOPE };
        assert_eq!(Template::parse("{path_and_query}|{client_address}").unwrap().render(&none), "/p|");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in ["{", "}", "a}b", "{host", "{Host}", "{}", "{host}}", "{é}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}

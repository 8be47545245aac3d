//! What an answer to the request for a WebSocket says of the way.

use std::time::{Duration, SystemTime};

use http::header::{AGE, DATE, HeaderName, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode, Version};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use wicketgate_wire::handshake::AnswerError;

use super::clean;
use super::exchange::{Answer, Upgrade};
use super::finding::{Check, Finding};
use crate::carrier::websocket::SUBPROTOCOL;

/// How far clocks may be apart: what certificates and tickets bear.
const APART: Duration = Duration::from_secs(120);
/// The most headers of an answer that are shown.
const MAX_SHOWN: usize = 64;

/// An answer as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its status.
    pub status: u16,
    /// Its version of HTTP.
    pub version: String,
    /// Its headers, cleaned; secrets among them masked.
    pub headers: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn told(&self) -> Told {
        let shown = |(name, value): (&HeaderName, &http::HeaderValue)| {
            let value = match name.as_str() {
                // The name of a cookie tells the product; its value may be a session.
                "set-cookie" => {
                    let name = value.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
                    format!("{}=***", clean::bytes(name))
                }
                _ => clean::bytes(value.as_bytes()),
            };
            (name.as_str().to_owned(), value)
        };
        Told {
            status: self.status.as_u16(),
            version: format!("{:?}", self.version),
            headers: self.headers.iter().take(MAX_SHOWN).map(shown).collect(),
        }
    }

    /// The status, and who says it.
    fn line(&self) -> String {
        let server = self.headers.get(http::header::SERVER);
        let server =
            server.map(|server| format!(" from {}", clean::bytes(server.as_bytes()))).unwrap_or_default();
        format!("{}{server}", self.status)
    }

    fn holds(&self, words: &[&str]) -> bool {
        let body = String::from_utf8_lossy(&self.body).to_lowercase();
        words.iter().any(|word| body.contains(word))
    }
}

/// Judges the answer to the request for a WebSocket; `plain` is what a plain request got before it.
pub(super) fn judge(plain: &Result<Answer, String>, asked: &Result<Upgrade, String>) -> Vec<Finding> {
    let finding = match asked {
        Ok(upgrade) => upgraded(upgrade),
        Err(why) => vec![unanswered(plain, why)],
    };
    let answers = [plain.as_ref().ok(), asked.as_ref().ok().map(|upgrade| &upgrade.answer)];
    let clock =
        answers.into_iter().flatten().rev().find_map(|answer| clock(&answer.headers, SystemTime::now()));
    finding.into_iter().chain(clock).collect()
}

fn unanswered(plain: &Result<Answer, String>, why: &str) -> Finding {
    match plain {
        Ok(plain) => {
            let line = plain.line();
            Finding::fail(Check::Blocked, format!("{why}; a plain request is answered {line}"))
        }
        Err(_) => Finding::fail(Check::NotAGateway, format!("what answers speaks no HTTP/1.1: {why}")),
    }
}

fn upgraded(upgrade: &Upgrade) -> Vec<Finding> {
    let answer = &upgrade.answer;
    match &upgrade.agreed {
        Ok(agreed) if agreed.subprotocol.is_some() => vec![
            Finding::pass(Check::WebsocketOff, format!("{}, `{SUBPROTOCOL}` agreed to", answer.line())),
            Finding::pass(Check::HttpVersion, format!("{:?}", answer.version)),
        ],
        Ok(_) => vec![Finding::fail(
            Check::NotAGateway,
            format!(
                "a WebSocket opens, but `{SUBPROTOCOL}` is not agreed to: another server's, or Sec-WebSocket-Protocol is lost on the way"
            ),
        )],
        Err(_) if answer.version <= Version::HTTP_10 => {
            vec![Finding::fail(
                Check::HttpVersion,
                format!("the answer is {:?}: {}", answer.version, answer.line()),
            )]
        }
        Err(AnswerError::Status(_)) => vec![refused(answer)],
        Err(error) => {
            vec![Finding::fail(
                Check::HeadersStripped,
                format!("{}, but {}", answer.line(), clean::text(&error.to_string())),
            )]
        }
    }
}

/// An answer of another status than 101.
fn refused(answer: &Answer) -> Finding {
    let line = answer.line();
    if let Some(sign) = cached(&answer.headers) {
        return Finding::fail(Check::Cached, format!("{line}, out of a cache ({sign})"));
    }
    if answer.status.is_redirection() {
        let to = answer.headers.get(LOCATION).map(|to| to.as_bytes()).unwrap_or_default();
        let shown = clean::bytes(to);
        let lower = shown.to_lowercase();
        let login = ["login", "signin", "sign-in", "auth", "sso", "saml", "oidc", "adfs", "portal"];
        let check =
            if login.iter().any(|word| lower.contains(word)) { Check::LoginPage } else { Check::NotAGateway };
        return Finding::fail(check, format!("{line}: leads on to {shown}"));
    }
    if answer.headers.contains_key(WWW_AUTHENTICATE) || answer.status == StatusCode::UNAUTHORIZED {
        return Finding::fail(Check::LoginPage, format!("{line}: asks for credentials"));
    }
    if answer.holds(&["type=\"password\"", "type='password'", "type=password", "name=\"password\""]) {
        return Finding::fail(Check::LoginPage, format!("{line}: a page with a password field"));
    }
    let words = [
        "support id",
        "request rejected",
        "url was rejected",
        "access denied",
        "has been blocked",
        "incident id",
    ];
    if answer.holds(&words) {
        return Finding::fail(
            Check::Blocked,
            format!("{line}: a page that says that the request is refused"),
        );
    }
    match answer.status.as_u16() {
        426 => {
            let text = format!("{line}: the request has arrived without `Upgrade: websocket`");
            Finding::fail(Check::WebsocketOff, text)
        }
        400 | 501 => {
            let text = format!(
                "{line}: the request for a WebSocket is not understood, or has lost headers on the way"
            );
            Finding::fail(Check::WebsocketOff, text)
        }
        505 => Finding::fail(Check::HttpVersion, line),
        403 | 405 | 406 | 413 | 429 | 431 | 451 => Finding::fail(Check::Blocked, line),
        502..=504 => Finding::fail(
            Check::NotAGateway,
            format!("{line}: what stands in front does not reach the gateway"),
        ),
        _ => Finding::fail(
            Check::NotAGateway,
            format!("{line}: no gateway's answer to a request for a WebSocket"),
        ),
    }
}

/// The header that tells that a cache has answered.
fn cached(headers: &HeaderMap) -> Option<String> {
    let aged = headers
        .get(AGE)
        .filter(|age| age.to_str().is_ok_and(|age| age.trim().parse::<u64>().is_ok_and(|age| age > 0)));
    if let Some(age) = aged {
        return Some(format!("age: {}", clean::bytes(age.as_bytes())));
    }
    ["x-cache", "x-cache-status", "cf-cache-status", "x-proxy-cache", "cache-status", "cdn-cache"]
        .iter()
        .find_map(|name| {
            let value = headers.get(*name)?;
            let is_hit = value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("hit"));
            is_hit.then(|| format!("{name}: {}", clean::bytes(value.as_bytes())))
        })
}

/// Whether whoever answers has about the same time as this machine. A cache's answer says nothing of that.
fn clock(headers: &HeaderMap, now: SystemTime) -> Option<Finding> {
    if cached(headers).is_some() {
        return None;
    }
    let theirs = OffsetDateTime::parse(headers.get(DATE)?.to_str().ok()?, &Rfc2822).ok()?;
    let apart = OffsetDateTime::from(now) - theirs;
    let seconds = apart.whole_seconds();
    Some(if apart.unsigned_abs() <= APART {
        Finding::pass(Check::Clock, "within two minutes of that of whoever answers")
    } else {
        let side = if seconds > 0 { "ahead of" } else { "behind" };
        let text = format!("this machine's is {} s {side} that of whoever answers", seconds.unsigned_abs());
        Finding::warn(Check::Clock, text)
    })
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

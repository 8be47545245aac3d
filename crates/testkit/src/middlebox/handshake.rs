//! A request for a WebSocket and its answer, as the middlebox passes them on, or answers itself.

use anyhow::{Context, Result};
use tokio::io::AsyncWriteExt;

use super::faults::{Answer, Faults, Headers};
use crate::raw::{Endpoint, Head, Io};

/// What Cloudflare and F5 put into requests.
const REQUEST: &[(&str, &str)] = &[
    ("cf-connecting-ip", "203.0.113.7"),
    ("cf-ray", "8f1d2c3b4a596877-FRA"),
    ("cf-visitor", "{\"scheme\":\"https\"}"),
    ("cdn-loop", "cloudflare; loops=1"),
    ("accept-encoding", "gzip, br"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
];
/// What they put into answers.
const ANSWER: &[(&str, &str)] = &[
    ("SERVER", "cloudflare"),
    ("CF-RAY", "8f1d2c3b4a596877-FRA"),
    ("CF-CACHE-STATUS", "DYNAMIC"),
    ("SET-COOKIE", "BIGipServerpool=1677787402.36895.0000; path=/; Httponly; Secure"),
    ("ALT-SVC", "h3=\":443\"; ma=86400"),
];
const LOGIN: &str = "<!DOCTYPE html><title>Log in</title><form method=post><input name=user></form>";

/// Both sides of a request that was passed on.
pub(super) struct Passed {
    pub(super) far: Box<dyn Io>,
    /// What came with the request, behind its head.
    pub(super) from_client: Vec<u8>,
    /// What came with the answer.
    pub(super) from_gateway: Vec<u8>,
    /// Frames follow.
    pub(super) upgraded: bool,
}

/// Passes a request on, and its answer back. `None` where there is nothing more to carry.
pub(super) async fn pass(
    near: &mut dyn Io,
    upstream: &Endpoint,
    faults: &Faults,
    seen: impl FnOnce(&Head),
) -> Result<Option<Passed>> {
    let mut from_client = Vec::new();
    let Some(request) = Head::read(near, &mut from_client).await? else { return Ok(None) };
    seen(&request);
    if let Some(answer) = own_answer(faults.answer) {
        near.write_all(answer.as_bytes()).await?;
        near.shutdown().await?;
        return Ok(None);
    }
    let mut far = upstream.connect().await?;
    far.write_all(request_to_gateway(&request, faults).as_bytes()).await?;
    far.flush().await?;
    let mut from_gateway = Vec::new();
    let answer = Head::read(&mut far, &mut from_gateway).await?.context("the gateway answered nothing")?;
    near.write_all(answer_to_client(&answer, faults).as_bytes()).await?;
    near.flush().await?;
    let upgraded = answer.status()? == 101;
    Ok(Some(Passed { far, from_client, from_gateway, upgraded }))
}

fn own_answer(answer: Answer) -> Option<String> {
    let page = |first: &str, more: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {first}\r\nServer: BigIP\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n{body}"
        )
    };
    match answer {
        Answer::Gateway | Answer::Http10 | Answer::ExtraUpgrade => None,
        Answer::Status(status) => {
            Some(page(&format!("{status} No"), "", "<html>The requested URL was rejected."))
        }
        Answer::Redirect => Some(page("302 Found", "Location: https://login.example/my.policy\r\n", "")),
        Answer::LoginPage => Some(page("200 OK", "", LOGIN)),
    }
}

fn request_to_gateway(request: &Head, faults: &Faults) -> String {
    let (mut first, mut fields) = parts(request);
    if faults.headers == Headers::Rewrite {
        fields.retain(|(name, _)| !REQUEST.iter().any(|(added, _)| name.eq_ignore_ascii_case(added)));
        fields.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        fields.extend(REQUEST.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    }
    if faults.answer == Answer::Http10 {
        first = first.replace("HTTP/1.1", "HTTP/1.0");
        fields
            .retain(|(name, _)| !["upgrade", "connection"].iter().any(|hop| name.eq_ignore_ascii_case(hop)));
        fields.push(("Connection".to_owned(), "close".to_owned()));
    }
    text(&first, &fields)
}

fn answer_to_client(answer: &Head, faults: &Faults) -> String {
    let (mut first, mut fields) = parts(answer);
    if faults.headers == Headers::Rewrite {
        fields.retain(|(name, _)| !name.eq_ignore_ascii_case("server"));
        fields.iter_mut().for_each(|(name, _)| name.make_ascii_uppercase());
        fields.extend(ANSWER.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    }
    match faults.answer {
        Answer::Http10 => first = first.replace("HTTP/1.1", "HTTP/1.0"),
        Answer::ExtraUpgrade => {
            let upgrades = fields.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
            upgrades.for_each(|(_, value)| value.push_str(", h2c"));
        }
        Answer::Gateway | Answer::Status(_) | Answer::Redirect | Answer::LoginPage => {}
    }
    text(&first, &fields)
}

/// The first line, and the fields.
fn parts(head: &Head) -> (String, Vec<(String, String)>) {
    let text = head.text();
    let fields = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    (head.first_line(), fields)
}

fn text(first: &str, fields: &[(String, String)]) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{fields}\r\n")
}

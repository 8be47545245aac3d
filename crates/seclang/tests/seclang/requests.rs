//! Heads of requests for comparisons: what browsers and libraries send, with attacks in any part of it or with none.

use serde_json::json;

use crate::generator::{Chance, NAMES, text};

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0",
    "curl/8.5.0",
    "okhttp/4.12.0",
    "sqlmap/1.7.2#stable (https://sqlmap.org)",
    "python-requests/2.31.0",
    "",
];
const PATHS: &[&str] =
    &["/", "/chat", "/api/v1/rooms/7", "/socket.io/", "/a%20b/c.html", "/index.php", "/.env"];
const METHODS: &[&str] = &["GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE", "TRACE"];

/// The head of a request, as one line of JSON.
pub(crate) fn request(chance: &mut Chance) -> String {
    let mut uri = path(chance);
    let arguments = chance.next() % 4;
    for number in 0..arguments {
        let joint = if number == 0 { '?' } else { '&' };
        uri.push_str(&format!("{joint}{}={}", chance.of(NAMES), escaped(&text(chance))));
    }
    let mut headers = vec![("Host".to_owned(), "chat.example.com".to_owned())];
    if !chance.next().is_multiple_of(8) {
        headers.push(("Accept".to_owned(), "*/*".to_owned()));
    }
    if !chance.next().is_multiple_of(8) {
        let agent = match chance.next() % 6 {
            0 => line(&text(chance)),
            _ => chance.of(AGENTS).to_owned(),
        };
        headers.push(("User-Agent".to_owned(), agent));
    }
    if chance.next().is_multiple_of(3) {
        let referer = format!("https://chat.example.com/?{}={}", chance.of(NAMES), line(&text(chance)));
        headers.push(("Referer".to_owned(), referer));
    }
    if chance.next().is_multiple_of(3) {
        let cookie = format!("sid=3f9a1c; {}={}", chance.of(NAMES), cookie(&text(chance)));
        headers.push(("Cookie".to_owned(), cookie));
    }
    if chance.next().is_multiple_of(2) {
        for (name, value) in [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ] {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    let version = if chance.next().is_multiple_of(4) { "2.0" } else { "1.1" };
    json!({"method": chance.of(METHODS), "uri": uri, "version": version, "headers": headers}).to_string()
}

fn path(chance: &mut Chance) -> String {
    match chance.next() % 8 {
        0 => format!("/files/{}", escaped(&text(chance)).replace('+', "%20")),
        _ => chance.of(PATHS).to_owned(),
    }
}

/// As forms write it.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/:".contains(&byte);
    let one = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// What can stand in a line of a head.
fn line(text: &str) -> String {
    text.chars().filter(|c| (' '..='~').contains(c)).collect()
}

fn cookie(text: &str) -> String {
    line(text).replace(';', "%3B")
}

//! Frames of STOMP 1.2: a command, headers, a body, NUL.

use std::borrow::Cow;

use super::RawBody;
use crate::fields::{Builder, Undecodable};
use crate::format::json;
use crate::format::pack::{Breach, malformed};

pub(super) const FORMAT: &str = "STOMP frame";

/// Where the frame that begins here ends, behind its NUL.
pub(super) fn extent(bytes: &[u8]) -> Result<usize, Breach> {
    let (head, body) = split(bytes)?;
    let mut length = None;
    for line in lines(head).skip(1) {
        if let Some(value) = line.strip_prefix(b"content-length:") {
            let value =
                std::str::from_utf8(value).ok().filter(|value| value.bytes().all(|b| b.is_ascii_digit()));
            let value = value.and_then(|value| value.parse::<usize>().ok()).ok_or(malformed(FORMAT))?;
            length = Some(value);
        }
    }
    let start = bytes.len() - body.len();
    let end = match length {
        Some(length) => Some(length).filter(|length| body.get(*length) == Some(&0)),
        None => memchr::memchr(0, body),
    };
    // A part of a frame is not waited for: clients and servers send whole ones.
    end.map(|end| start + end + 1).ok_or(Breach::Partial)
}

/// The lines of the head, and all that is behind the empty line.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Breach> {
    let mut at = 0;
    loop {
        let end = at + memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default()).ok_or(Breach::Partial)?;
        let line = bytes.get(at..end).unwrap_or_default();
        if line.is_empty() || line == b"\r" {
            return Ok((bytes.get(..at).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default()));
        }
        at = end + 1;
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = head.strip_suffix(b"\n").unwrap_or(head).split(|byte| *byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Reads a frame as `command`, `headers` and `body`.
pub(super) fn decode(body: RawBody, builder: &mut Builder<'_, '_>) -> Result<(), Breach> {
    let (head, rest) = split(builder.payload())?;
    let content = rest.strip_suffix(b"\0").ok_or(malformed(FORMAT))?;
    let head = simdutf8::basic::from_utf8(head).map_err(|_| Breach::Undecodable(Undecodable::Utf8))?;
    if head.contains('\0') {
        return Err(malformed(FORMAT));
    }
    let mut lines = lines(head.as_bytes()).map(|line| std::str::from_utf8(line).unwrap_or_default());
    let command = lines.next().unwrap_or_default();
    builder.open_map()?;
    builder.key("command")?;
    builder.text(command, None)?;
    // What version 1.0 had to read is not escaped.
    let escaped = !matches!(command, "CONNECT" | "CONNECTED");
    builder.key("headers")?;
    builder.open_map()?;
    let mut kind = None;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(malformed(FORMAT))?;
        if name.is_empty() || line.contains('\r') {
            return Err(malformed(FORMAT));
        }
        let (name, value) = if escaped {
            (unescaped(name)?, unescaped(value)?)
        } else {
            (Cow::Borrowed(name), Cow::Borrowed(value))
        };
        // Of a name that stands twice the first one counts, and who does not know reads the second: the map has it once.
        builder.key(&name)?;
        builder.text(&value, None)?;
        if name == "content-type" {
            kind = Some(value);
        }
    }
    builder.close(None)?;
    let has_body = matches!(command, "SEND" | "MESSAGE" | "ERROR");
    if !has_body && !content.is_empty() {
        return Err(malformed(FORMAT));
    }
    if has_body {
        builder.key("body")?;
        let is_said = command != "ERROR";
        let says_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
        match body {
            RawBody::Json if is_said => json::value(builder, content)?,
            RawBody::Auto if says_json && is_said => json::value(builder, content)?,
            _ => match simdutf8::basic::from_utf8(content) {
                Ok(text) => builder.text(text, None)?,
                Err(_) => builder.bytes(content, None)?,
            },
        }
    }
    Ok(builder.close(None)?)
}

/// Section "Value Encoding": anything else behind a backslash is fatal.
fn unescaped(text: &str) -> Result<Cow<'_, str>, Breach> {
    if !text.contains(['\\', ':']) {
        return Ok(Cow::Borrowed(text));
    }
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('r') => '\r',
                Some('n') => '\n',
                Some('c') => ':',
                Some('\\') => '\\',
                _ => return Err(malformed(FORMAT)),
            },
            // Servers send destinations with `:` as they are.
            c => c,
        });
    }
    Ok(Cow::Owned(out))
}

//! The PROXY protocol's header, versions 1 and 2 (HAProxy's proxy-protocol.txt), from a load balancer in front.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Version 2 begins with these bytes.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest header of version 1, with its CRLF.
const V1_MAX: usize = 107;
/// Version 2: signature, version and command, family, length.
const V2_FIXED: usize = 16;
/// Most bytes behind version 2's fixed part: addresses and extras. Extras are skipped.
const V2_LENGTH_MAX: usize = 4096;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recognised {
    /// Perhaps a header: more bytes are needed.
    Incomplete,
    /// No header.
    Absent,
    /// A header of `length` bytes, extras included that may not be here yet, and the client's address in it: none when
    /// the load balancer speaks for itself (LOCAL) or does not know (UNKNOWN, UNSPEC, Unix sockets).
    Header { length: usize, source: Option<SocketAddr> },
    /// Something that begins like a header and is none.
    Malformed(&'static str),
}

/// Recognises a header at the start of `bytes`. Needs at most 232 bytes to decide.
pub(super) fn recognise(bytes: &[u8]) -> Recognised {
    if common(bytes, SIGNATURE) {
        version_2(bytes)
    } else if common(bytes, b"PROXY ") {
        version_1(bytes)
    } else {
        Recognised::Absent
    }
}

/// For the fuzzer: whatever the bytes, the answer is consistent with that to their prefixes.
pub(crate) fn fuzz_proxy_header(data: &[u8]) {
    let whole = recognise(data);
    if let Recognised::Header { length, .. } = whole {
        assert!((8..=V2_FIXED + V2_LENGTH_MAX).contains(&length));
    }
    for cut in 0..data.len().min(240) {
        match recognise(&data[..cut]) {
            Recognised::Incomplete => {}
            earlier => assert_eq!(earlier, whole, "decided after {cut} bytes"),
        }
    }
}

/// Whether one is the beginning of the other.
fn common(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(a, b)| a == b)
}

fn version_1(bytes: &[u8]) -> Recognised {
    let Some(end) = bytes.iter().take(V1_MAX).position(|&byte| byte == b'\n') else {
        return if bytes.len() < V1_MAX {
            Recognised::Incomplete
        } else {
            Recognised::Malformed("endless line")
        };
    };
    let Some(line) = bytes[..end].strip_suffix(b"\r").and_then(|line| str::from_utf8(line).ok()) else {
        return Recognised::Malformed("line not ended by CRLF, or not ASCII");
    };
    let length = end + 1;
    let Some(rest) = line.strip_prefix("PROXY ") else {
        return Recognised::Malformed("line too short");
    };
    if rest == "UNKNOWN" || rest.starts_with("UNKNOWN ") {
        return Recognised::Header { length, source: None };
    }
    let source = if let Some(rest) = rest.strip_prefix("TCP4 ") {
        addresses::<Ipv4Addr>(rest)
    } else if let Some(rest) = rest.strip_prefix("TCP6 ") {
        addresses::<Ipv6Addr>(rest)
    } else {
        return Recognised::Malformed("unknown family");
    };
    match source {
        Some(source) => Recognised::Header { length, source: Some(source) },
        None => Recognised::Malformed("bad address or port"),
    }
}

/// `source destination source-port destination-port`, one space between them.
fn addresses<A: FromStr + Into<IpAddr>>(text: &str) -> Option<SocketAddr> {
    let mut parts = text.split(' ');
    let mut next = || parts.next();
    let (source, _destination) = (next()?.parse::<A>().ok()?.into(), next()?.parse::<A>().ok()?);
    let (source_port, _destination_port) = (port(next()?)?, port(next()?)?);
    next().is_none().then(|| SocketAddr::new(source, source_port))
}

/// Digits alone and no leading zero: `u16::from_str` would take a sign.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

fn version_2(bytes: &[u8]) -> Recognised {
    let Some((fixed, rest)) = bytes.split_first_chunk::<V2_FIXED>() else {
        return Recognised::Incomplete;
    };
    let [.., version_and_command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > V2_LENGTH_MAX {
        return Recognised::Malformed("too long");
    }
    let header = |source| Recognised::Header { length: V2_FIXED + length, source };
    let needed = match (version_and_command, family) {
        (0x20, _) => return header(None),
        (0x21, 0x00) => return header(None),
        (0x21, 0x11) => 12,
        (0x21, 0x21) => 36,
        (0x21, 0x31) => 216,
        (0x21, _) => return Recognised::Malformed("unknown family, or not a stream"),
        _ => return Recognised::Malformed("unknown version or command"),
    };
    if length < needed {
        return Recognised::Malformed("too short for its addresses");
    }
    let Some(addresses) = rest.get(..needed) else {
        return Recognised::Incomplete;
    };
    header(match family {
        0x11 => two::<4, Ipv4Addr>(addresses),
        0x21 => two::<16, Ipv6Addr>(addresses),
        _ => None,
    })
}

/// Source and destination of `N` bytes each, then their ports.
fn two<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(bytes: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (_destination, rest) = rest.split_first_chunk::<N>()?;
    let (port, _) = rest.split_first_chunk::<2>()?;
    Some(SocketAddr::new(A::from(*source).into(), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn v2(version_and_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[version_and_command, family], &length, body].concat()
    }

    fn from(length: usize, source: &str) -> Recognised {
        Recognised::Header { length, source: Some(source.parse().unwrap()) }
    }

    #[test]
    fn version_1_is_read() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\r\nGET";
        let expected = from(44, "192.0.2.1:5000");
        assert_eq!(recognise(line), expected);
        let line = b"PROXY TCP6 2001:db8::1 ::1 5000 443\r\n";
        let expected = from(line.len(), "[2001:db8::1]:5000");
        assert_eq!(recognise(line), expected);
        assert_eq!(recognise(b"PROXY UNKNOWN\r\n"), Recognised::Header { length: 15, source: None });
        assert_eq!(recognise(b"PROXY UNKNOWN x y\r\n"), Recognised::Header { length: 19, source: None });
    }

    #[test]
    fn version_2_is_read_and_its_extras_are_skipped() {
        let body = [192, 0, 2, 1, 198, 51, 100, 2, 0x13, 0x88, 1, 187, 4, 0, 1, 9];
        let expected = from(32, "192.0.2.1:5000");
        let header = v2(0x21, 0x11, &body);
        assert_eq!(recognise(&header), expected);
        assert_eq!(recognise(&header[..28]), expected, "extras need not be here to decide");
        let mut body = [0; 36];
        (body[15], body[31], body[33], body[35]) = (1, 2, 3, 4);
        let expected = from(52, "[::1]:3");
        assert_eq!(recognise(&v2(0x21, 0x21, &body)), expected);
        let silent = |length| Recognised::Header { length, source: None };
        assert_eq!(recognise(&v2(0x20, 0x11, &[0; 12])), silent(28), "LOCAL");
        assert_eq!(recognise(&v2(0x21, 0x00, &[])), silent(16), "UNSPEC");
        assert_eq!(recognise(&v2(0x21, 0x31, &[0; 216])), silent(232), "AF_UNIX");
    }

    #[test]
    fn what_only_begins_like_a_header_is_malformed() {
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 100], b"\r\n"].concat();
        let lines: [&[u8]; 11] = [
            b"PROXY TCP4 1.2.3.4 5.6.7.8 80\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443 1\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 +80 443\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 080 443\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 80 65536\r\n",
            b"PROXY TCP4  1.2.3.4 5.6.7.8 80 443\r\n",
            b"PROXY TCP4 ::1 ::1 80 443\r\n",
            b"PROXY TCP6 1.2.3.4 5.6.7.8 80 443\r\n",
            b"PROXY UDP4 1.2.3.4 5.6.7.8 80 443\r\n",
            b"PROXY UNKNOWN\n",
            &long,
        ];
        for line in lines {
            assert!(matches!(recognise(line), Recognised::Malformed(_)), "{}", line.escape_ascii());
        }
        for (command, family, length) in [
            (0x11, 0x11, 12),
            (0x22, 0x11, 12),
            (0x21, 0x12, 12),
            (0x21, 0x11, 11),
            (0x21, 0x21, 35),
            (0x21, 0x11, 5000),
        ] {
            let header = v2(command, family, &vec![0; length]);
            assert!(
                matches!(recognise(&header), Recognised::Malformed(_)),
                "{command:x} {family:x} {length}"
            );
        }
    }

    #[test]
    fn anything_else_is_no_header() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"POST", b"PROXIES", b"\r\n\r\nGET"] {
            assert_eq!(recognise(bytes), Recognised::Absent);
        }
        for bytes in [&b""[..], b"P", b"PRO", b"PROXY ", b"PROXY TCP4 1.2.3.4", b"\r\n\r\n\0\r\nQUIT"] {
            assert_eq!(recognise(bytes), Recognised::Incomplete);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_upset_it(noise in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..3) {
            let start: &[u8] = [&b""[..], b"PROXY TCP4 ", SIGNATURE][kind as usize];
            fuzz_proxy_header(&[start, &noise].concat());
        }
    }
}

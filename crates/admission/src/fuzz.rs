//! What the fuzzer calls: each function takes any bytes, and must neither panic nor take more than its bounds allow.

use std::net::IpAddr;

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::address::{AddressHeader, Missing, Told, TrustedProxies};

/// Reads what a trusted proxy says about its client. Nobody else is listened to, and whatever a client sends changes nothing
/// of what the proxy adds behind it.
pub fn forwarded(data: &[u8]) {
    let (Ok(value), Ok(from)) = (HeaderValue::from_bytes(data), "10.0.0.0/8".parse()) else { return };
    let mut proxies = TrustedProxies {
        from: vec![from],
        header: AddressHeader::Forwarded,
        hops: None,
        missing: Missing::Refuse,
    };
    let proxy = Some(IpAddr::from([10, 0, 0, 1]));
    for (header, name, honest) in [
        (AddressHeader::XForwardedFor, HeaderName::from_static("x-forwarded-for"), Some("192.0.2.9")),
        (AddressHeader::Forwarded, FORWARDED, Some("for=192.0.2.9;proto=https")),
        (AddressHeader::CfConnectingIp, HeaderName::from_static("cf-connecting-ip"), None),
        (AddressHeader::TrueClientIp, HeaderName::from_static("true-client-ip"), None),
    ] {
        proxies.header = header;
        let mut headers = HeaderMap::from_iter([(name.clone(), value.clone())]);
        assert!(
            !matches!(proxies.told(proxy, &headers), Ok(None)),
            "who says something does not speak for itself"
        );
        let stranger = proxies.told(Some(IpAddr::from([192, 0, 2, 1])), &headers);
        assert!(matches!(stranger, Ok(None)), "a stranger is not listened to");
        let Some(honest) = honest else { continue };
        let expected = Told { address: Some(IpAddr::from([192, 0, 2, 9])), secure: true };
        let mut line = data.to_vec();
        line.extend_from_slice(b", ");
        line.extend_from_slice(honest.as_bytes());
        for added in [HeaderValue::from_bytes(&line), HeaderValue::from_bytes(honest.as_bytes())] {
            let Ok(added) = added else { continue };
            // In the same line, or in one of its own.
            match added.len() > honest.len() {
                true => drop(headers.insert(name.clone(), added)),
                false => drop(headers.append(name.clone(), added)),
            }
            headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
            let told = proxies.told(proxy, &headers);
            let is_text = headers.get_all(&name).iter().all(|line| line.to_str().is_ok());
            assert!(told.as_ref().ok() == Some(&Some(expected)) || !is_text, "{told:?}");
        }
    }
}

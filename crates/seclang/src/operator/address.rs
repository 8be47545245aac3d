//! Networks that an address is in.

use std::net::IpAddr;
use std::sync::Arc;

/// Networks.
#[derive(Clone, Debug)]
pub(crate) struct Networks(Arc<[Network]>);

#[derive(Debug)]
struct Network {
    address: IpAddr,
    length: u32,
}

impl Networks {
    /// Reads addresses and networks, as `127.0.0.1` or `10.0.0.0/8`.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let texts = texts.map(str::trim).filter(|text| !text.is_empty());
        let read = |text: &str| {
            let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Some(most), |length| length.parse().ok())?;
            (length <= most).then_some(Network { address, length })
        };
        let all: Result<Vec<_>, _> =
            texts.map(|text| read(text).ok_or_else(|| format!("`{text}` is no network"))).collect();
        Ok(Self(all?.into()))
    }

    /// Whether an address, as text, is in one of them.
    pub(crate) fn has(&self, address: &[u8]) -> bool {
        let address = std::str::from_utf8(address).ok().and_then(|text| text.parse::<IpAddr>().ok());
        address.is_some_and(|address| self.0.iter().any(|network| network.has(address)))
    }
}

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - self.length).unwrap_or(0);
                u32::from(own) & mask == u32::from(other) & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - self.length).unwrap_or(0);
                u128::from(own) & mask == u128::from(other) & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_network() {
        let networks = Networks::new("127.0.0.1, 10.0.0.0/8,::1,fe80::/10".split(','));
        let has = |address: &str| networks.as_ref().is_ok_and(|all| all.has(address.as_bytes()));
        assert!(has("127.0.0.1") && has("10.2.3.4") && has("::1") && has("fe80::7"));
        assert!(!has("127.0.0.2") && !has("11.0.0.1") && !has("::2") && !has("x"));
        assert!(Networks::new("10.0.0.0/33".split(',')).is_err());
    }
}

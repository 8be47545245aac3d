//! What the environment says of proxies: `HTTPS_PROXY` and `NO_PROXY`, as curl and others read them.

use std::net::IpAddr;

use wicketgate_config::Network;

/// What the environment says of the way to a host.
pub(super) struct Environment {
    /// The proxy, and the variable that names it.
    pub(super) proxy: Option<(&'static str, String)>,
    exceptions: String,
}

impl Environment {
    /// Reads it. A name in small letters counts before one in capitals.
    pub(super) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| {
            names
                .into_iter()
                .find_map(|name| Some((name, lookup(name).filter(|value| !value.trim().is_empty())?)))
        };
        let exceptions = first(["no_proxy", "NO_PROXY"]).map(|(_, value)| value);
        Self { proxy: first(["https_proxy", "HTTPS_PROXY"]), exceptions: exceptions.unwrap_or_default() }
    }

    /// Whether this host is dialled without a proxy.
    pub(super) fn excepts(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let mut entries = self.exceptions.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        entries.any(|entry| covers(&entry.to_ascii_lowercase(), &host, port))
    }
}

/// Whether an entry is `*`, the host's address or network, its name, or a domain that it is in; each perhaps of one port.
fn covers(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        let (entry, of_port) = match entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None if entry.matches(':').count() == 1 => {
                entry.split_once(':').map_or((entry, None), |(address, port)| (address, Some(port)))
            }
            None => (entry, None),
        };
        let of_port = of_port.is_none_or(|text| text.parse() == Ok(port));
        return of_port && entry.parse::<Network>().is_ok_and(|network| network.contains(address));
    }
    let (domain, of_port) = match entry.split_once(':') {
        Some((domain, text)) => (domain, text.parse() == Ok(port)),
        None => (entry, true),
    };
    let domain = domain.trim_start_matches('*').trim_matches('.');
    let within = || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
    of_port && !domain.is_empty() && (host == domain || within())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Environment {
        Environment::read(&|name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn small_letters_count_first_and_nothing_is_nothing() {
        let both = of(&[("HTTPS_PROXY", "a:1"), ("https_proxy", "b:1"), ("HTTP_PROXY", "c:1")]);
        assert_eq!(both.proxy, Some(("https_proxy", "b:1".into())));
        assert_eq!(
            of(&[("HTTPS_PROXY", "a:1"), ("https_proxy", "")]).proxy,
            Some(("HTTPS_PROXY", "a:1".into()))
        );
        assert_eq!(of(&[("HTTPS_PROXY", " "), ("HTTP_PROXY", "c:1"), ("ALL_PROXY", "d:1")]).proxy, None);
        assert!(!of(&[]).excepts("gateway.example", 443));
    }

    #[test]
    fn hosts_are_excepted_by_name_domain_address_network_and_port() {
        let some = of(&[(
            "no_proxy",
            "Example.com, .internal,*.corp 10.0.0.0/8,[::1],192.0.2.7:8443,odd:8443,fd00::/8",
        )]);
        for (host, port) in [
            ("example.com", 443),
            ("www.EXAMPLE.com.", 443),
            ("a.internal", 443),
            ("internal", 443),
            ("x.corp", 443),
            ("10.1.2.3", 443),
            ("::1", 443),
            ("fd00::7", 443),
            ("192.0.2.7", 8443),
            ("odd", 8443),
        ] {
            assert!(some.excepts(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("notexample.com", 443),
            ("example.com.evil", 443),
            ("11.1.2.3", 443),
            ("192.0.2.7", 443),
            ("odd", 443),
            ("2001:db8::1", 443),
            ("", 443),
        ] {
            assert!(!some.excepts(host, port), "{host}:{port}");
        }
        assert!(of(&[("NO_PROXY", "*")]).excepts("anything", 1));
        assert!(!of(&[("NO_PROXY", ",. ,:443,/,[,]")]).excepts("anything", 443));
    }
}

//! Which proxy is on the way: as the configuration says, or an argument, or else the environment.

use std::path::PathBuf;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::fetch::RawFetch;
use wicketgate_config::{At, Place, Problems, RawSecret, Secret, Toggle};

use super::environment::Environment;
use super::{Credentials, Inner, Proxy, ProxyUrl};
use crate::carrier::reached::is_loopback;

/// An HTTP proxy on the way out. `off`: none, whatever the environment says. `on`, or nothing: what the environment's `HTTPS_PROXY` and
/// `NO_PROXY` say, for gateways that are not on this machine.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawProxy {
    /// Where it is: `http://HOST[:PORT]`, or `https://HOST[:PORT]` where TLS is spoken with the proxy itself. It is asked to CONNECT to the gateway's
    /// host by its name.
    pub url: Option<At<String>>,
    /// Who this endpoint is for the proxy, by Basic authentication. To be given with `password`.
    pub username: Option<At<String>>,
    /// Its password there. Over `http://` whoever is between here and the proxy can read it.
    pub password: Option<At<RawSecret>>,
    /// PEM file with the authorities to trust for an `https://` proxy instead of the system's.
    pub ca: Option<At<PathBuf>>,
}

/// Reads an argument: a URL, `off`, or `on`.
///
/// # Errors
/// Why it cannot be used.
pub fn argument(text: &str) -> Result<Toggle<RawProxy>, &'static str> {
    match text {
        "off" => Ok(Toggle::Off),
        "on" => Ok(Toggle::default()),
        url => {
            let (_, user) = ProxyUrl::parse(url)?;
            match user {
                // Whoever lists the machine's processes sees it.
                Some(_) => Err("it holds a user name: give that in the configuration, or in HTTPS_PROXY"),
                None => {
                    Ok(Toggle::On(RawProxy { url: Some(At::nowhere(url.to_owned())), ..RawProxy::default() }))
                }
            }
        }
    }
}

/// The proxy on the way to this host, if any; what is wrong goes to `problems`. `lookup` gives a variable of the environment.
pub fn check(
    raw: Option<At<Toggle<RawProxy>>>,
    (host, port): (&str, u16),
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> Option<Proxy> {
    let (raw, place) = match raw {
        None => (RawProxy::default(), Place::UNKNOWN),
        Some(At { value: Toggle::Off, .. }) => return None,
        Some(At { value: Toggle::On(raw), place }) => (raw, place),
    };
    match raw.url.clone() {
        Some(url) => raw.named(&url, problems),
        None if raw.username.is_some() || raw.password.is_some() || raw.ca.is_some() => {
            problems.error(place, "the proxy has no `url`", "write `url: http://HOST:PORT`");
            None
        }
        None => of_environment((host, port), lookup, problems),
    }
}

impl RawProxy {
    fn named(self, at: &At<String>, problems: &mut Problems) -> Option<Proxy> {
        let parsed = match ProxyUrl::parse(at) {
            Ok((url, None)) => Ok(url),
            Ok((_, Some(_))) => Err("it holds a user name; `username` and `password` are keys of their own"),
            Err(why) => Err(why),
        };
        let url = parsed.map_err(|why| {
            // Not the URL itself, nor its line: there may be a password in it.
            problems.secret_error(
                at.place,
                format!("this is no proxy: {why}"),
                "write `url: http://HOST:PORT`",
            );
        });
        let credentials = credentials(self.username, self.password, at.place, problems);
        let url = url.ok()?;
        let tls = tls(&url, self.ca, at.place, problems).ok()?;
        Some(Proxy(Arc::new(Inner { url, credentials, tls })))
    }
}

fn credentials(
    username: Option<At<String>>,
    password: Option<At<RawSecret>>,
    place: Place,
    problems: &mut Problems,
) -> Option<Credentials> {
    match (username, password) {
        (None, None) => None,
        (Some(username), Some(password)) => {
            let secret = RawSecret::check(password, "the proxy's password", 1, problems)?;
            Credentials::new(username.value, secret)
                .map_err(|why| problems.error(username.place, why, "give them as the proxy knows them"))
                .ok()
        }
        (username, password) => {
            let place = username.map(|at| at.place).or(password.map(|at| at.place)).unwrap_or(place);
            problems.error(place, "a user name and a password go together", "give `username` and `password`");
            None
        }
    }
}

/// How TLS is spoken with the proxy itself.
fn tls(
    url: &ProxyUrl,
    ca: Option<At<PathBuf>>,
    place: Place,
    problems: &mut Problems,
) -> Result<Option<Arc<ClientConfig>>, ()> {
    if !url.secure {
        if let Some(ca) = ca {
            problems.error(
                ca.place,
                "there is no TLS with a proxy of `http://`",
                "write `https://`, or leave `ca` out",
            );
        }
        return Ok(None);
    }
    let mut config = RawFetch { ca, ..RawFetch::default() }.check(place, problems).ok_or(())?.tls();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

/// What the environment says; never for this machine itself.
fn of_environment(
    (host, port): (&str, u16),
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> Option<Proxy> {
    let environment = Environment::read(lookup);
    let (name, text) = environment.proxy.as_ref()?;
    if is_loopback(host) || environment.excepts(host, port) {
        return None;
    }
    let read = ProxyUrl::parse(text.trim()).and_then(|(url, user)| {
        let credentials = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let decoded =
                |text| percent_decode_str(text).decode_utf8().map_err(|_| "its user name is no text");
            Credentials::new(decoded(name)?.into_owned(), Secret::new(decoded(password)?))
        });
        Ok((url, credentials.transpose()?))
    });
    match read {
        Ok((url, credentials)) => {
            let tls = tls(&url, None, Place::UNKNOWN, problems).ok()?;
            Some(Proxy(Arc::new(Inner { url, credentials, tls })))
        }
        Err(why) => {
            let what = format!("the environment's {name} is no proxy that can be used: {why}");
            problems.error(
                Place::UNKNOWN,
                what,
                "write http://HOST:PORT there, or switch it off: `gateway.proxy: off`, `--proxy off`",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn section(yaml: &str, variables: &[(&str, &str)], host: &str) -> (Option<Proxy>, String) {
        #[derive(Deserialize)]
        struct File {
            proxy: Option<At<Toggle<RawProxy>>>,
        }
        let mut problems = Problems::default();
        let (mut sources, none) = (wicketgate_config::Sources::default(), |_: &str| None);
        let file = sources.add(std::path::Path::new("test.yaml"), yaml.to_owned());
        let mut root = wicketgate_config::parse(file, &mut sources, &none, &mut problems).unwrap();
        let raw: File = wicketgate_config::read(&mut root, &mut problems).unwrap();
        let lookup = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        let proxy = check(raw.proxy, (host, 443), &lookup, &mut problems);
        let told = problems.iter().map(|p| format!("{} {}\n", p.what, p.help)).collect();
        (proxy, told)
    }

    fn shown(yaml: &str, variables: &[(&str, &str)], host: &str) -> Option<String> {
        let (proxy, told) = section(yaml, variables, host);
        assert_eq!(told, "", "{yaml}");
        proxy.map(|proxy| proxy.to_string())
    }

    #[test]
    fn the_file_counts_before_the_environment() {
        let environment = [("HTTPS_PROXY", "http://env:3128"), ("NO_PROXY", "near.example")];
        let named = "proxy: {url: 'http://file:3128', username: a, password: {value: s3cret}}";
        assert_eq!(shown(named, &environment, "far.example"), Some("http://file:3128".into()));
        // What is written out is meant, wherever the gateway is.
        assert_eq!(shown(named, &environment, "localhost"), Some("http://file:3128".into()));
        assert_eq!(shown("proxy: off", &environment, "far.example"), None);
        for unsaid in ["other: 1", "proxy: on"] {
            assert_eq!(shown(unsaid, &environment, "far.example"), Some("http://env:3128".into()));
            for near in ["near.example", "localhost", "127.0.0.1", "::1"] {
                assert_eq!(shown(unsaid, &environment, near), None);
            }
            assert_eq!(shown(unsaid, &[], "far.example"), None);
        }
    }

    #[test]
    fn credentials_of_the_environment_are_decoded() {
        let (proxy, _) = section("x: 1", &[("https_proxy", "http://al%40x:p%3As@env")], "far.example");
        let credentials = proxy.unwrap().0.credentials.clone().unwrap();
        assert_eq!((credentials.username.as_str(), credentials.password.reveal()), ("al@x", "p:s"));
    }

    #[test]
    fn what_cannot_be_used_is_told_without_secrets() {
        let of = |yaml, variables: &[(&str, &str)]| {
            let (proxy, told) = section(yaml, variables, "far.example");
            assert!(proxy.is_none() || !told.is_empty());
            assert!(!told.contains("s3cret"), "{told}");
            told
        };
        let none: &[(&str, &str)] = &[];
        assert!(of("proxy: {url: 'socks5://proxy:1080'}", none).contains("neither http://"));
        assert!(of("proxy: {url: 'http://a:s3cret@proxy:1'}", none).contains("`username` and `password`"));
        assert!(of("proxy: {url: 'http://proxy:1', username: a}", none).contains("go together"));
        assert!(of("proxy: {url: 'http://proxy:1', ca: x.pem}", none).contains("no TLS"));
        assert!(of("proxy: {username: a, password: {value: s3cret}}", none).contains("no `url`"));
        assert!(of("x: 1", &[("https_proxy", "socks5h://a:s3cret@proxy")]).contains("https_proxy"));
        assert!(of("x: 1", &[("https_proxy", "http://a%0d:s3cret@proxy")]).contains("control"));
    }

    #[test]
    fn a_report_shows_where_the_url_stands_and_nothing_of_it() {
        let mut problems = Problems::default();
        let mut sources = wicketgate_config::Sources::default();
        let yaml = "x: 1\nurl: 'http://al:s3cret@proxy:3128'\n";
        let file = sources.add(std::path::Path::new("test.yaml"), yaml.to_owned());
        let url =
            At { value: "http://al:s3cret@proxy:3128".to_owned(), place: Place::new(file, 2, 6, 10..39) };
        assert!(RawProxy::default().named(&url, &mut problems).is_none());
        let shown = wicketgate_config::Report::new(sources, problems).render(wicketgate_config::Style::Plain);
        assert!(shown.contains("test.yaml:2:6") && shown.contains("user name"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn an_argument_is_a_url_or_a_word() {
        assert!(matches!(argument("off"), Ok(Toggle::Off)));
        assert!(matches!(argument("on"), Ok(Toggle::On(RawProxy { url: None, .. }))));
        assert!(matches!(argument("http://proxy:3128"), Ok(Toggle::On(RawProxy { url: Some(_), .. }))));
        assert!(argument("http://a:s3cret@proxy").is_err_and(|why| why.contains("HTTPS_PROXY")));
        assert!(argument("ftp://proxy").is_err());
    }
}

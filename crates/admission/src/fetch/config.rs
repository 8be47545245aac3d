//! How others are asked over HTTP, as it is written and as it is checked; and whom: an [`Endpoint`].

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Host;
use wicketgate_config::{At, Place, Problems, Time};

/// How an identity provider, or whoever else is asked over HTTP, is reached. Redirects are not followed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawFetch {
    /// How long one exchange may take, from the name lookup to the last byte of the answer. Default: 5s; 100ms to 60s.
    pub timeout: Option<At<Time>>,
    /// PEM file with the authorities to trust instead of the system's.
    pub ca: Option<At<PathBuf>>,
    /// Lets `http://` URLs lead to other machines: whoever sits on the way reads the secrets in what we ask, and can make
    /// up the answers. To loopback addresses they may lead in any case.
    pub dangerous_allow_http: At<bool>,
}

/// How others are asked over HTTP, checked and complete.
#[derive(Clone, Debug)]
pub struct FetchConfig {
    /// How long one exchange may take.
    pub timeout: Duration,
    /// Whether `http://` URLs may lead to other machines.
    pub allow_http: bool,
    /// The authorities to trust; `None` for the system's.
    roots: Option<Vec<CertificateDer<'static>>>,
    tls: Arc<ClientConfig>,
}

/// Equal means: asks in the same way, and trusts the same authorities, whatever the file they stand in.
impl PartialEq for FetchConfig {
    fn eq(&self, other: &Self) -> bool {
        (self.timeout, self.allow_http) == (other.timeout, other.allow_http) && self.roots == other.roots
    }
}

/// An absolute URL with a host that may be asked, without user name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

const DEFAULT_TIMEOUT: Time = Time::secs(5);
/// Larger files hold no list of authorities.
const CA_FILE_MAX: u64 = 1 << 20;

impl RawFetch {
    /// Checks the values and loads the authorities; what is wrong goes to `problems`, and then nothing comes back. `place`
    /// is that of the part that asks.
    pub fn check(self, place: Place, problems: &mut Problems) -> Option<FetchConfig> {
        let timeout = self.timeout.unwrap_or(At::nowhere(DEFAULT_TIMEOUT));
        let timeout = problems.in_range("timeout", &timeout, Time::millis(100)..=Time::secs(60)).0;
        if self.dangerous_allow_http.value {
            problems.warning(
                self.dangerous_allow_http.place,
                "answers about identities may come over unprotected HTTP",
                "give `https://` URLs, and `ca` where the certificate is of your own authority",
            );
        }
        let place = self.ca.as_ref().map_or(place, |ca| ca.place);
        let trusted = match &self.ca {
            None => system_roots().map(|verifier| (None, verifier)),
            Some(ca) => own_roots(&ca.value).map(|(roots, verifier)| (Some(roots), verifier)),
        };
        match trusted.and_then(|(roots, verifier)| Ok((roots, client_config(verifier)?))) {
            Ok((roots, tls)) => {
                Some(FetchConfig { timeout, allow_http: self.dangerous_allow_http.value, roots, tls })
            }
            Err((what, help)) => {
                problems.error(place, what, help);
                None
            }
        }
    }
}

impl FetchConfig {
    /// What rustls needs to connect.
    pub fn tls(&self) -> ClientConfig {
        (*self.tls).clone()
    }

    /// Reads a URL out of the configuration; what is wrong goes to `problems`.
    pub fn endpoint(&self, url: &At<String>, problems: &mut Problems) -> Option<Endpoint> {
        match Endpoint::parse(url, self.allow_http) {
            Ok(endpoint) => Some(endpoint),
            Err(why) => {
                let help = "write `https://HOST/PATH`; `http://` only to a loopback address";
                problems.error(url.place, format!("this URL cannot be asked: {why}"), help);
                None
            }
        }
    }
}

impl Endpoint {
    /// Reads an absolute URL. Without `allow_http`, `http://` is taken for loopback addresses only.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub fn parse(url: &str, allow_http: bool) -> Result<Self, &'static str> {
        let parsed = url::Url::parse(url).map_err(|_| "it is no absolute URL")?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("it has a user name or password");
        }
        let is_loopback = match parsed.host().ok_or("it has no host")? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => IpAddr::from(address).is_loopback(),
            Host::Ipv6(address) => IpAddr::from(address).is_loopback(),
        };
        match parsed.scheme() {
            "https" => {}
            "http" if allow_http || is_loopback => {}
            "http" => return Err("`http://` leads to another machine, unprotected"),
            _ => return Err("it begins with neither `https://` nor `http://`"),
        }
        let uri: Uri = parsed.as_str().parse().map_err(|_| "it is no absolute URL")?;
        Ok(Self(uri))
    }

    /// The URL.
    pub const fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether what is sent there is protected on the way.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }
}

/// Without its query, where secrets may stand.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        write!(f, "{scheme}://{authority}{}", self.0.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

type Fault = (String, &'static str);

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    PROVIDER.clone()
}

fn system_roots() -> Result<Arc<dyn ServerCertVerifier>, Fault> {
    match rustls_platform_verifier::Verifier::new(provider()) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) => Err((
            format!("the system's trusted authorities cannot be loaded ({error})"),
            "install ca-certificates, or give a PEM file as `ca`",
        )),
    }
}

type OwnRoots = (Vec<CertificateDer<'static>>, Arc<dyn ServerCertVerifier>);

fn own_roots(file: &Path) -> Result<OwnRoots, Fault> {
    let wrong = |why: String| {
        let what = format!("`{}` holds no usable authority ({why})", file.display());
        (what, "give a PEM file with the issuer's own certificate, or the self-signed one itself")
    };
    let size = fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
    if size > CA_FILE_MAX {
        return Err(wrong(format!("it is larger than {CA_FILE_MAX} bytes")));
    }
    let text = fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for authority in &found {
        roots.add(authority.clone()).map_err(|error| wrong(error.to_string()))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    Ok((found, verifier.map_err(|error| wrong(error.to_string()))?))
}

fn client_config(verifier: Arc<dyn ServerCertVerifier>) -> Result<Arc<ClientConfig>, Fault> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| (format!("TLS cannot be set up ({error})"), "report this"))?;
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

//! Client certificates: whether they are asked for, and whose authorities and revocations they are verified against.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Place, Problems};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::fault::CertificateFault;
use super::pem::{read_chain, read_crls, unusable_authority};
use super::provider;

/// Whether clients are asked for a certificate, and who may have issued it.
///
/// The files are read anew when they change; new ones that cannot be used change nothing. The sessions of whoever has a
/// certificate that is revoked by then, or whose authority is not in `ca` any more, end as revoked ones. TLS sessions are not resumed on
/// a listener that asks for certificates, so that each connection's certificate is verified.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawClientCertificates {
    /// `required` (default): a client without one is refused. `optional`: it may come without, and what it shows is
    /// verified. `none`: nobody is asked.
    pub mode: At<ClientCertificateMode>,
    /// PEM file with the authorities whose certificates are taken, at most 1 MiB. Needed unless `mode` is `none`.
    pub ca: Option<At<PathBuf>>,
    /// Files with their certificate revocation lists, in PEM or DER, at most 16 MiB each; about five times a file's size
    /// is kept in memory. With any list, a certificate is refused whose issuer has none among them, or an expired one.
    pub crl: OneOrMany<At<PathBuf>>,
    /// Whose revocation is looked up: of the `chain` (default), the client's certificate and the intermediate ones, or
    /// of the `leaf` alone.
    pub crl_scope: CrlScope,
    /// Takes certificates of issuers that have no list in `crl`.
    pub dangerous_accept_unknown_revocation: At<bool>,
    /// Goes on with a list whose next update is overdue: what was revoked since is not known.
    pub dangerous_accept_expired_crl: At<bool>,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificateMode {
    /// Nobody is asked.
    None,
    /// Everybody is asked, and may have none.
    Optional,
    /// Who has none is refused.
    #[default]
    Required,
}

/// Whose revocation is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrlScope {
    /// Of the client's certificate and of the intermediate ones.
    #[default]
    Chain,
    /// Of the client's certificate alone.
    Leaf,
}

/// Verifies client certificates for one listener; its files are loaded anew when told.
#[derive(Debug)]
pub struct ClientCertificates {
    /// Where they are asked for in the configuration.
    pub place: Place,
    rules: Rules,
    ca: PathBuf,
    crls: Vec<PathBuf>,
    loaded: ArcSwap<Loaded>,
}

/// What came of loading the files anew.
#[derive(Debug)]
pub enum Renewed {
    /// They hold what they held.
    Same,
    /// They are in use now.
    Replaced,
    /// They cannot be used; what was loaded before stays in use.
    Kept(CertificateFault),
}

/// Authorities and lists, and the verifier made of them.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Different from that of everything else that was ever loaded.
    pub(super) number: u64,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    authorities: Vec<CertificateDer<'static>>,
    lists: Vec<CertificateRevocationListDer<'static>>,
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    required: bool,
    scope: CrlScope,
    accept_unknown: bool,
    accept_expired: bool,
}

impl RawClientCertificates {
    /// Checks the values and loads the files; what is wrong goes to `problems`. `None` where nobody is asked.
    pub(super) fn check(self, problems: &mut Problems) -> Option<ClientCertificates> {
        let rules = Rules {
            required: self.mode.value == ClientCertificateMode::Required,
            scope: self.crl_scope,
            accept_unknown: self.dangerous_accept_unknown_revocation.value,
            accept_expired: self.dangerous_accept_expired_crl.value,
        };
        if self.mode.value == ClientCertificateMode::None {
            return None;
        }
        self.warn_of_dangers(problems);
        let Some(ca) = self.ca else {
            let help = "give a PEM file with the authorities as `ca`";
            problems.error(self.mode.place, "client certificates without an authority to verify them", help);
            return None;
        };
        let authorities = told(read_chain(&ca), ca.place, problems);
        let mut lists = Vec::new();
        for crl in self.crl.iter() {
            let read = told(read_crls(crl), crl.place, problems)?;
            if let Some(what) = read.iter().find_map(|list| overdue(crl, list)) {
                let help = "fetch the issuer's current list: until then its certificates are refused";
                problems.warning(crl.place, what, help);
            }
            lists.extend(read);
        }
        let loaded = told(Loaded::build(authorities?, lists, &ca, rules), ca.place, problems)?;
        Some(ClientCertificates {
            place: ca.place,
            rules,
            ca: ca.value,
            crls: self.crl.0.into_iter().map(|crl| crl.value).collect(),
            loaded: ArcSwap::from_pointee(loaded),
        })
    }

    fn warn_of_dangers(&self, problems: &mut Problems) {
        let unknown = (
            &self.dangerous_accept_unknown_revocation,
            "certificates whose issuer has no revocation list are taken",
            "give every issuer's list in `crl`",
        );
        let expired = (
            &self.dangerous_accept_expired_crl,
            "revocation lists are believed after they have expired",
            "have the lists fetched before they do",
        );
        for (word, what, help) in [unknown, expired] {
            if !word.value {
                continue;
            }
            match self.crl.is_empty() {
                true => problems.warning(
                    word.place,
                    "without `crl` this has no effect",
                    "remove it, or give `crl`",
                ),
                false => problems.warning(word.place, what, help),
            }
        }
    }
}

impl ClientCertificates {
    /// The files it was loaded from.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.ca).chain(&self.crls)
    }

    /// Loads the files anew. Blocks for reading them.
    pub fn reload(&self) -> Renewed {
        let read = || {
            let lists = self.crls.iter().map(|crl| read_crls(crl)).collect::<Result<Vec<_>, _>>()?.concat();
            Ok((read_chain(&self.ca)?, lists))
        };
        let current = self.loaded.load();
        let loaded = match read() {
            Ok((authorities, lists)) if (&authorities, &lists) == (&current.authorities, &current.lists) => {
                return Renewed::Same;
            }
            Ok((authorities, lists)) => Loaded::build(authorities, lists, &self.ca, self.rules),
            Err(fault) => Err(fault),
        };
        match loaded {
            Ok(loaded) => {
                self.loaded.store(Arc::new(loaded));
                Renewed::Replaced
            }
            Err(fault) => Renewed::Kept(fault),
        }
    }

    /// Whether a client without a certificate is refused.
    pub fn is_required(&self) -> bool {
        self.rules.required
    }

    /// Lists whose next update is overdue, for the log.
    pub(super) fn overdue(&self) -> Vec<String> {
        let lists = self.loaded.load();
        lists.lists.iter().filter_map(|list| overdue(&self.ca, list)).collect()
    }

    pub(super) fn loaded(&self) -> Arc<Loaded> {
        self.loaded.load_full()
    }
}

impl Loaded {
    fn build(
        authorities: Vec<CertificateDer<'static>>,
        lists: Vec<CertificateRevocationListDer<'static>>,
        ca: &Path,
        rules: Rules,
    ) -> Result<Self, CertificateFault> {
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots.add(authority.clone()).map_err(|error| unusable_authority(ca, &error))?;
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider())
            .with_crls(lists.iter().cloned());
        if !rules.required {
            builder = builder.allow_unauthenticated();
        }
        if rules.scope == CrlScope::Leaf {
            builder = builder.only_check_end_entity_revocation();
        }
        if rules.accept_unknown {
            builder = builder.allow_unknown_revocation_status();
        }
        if !rules.accept_expired {
            builder = builder.enforce_revocation_expiration();
        }
        let verifier = builder.build().map_err(|error| {
            CertificateFault::new(
                format!("client certificates cannot be verified ({error})"),
                "give the authorities as `ca`, and complete lists of theirs, not delta or indirect ones, as `crl`",
            )
        })?;
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Ok(Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), verifier, authorities, lists })
    }
}

fn told<T>(result: Result<T, CertificateFault>, place: Place, problems: &mut Problems) -> Option<T> {
    result.map_err(|fault| problems.error(place, fault.what, fault.help)).ok()
}

/// That a list's next update is overdue.
fn overdue(file: &Path, list: &CertificateRevocationListDer<'_>) -> Option<String> {
    let (_, list) = CertificateRevocationList::from_der(list).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
    let due = list.next_update()?.timestamp();
    (due < now)
        .then(|| format!("the revocation list of `{}` in `{}` has expired", list.issuer(), file.display()))
}

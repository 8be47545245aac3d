//! Which certificate a client is shown, by the name it asks for; replaced while connections go on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::{Certificate, CertificateFiles};
use super::fault::CertificateFault;

/// Chooses certificates for one listener, and loads them anew when told.
///
/// The choice sees the whole ClientHello, so that an ALPN of its own can be given a certificate of its own.
#[derive(Debug)]
pub struct CertificateResolver {
    files: Vec<CertificateFiles>,
    store: ArcSwap<Store>,
}

/// What came of loading the files anew.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Certificates that changed and are in use now, by their certificate files.
    pub replaced: Vec<CertificateFiles>,
    /// Pairs that could not be loaded: what was loaded before stays in use.
    pub kept: Vec<(CertificateFiles, CertificateFault)>,
}

/// A certificate, for whoever watches over it.
#[derive(Clone, Debug)]
pub struct ShownCertificate {
    /// Where it stands.
    pub file: PathBuf,
    /// The names that it is for.
    pub names: Vec<String>,
    /// From when until when it is valid, since 1970; none while it is still to be ordered.
    pub validity: Option<(Duration, Duration)>,
}

#[derive(Debug)]
struct Store {
    /// Where none is there yet, it is still to be ordered.
    certificates: Vec<Option<Certificate>>,
    /// Positions in `certificates`, in the order of the configuration, by name; a wildcard by what follows its `*.`.
    exact: HashMap<String, Vec<usize>>,
    wildcard: HashMap<String, Vec<usize>>,
}

impl CertificateResolver {
    pub(super) fn new(pairs: Vec<(CertificateFiles, Option<Certificate>)>) -> Self {
        let (files, certificates) = pairs.into_iter().unzip();
        Self { files, store: ArcSwap::from_pointee(Store::new(certificates)) }
    }

    /// The files it was loaded from.
    pub fn files(&self) -> &[CertificateFiles] {
        &self.files
    }

    /// Loads every pair anew. One that is bad keeps what it had; new connections see the others at once.
    /// Blocks for reading files.
    pub fn reload(&self) -> Reloaded {
        let current = self.store.load();
        let mut reloaded = Reloaded::default();
        let mut certificates = current.certificates.clone();
        for (files, certificate) in self.files.iter().zip(&mut certificates) {
            match Certificate::load(files) {
                Ok(new)
                    if !certificate.as_ref().is_some_and(|old| old.certified.cert == new.certified.cert) =>
                {
                    *certificate = Some(new);
                    reloaded.replaced.push(files.clone());
                }
                Ok(_) => {}
                Err(_) if certificate.is_none() && !files.cert.exists() => {}
                Err(fault) => reloaded.kept.push((files.clone(), fault)),
            }
        }
        if !reloaded.replaced.is_empty() {
            self.store.store(Arc::new(Store::new(certificates)));
        }
        reloaded
    }

    /// What is shown now, or is still to be ordered.
    pub fn shown(&self) -> Vec<ShownCertificate> {
        let store = self.store.load();
        let pairs = self.files.iter().zip(&store.certificates);
        pairs
            .map(|(files, certificate)| ShownCertificate {
                file: files.cert.clone(),
                names: certificate.iter().flat_map(|certificate| certificate.names.clone()).collect(),
                validity: certificate.as_ref().map(Certificate::validity),
            })
            .collect()
    }

    /// A name of the first certificate.
    #[cfg(test)]
    pub fn first_name(&self) -> Option<String> {
        self.store.load().certificates.first()?.as_ref()?.names.first().cloned()
    }

    /// The dates that are doubtful, for the log.
    pub fn unwise(&self) -> Vec<(String, &'static str)> {
        let store = self.store.load();
        let pairs = self.files.iter().zip(&store.certificates);
        pairs.filter_map(|(files, certificate)| certificate.as_ref()?.unwise(&files.cert)).collect()
    }
}

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        wicketgate_tls::note_asked_name(name);
        let store = self.store.load();
        store.choose(name, |certificate| {
            certificate.certified.key.choose_scheme(hello.signature_schemes()).is_some()
        })
    }
}

impl Store {
    fn new(certificates: Vec<Option<Certificate>>) -> Self {
        let (mut exact, mut wildcard) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (position, certificate) in certificates.iter().enumerate() {
            for name in certificate.iter().flat_map(|certificate| &certificate.names) {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut wildcard, rest),
                    None => (&mut exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_default().push(position);
            }
        }
        Self { certificates, exact, wildcard }
    }

    /// Those that have the name itself, else those that have a wildcard for it, else the first of all; among
    /// several (RSA beside ECDSA) the first that the client can verify.
    fn choose(
        &self,
        name: Option<&str>,
        verifiable: impl Fn(&Certificate) -> bool,
    ) -> Option<Arc<CertifiedKey>> {
        let lower = name.map(str::to_ascii_lowercase);
        let candidates = lower.as_deref().and_then(|name| {
            let parent = || name.split_once('.').map(|(_, parent)| parent);
            self.exact.get(name).or_else(|| self.wildcard.get(parent()?))
        });
        let first = self.certificates.iter().position(Option::is_some);
        let candidates = candidates.map_or(first.as_slice(), Vec::as_slice).iter();
        let candidates = candidates.filter_map(|&position| self.certificates.get(position)?.as_ref());
        let mut fallback = None;
        for certificate in candidates {
            if verifiable(certificate) {
                return Some(certificate.certified.clone());
            }
            fallback.get_or_insert(certificate);
        }
        fallback.map(|certificate| certificate.certified.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::Issued;
    use super::*;

    fn resolver(pairs: &[&Issued]) -> CertificateResolver {
        let load = |issued: &&Issued| (issued.files(), Some(Certificate::load(&issued.files()).unwrap()));
        CertificateResolver::new(pairs.iter().map(load).collect())
    }

    fn shown(resolver: &CertificateResolver, name: Option<&str>) -> Vec<u8> {
        let store = resolver.store.load();
        store.choose(name, |_| true).unwrap().cert[0].to_vec()
    }

    #[test]
    fn a_name_is_matched_exactly_then_by_wildcard_then_by_the_first() {
        let first = Issued::new(&["first.example"]);
        let wild = Issued::new(&["*.wild.example"]);
        let exact = Issued::new(&["a.wild.example"]);
        let resolver = resolver(&[&first, &wild, &exact]);
        assert_eq!(shown(&resolver, Some("a.wild.example")), exact.der());
        assert_eq!(shown(&resolver, Some("B.Wild.Example")), wild.der());
        assert_eq!(
            shown(&resolver, Some("x.b.wild.example")),
            first.der(),
            "a wildcard stands for one label"
        );
        assert_eq!(shown(&resolver, Some("wild.example")), first.der());
        assert_eq!(shown(&resolver, Some("other.example")), first.der());
        assert_eq!(shown(&resolver, None), first.der());
    }

    #[test]
    fn among_several_with_one_name_the_client_gets_what_it_can_verify() {
        let (one, two) = (Issued::new(&["a.example"]), Issued::new(&["a.example"]));
        let resolver = resolver(&[&one, &two]);
        let store = resolver.store.load();
        let second = |certificate: &Certificate| certificate.certified.cert[0].to_vec() == two.der();
        assert_eq!(store.choose(Some("a.example"), second).unwrap().cert[0].to_vec(), two.der());
        assert_eq!(store.choose(Some("a.example"), |_| false).unwrap().cert[0].to_vec(), one.der());
    }

    #[test]
    fn a_bad_new_pair_keeps_the_old_and_a_good_one_replaces_it() {
        let issued = Issued::new(&["a.example"]);
        let old = issued.der();
        let resolver = resolver(&[&issued]);
        assert!(resolver.reload().replaced.is_empty(), "nothing changed yet");

        let new = Issued::new(&["a.example"]);
        std::fs::copy(new.files().cert, issued.files().cert).unwrap();
        let half = resolver.reload();
        assert!(half.kept[0].1.what.contains("does not belong"), "{half:?}");
        assert_eq!(shown(&resolver, None), old);

        std::fs::copy(new.files().key, issued.files().key).unwrap();
        assert_eq!(resolver.reload().replaced, [issued.files()]);
        assert_eq!(shown(&resolver, None), new.der());
    }

    #[test]
    fn one_that_is_still_to_be_ordered_is_taken_up_when_it_comes() {
        let (first, ordered) = (Issued::new(&["first.example"]), Issued::new(&["ordered.example"]));
        let kept = std::fs::read(ordered.files().cert).unwrap();
        std::fs::remove_file(ordered.files().cert).unwrap();
        let there = (first.files(), Some(Certificate::load(&first.files()).unwrap()));
        let resolver = CertificateResolver::new(vec![(ordered.files(), None), there]);
        assert_eq!(shown(&resolver, Some("ordered.example")), first.der());
        let before = resolver.reload();
        assert!(before.replaced.is_empty() && before.kept.is_empty(), "{before:?}");
        std::fs::write(ordered.files().cert, kept).unwrap();
        assert_eq!(resolver.reload().replaced, [ordered.files()]);
        assert_eq!(shown(&resolver, Some("ordered.example")), ordered.der());
    }

    #[test]
    fn without_any_certificate_nothing_is_shown() {
        let resolver = CertificateResolver::new(Vec::new());
        assert!(resolver.store.load().choose(Some("a.example"), |_| true).is_none());
    }
}

//! Files of certificates, keys and revocation lists: read within bounds, and told apart when they are mixed up.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::SigningKey;

use super::fault::CertificateFault;

/// Larger files hold no certificate chain and no key; the bound stands before anything is read.
const FILE_MAX: u64 = 1 << 20;
/// The largest file of revocations: about 400,000 entries.
const CRL_MAX: u64 = 16 << 20;

/// Reads a chain of certificates, or a bundle of authorities.
pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let text = read(path, FILE_MAX).map_err(|error| unreadable(path, &error))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let wrong =
        |what: &str, help: &str| Err(CertificateFault::new(format!("`{}` {what}", path.display()), help));
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) if contains(&text, b"PRIVATE KEY-----") => {
            wrong("holds a private key, not a certificate", "were `cert` and `key` swapped?")
        }
        Ok(_) => wrong(
            "holds no certificate",
            "write PEM: a block that begins with -----BEGIN CERTIFICATE-----; DER becomes PEM by `openssl x509 -inform der`",
        ),
        Err(error) => {
            wrong(&format!("is broken PEM ({error:?})"), "copy the file anew, whole and as plain text")
        }
    }
}

/// Reads the authorities to trust.
pub(super) fn read_authorities(path: &Path) -> Result<RootCertStore, CertificateFault> {
    let mut roots = RootCertStore::empty();
    for authority in read_chain(path)? {
        roots.add(authority).map_err(|error| unusable_authority(path, &error))?;
    }
    Ok(roots)
}

/// What is wrong with authorities that nothing can be verified with.
pub(super) fn unusable_authority(path: &Path, error: &dyn std::fmt::Display) -> CertificateFault {
    CertificateFault::new(
        format!("`{}` holds no usable authority ({error})", path.display()),
        "give the issuer's own certificate, or the self-signed one itself",
    )
}

/// Reads certificate revocation lists, in PEM or one in DER.
pub(super) fn read_crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, CertificateFault> {
    let bytes = read(path, CRL_MAX).map_err(|error| unreadable(path, &error))?;
    // DER begins with a SEQUENCE, whose tag is no letter and no dash.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.into()]);
    }
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    match lists {
        Ok(lists) if !lists.is_empty() => Ok(lists),
        Ok(_) => Err(CertificateFault::new(
            format!("`{}` holds no certificate revocation list", path.display()),
            "give DER, or PEM: a block that begins with -----BEGIN X509 CRL-----",
        )),
        Err(error) => Err(CertificateFault::new(
            format!("`{}` is broken PEM ({error:?})", path.display()),
            "copy the file anew, whole and as plain text",
        )),
    }
}

/// Reads a private key that `provider` can sign with.
pub(super) fn read_key(
    path: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, CertificateFault> {
    let fault = |what: String, help: &str| CertificateFault::in_key(what, help);
    let shown = path.display();
    let text = read(path, FILE_MAX)
        .map_err(|error| CertificateFault { in_key: true, ..unreadable(path, &error) })?;
    let key = match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => key,
        Err(_) if contains(&text, b"ENCRYPTED") => {
            return Err(fault(
                format!("the key in `{shown}` is encrypted"),
                "nobody is there to type its passphrase: store it decrypted by `openssl pkey`, readable by this service's user alone",
            ));
        }
        Err(_) if contains(&text, b"-----BEGIN CERTIFICATE-----") => {
            return Err(fault(
                format!("`{shown}` holds a certificate, not a private key"),
                "were `cert` and `key` swapped?",
            ));
        }
        Err(error) => {
            return Err(fault(
                format!("`{shown}` holds no private key ({error})"),
                "write PEM: a block that begins with -----BEGIN PRIVATE KEY-----",
            ));
        }
    };
    provider.key_provider.load_private_key(key).map_err(|error| {
        fault(
            format!("the key in `{shown}` cannot be used ({error})"),
            "use an ECDSA key on P-256 or P-384, Ed25519, or RSA of 2048 bits or more",
        )
    })
}

fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    // One byte more than may be, since the file may grow while it is read.
    fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {} MiB", limit >> 20)));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> CertificateFault {
    let help = match error.kind() {
        io::ErrorKind::NotFound => "check the path; a relative one starts at the working directory",
        io::ErrorKind::PermissionDenied => "let this service's user read the file and enter its folders",
        _ => "give a readable file",
    };
    CertificateFault::new(format!("cannot read `{}` ({error})", path.display()), help)
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    memchr::memmem::find(text, what).is_some()
}

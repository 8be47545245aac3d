//! Which versions, cipher suites and groups are spoken: a profile, and what narrows it.

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, alternatives};

use super::provider;
use super::version::TlsVersion;

/// Which versions, cipher suites and groups are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// TLS 1.3 alone.
    Modern,
    /// TLS 1.3, and 1.2 with ephemeral keys and authenticated encryption (ECDHE with AES-GCM or ChaCha20-Poly1305).
    #[default]
    Intermediate,
    /// TLS 1.3 and 1.2 with what the FIPS module of AWS-LC has approved: AES-GCM, P-256, P-384, and hybrid groups as far as it
    /// has them. Takes a binary that was built with the feature `fips`.
    Fips,
}

/// The same as rustls takes it.
#[derive(Clone, Debug)]
pub(super) struct Algorithms {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    /// TLS 1.2 without the extended master secret (RFC 7627) is not approved.
    pub(super) require_ems: bool,
}

/// What narrows a profile.
#[derive(Debug, Default)]
pub(super) struct Narrowing {
    pub(super) min_version: Option<At<TlsVersion>>,
    pub(super) cipher_suites: Option<At<Vec<At<String>>>>,
    pub(super) groups: Option<At<Vec<At<String>>>>,
}

impl Profile {
    fn min_version(self) -> TlsVersion {
        match self {
            Self::Modern => TlsVersion::V1_3,
            Self::Intermediate | Self::Fips => TlsVersion::V1_2,
        }
    }
}

impl Algorithms {
    /// Whether NIST has approved all of them: AES-GCM, and groups on its curves or with ML-KEM.
    pub(super) fn are_approved(&self) -> bool {
        let of_aes = |name: &str| name.contains("AES") && name.contains("GCM");
        let of_nist = |name: &str| name.starts_with("secp") || name.contains("MLKEM");
        self.provider.cipher_suites.iter().all(|suite| suite.suite().as_str().is_some_and(of_aes))
            && self.provider.kx_groups.iter().all(|group| group.name().as_str().is_some_and(of_nist))
    }

    /// A profile's, narrowed; what would widen it goes to `problems`.
    pub(super) fn choose(profile: &At<Profile>, narrowing: Narrowing, problems: &mut Problems) -> Self {
        let mut chosen = (*provider()).clone();
        let fips = profile.value == Profile::Fips;
        if fips {
            chosen.cipher_suites.retain(|suite| suite.fips());
            chosen.kx_groups.retain(|group| group.fips());
            if !chosen.fips() {
                problems.error(
                    profile.place,
                    "this binary was built without the FIPS module",
                    "build it by `cargo build --release --features fips`, which needs CMake and Go, or choose another profile",
                );
            }
        }
        let own = profile.value.min_version();
        let least = narrowing.min_version.map_or(own, |wanted| {
            if wanted.value < own {
                let what = "`min_version` is older than what the profile speaks";
                problems.error(wanted.place, what, "remove it, or choose `profile: intermediate`");
            }
            wanted.value.max(own)
        });
        let mut versions = least.and_later().to_vec();
        chosen.cipher_suites.retain(|suite| versions.contains(&suite.version()));
        if let Some(wanted) = narrowing.cipher_suites {
            let suites = std::mem::take(&mut chosen.cipher_suites);
            chosen.cipher_suites = only(
                &wanted,
                suites,
                "cipher suite",
                |suite| {
                    // IANA knows no number in the names of TLS 1.3's.
                    suite.suite().as_str().unwrap_or_default().replacen("TLS13_", "TLS_", 1)
                },
                problems,
            );
        }
        if let Some(wanted) = narrowing.groups {
            let groups = std::mem::take(&mut chosen.kx_groups);
            let name = |group: &&'static dyn rustls::crypto::SupportedKxGroup| {
                group.name().as_str().unwrap_or_default().to_owned()
            };
            chosen.kx_groups = only(&wanted, groups, "group", name, problems);
        }
        // A version of which no suite is left is not spoken.
        versions.retain(|version| chosen.cipher_suites.iter().any(|suite| suite.version() == *version));
        Self { provider: Arc::new(chosen), versions, require_ems: fips }
    }
}

/// Those of `all` that are listed; a name that is not among them, and an empty list, are errors.
fn only<T>(
    wanted: &At<Vec<At<String>>>,
    all: Vec<T>,
    what: &str,
    name: impl Fn(&T) -> String,
    problems: &mut Problems,
) -> Vec<T> {
    let names: Vec<String> = all.iter().map(&name).collect();
    if wanted.is_empty() {
        problems.error(wanted.place, format!("no {what} at all is spoken"), "remove the list, or name one");
    }
    for word in wanted.iter().filter(|word| !names.contains(word)) {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let what = format!("the profile has no {what} `{}`", word.value);
        problems.error(word.place, what, alternatives(word, &known));
    }
    all.into_iter()
        .zip(names)
        .filter(|(_, name)| wanted.iter().any(|word| word.value == *name))
        .map(|(one, _)| one)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Option<At<Vec<At<String>>>> {
        Some(At::nowhere(names.iter().map(|&name| At::nowhere(name.to_owned())).collect()))
    }

    fn choose(profile: Profile, narrowing: Narrowing) -> (Algorithms, Vec<String>) {
        let mut problems = Problems::default();
        let chosen = Algorithms::choose(&At::nowhere(profile), narrowing, &mut problems);
        (chosen, problems.iter().map(|problem| format!("{}: {}", problem.what, problem.help)).collect())
    }

    #[test]
    fn modern_is_tls_1_3_alone_and_cannot_be_widened() {
        let (modern, problems) = choose(Profile::Modern, Narrowing::default());
        assert_eq!(modern.versions, [&rustls::version::TLS13]);
        assert!(problems.is_empty());
        let old = Narrowing { min_version: Some(At::nowhere(TlsVersion::V1_2)), ..Narrowing::default() };
        let (modern, problems) = choose(Profile::Modern, old);
        assert_eq!(modern.versions, [&rustls::version::TLS13]);
        assert!(problems[0].contains("older than what the profile speaks"), "{problems:?}");
    }

    #[test]
    fn lists_narrow_and_a_version_without_a_suite_is_gone() {
        let narrowing = Narrowing {
            cipher_suites: list(&["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]),
            groups: list(&["secp256r1", "X25519MLKEM768"]),
            ..Narrowing::default()
        };
        let (chosen, problems) = choose(Profile::Intermediate, narrowing);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!((chosen.provider.cipher_suites.len(), chosen.provider.kx_groups.len()), (2, 2));
        assert_eq!(chosen.versions, [&rustls::version::TLS13]);
    }

    #[test]
    fn what_the_profile_does_not_have_is_refused_with_what_it_has() {
        let suites =
            Narrowing { cipher_suites: list(&["TLS_RSA_WITH_AES_128_CBC_SHA"]), ..Narrowing::default() };
        let (_, problems) = choose(Profile::Intermediate, suites);
        assert!(problems[0].contains("no cipher suite `TLS_RSA_WITH_AES_128_CBC_SHA`"), "{problems:?}");
        // A suite of TLS 1.2 widens a profile of TLS 1.3.
        let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
        let suites = Narrowing { cipher_suites: list(&[suite]), ..Narrowing::default() };
        assert_eq!(choose(Profile::Modern, suites).1.len(), 1);
        let none = Narrowing { groups: list(&[]), ..Narrowing::default() };
        assert!(choose(Profile::Modern, none).1[0].contains("no group at all"));
    }

    #[test]
    fn fips_takes_the_module_and_then_has_only_what_it_approved() {
        let (fips, problems) = choose(Profile::Fips, Narrowing::default());
        assert_eq!(problems.is_empty(), cfg!(feature = "fips"), "{problems:?}");
        assert_eq!(fips.provider.fips() && !fips.versions.is_empty(), cfg!(feature = "fips"));
        assert!(fips.require_ems);
    }
}

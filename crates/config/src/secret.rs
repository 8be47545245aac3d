//! Values that stand in no log: masked when shown, wiped when dropped.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::place::At;
use super::problem::Problems;

/// A text that nobody may read in a log: masked in `Debug`, wiped when dropped, compared in constant time.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes()).is_ok()
    }
}

impl Eq for Secret {}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = String::json_schema(generator);
        // Whoever shows a configuration knows by this what to mask.
        schema.insert("writeOnly".into(), true.into());
        schema
    }
}

/// Where a secret comes from. One key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawSecret {
    /// A file that holds nothing else; spaces and line ends around it do not count. At most 16KiB.
    File(PathBuf),
    /// The secret itself, which should come from the environment: `${NAME}`.
    Value(Secret),
}

/// The longest file that holds a secret, in bytes.
const MAX_FILE: u64 = 16 << 10;

impl RawSecret {
    /// Reads `what` and checks that it has `min` characters; what is wrong goes to `problems`.
    pub fn check(raw: At<Self>, what: &str, min: usize, problems: &mut Problems) -> Option<Secret> {
        let secret = match raw.value {
            Self::Value(secret) => secret,
            Self::File(path) => match crate::file::read(&path, MAX_FILE).map(Zeroizing::new) {
                Ok(text) => {
                    if fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0) {
                        let open =
                            format!("every user of this machine can reach {what} in `{}`", path.display());
                        problems.warning(raw.place, open, "take their permission away: chmod o-rwx, or 0600");
                    }
                    Secret::new(text.trim())
                }
                Err(error) => {
                    let what = format!("{what} cannot be read: {}: {error}", path.display());
                    let help = format!("make one: (umask 077; openssl rand -base64 32 > {})", path.display());
                    problems.error(raw.place, what, help);
                    return None;
                }
            },
        };
        if secret.reveal().len() < min {
            let what = format!("{what} is shorter than {min} characters");
            problems.error(raw.place, what, "take one at random: openssl rand -base64 32");
            return None;
        }
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_is_read_and_its_faults_are_told_without_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, " long-enough\n").unwrap();
        let check = |raw, min| {
            let mut problems = Problems::default();
            let secret = RawSecret::check(At::nowhere(raw), "the key", min, &mut problems);
            let told = problems.iter().map(|p| format!("{} {}", p.what, p.help)).collect::<Vec<_>>();
            (secret, told)
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(check(RawSecret::File(path.clone()), 11), (Some(Secret::new("long-enough")), vec![]));
        let (none, told) = check(RawSecret::File(path.clone()), 12);
        assert!(none.is_none() && told.len() == 1 && !told[0].contains("long-enough"), "{told:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let (some, told) = check(RawSecret::File(path), 8);
        assert!(some.is_some() && told[0].contains("every user"), "{told:?}");
        for raw in [RawSecret::File(dir.path().to_owned()), RawSecret::File(dir.path().join("none"))] {
            assert!(check(raw, 8).1[0].contains("cannot be read"));
        }
        assert_eq!(check(RawSecret::Value(Secret::new("abcdefgh")), 8).1, Vec::<String>::new());
    }

    #[test]
    fn a_secret_is_masked_and_compared() {
        let secret = Secret::new("s3cret");
        assert_eq!(format!("{secret:?}"), "***");
        assert!(secret == Secret::new("s3cret") && secret != Secret::new("other"));
    }
}

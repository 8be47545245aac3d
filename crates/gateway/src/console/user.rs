//! Who may use the console and its API: users with a password and, if they have one, a second factor; tokens with a scope.

use argon2::password_hash::{Ident, PasswordHash};
use argon2::{ARGON2ID_IDENT, Params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use totp_rs::{Algorithm, TOTP};
use wicketgate_config::{At, Place, Problems, RawSecret, Secret};

/// Somebody who signs in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawUser {
    /// The name to sign in with: 1 to 64 letters, digits, `-`, `_`, `.` and `@`.
    pub name: At<String>,
    /// What the user may do: `viewer` sees, `operator` also ends sessions and revokes, `admin` also sees, checks and reloads the
    /// configuration.
    pub role: Role,
    /// The hash of the password, as `wicketgate console user NAME` prints it: argon2id with 19 MiB to 256 MiB of memory and 2 to 10
    /// passes.
    pub password: At<RawSecret>,
    /// The secret of one-time passwords (TOTP, RFC 6238: SHA-1, 6 digits, 30 s), in base32, at least 16 bytes. Without it the password is
    /// enough.
    pub totp: Option<At<RawSecret>>,
}

/// A token for programs, at the API.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawToken {
    /// Its name, for audit records: 1 to 64 letters, digits, `-`, `_`, `.` and `@`.
    pub name: At<String>,
    /// What it is good for: `read`, `operate` or `admin`; each holds those before it.
    pub scope: Scope,
    /// The token, at least 32 characters, as `Authorization: Bearer TOKEN`.
    pub token: At<RawSecret>,
}

/// What a user may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees.
    Viewer,
    /// Ends sessions, and revokes.
    Operator,
    /// Sees, checks and reloads the configuration.
    Admin,
}

/// What a caller is allowed. Each holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To see.
    Read,
    /// To end sessions, and to revoke.
    Operate,
    /// To see, check and reload the configuration.
    Admin,
}

impl Role {
    /// What it allows.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Viewer => Scope::Read,
            Self::Operator => Scope::Operate,
            Self::Admin => Scope::Admin,
        }
    }

    /// Its word in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl Scope {
    /// Its word in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// Somebody who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// What the password is compared with.
    pub password: Password,
    /// The second factor.
    pub totp: Option<Totp>,
}

/// A token for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub scope: Scope,
    /// The token.
    pub token: Secret,
}

/// The hash of a password, in the form of PHC strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(Secret);

/// The secret of one-time passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totp(Secret);

/// The shortest token, in characters: 32 of base64 are 192 bits.
const MIN_TOKEN: usize = 32;
/// The memory that a hash may take, in KiB. Less is below what OWASP recommends, more is a burden at every sign-in.
const MEMORY: std::ops::RangeInclusive<u32> = 19 << 10..=256 << 10;
/// The passes that a hash may take.
const PASSES: std::ops::RangeInclusive<u32> = 2..=10;
/// The lanes that a hash may have.
const LANES: std::ops::RangeInclusive<u32> = 1..=4;

impl RawUser {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<User> {
        check_name("a user", &self.name, problems);
        let place = self.password.place;
        let password = RawSecret::check(self.password, "the password's hash", 1, problems);
        let password = password.and_then(|secret| Password::check(secret, place, problems));
        let totp = match self.totp {
            None => None,
            Some(raw) => {
                let place = raw.place;
                let secret = RawSecret::check(raw, "the secret of one-time passwords", 1, problems)?;
                Some(Totp::check(secret, place, problems)?)
            }
        };
        Some(User { name: self.name.value, role: self.role, password: password?, totp })
    }
}

impl RawToken {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<Token> {
        check_name("a token", &self.name, problems);
        let token = RawSecret::check(self.token, "the token", MIN_TOKEN, problems)?;
        Some(Token { name: self.name.value, scope: self.scope, token })
    }
}

fn check_name(what: &str, name: &At<String>, problems: &mut Problems) {
    let is_good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b));
    if !is_good || name.is_empty() || name.len() > 64 {
        problems.error(
            name.place,
            format!("`{}` is no name for {what}", name.value),
            "a name has 1 to 64 letters, digits, `-`, `_`, `.` and `@`",
        );
    }
}

impl Password {
    fn check(secret: Secret, place: Place, problems: &mut Problems) -> Option<Self> {
        let weak = match PasswordHash::new(secret.reveal()) {
            Err(_) => Some("this is no hash of a password"),
            Ok(hash) => weakness(&hash),
        };
        if let Some(what) = weak {
            problems.secret_error(place, what, "make one with `wicketgate console user NAME`");
            return None;
        }
        Some(Self(secret))
    }

    /// The hash, for the one place that compares with it.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

/// Why this hash is not taken, if so.
fn weakness(hash: &PasswordHash<'_>) -> Option<&'static str> {
    if hash.algorithm != Ident::new_unwrap(ARGON2ID_IDENT.as_str()) || hash.version != Some(0x13) {
        return Some("the password's hash is not made by argon2id, version 19");
    }
    let Ok(params) = Params::try_from(hash) else {
        return Some("the parameters of the password's hash are none");
    };
    if !MEMORY.contains(&params.m_cost()) {
        return Some("the password's hash takes less than 19 MiB or more than 256 MiB of memory");
    }
    if !PASSES.contains(&params.t_cost()) || !LANES.contains(&params.p_cost()) {
        return Some("the password's hash takes less than 2 or more than 10 passes, or more than 4 lanes");
    }
    match (hash.salt, hash.hash.map(|output| output.len())) {
        (Some(salt), Some(16..)) if salt.as_str().len() >= 16 => None,
        _ => Some("the password's hash has no salt, or is too short"),
    }
}

impl Totp {
    fn check(secret: Secret, place: Place, problems: &mut Problems) -> Option<Self> {
        let totp = Self(secret);
        if totp.codes().is_none() {
            let help = "make one with `wicketgate console user NAME --totp`";
            problems.secret_error(place, "this is no base32 of at least 16 bytes", help);
            return None;
        }
        Some(totp)
    }

    /// What makes and compares codes: SHA-1, 6 digits, 30 seconds, as every authenticator has it.
    pub fn codes(&self) -> Option<TOTP> {
        let secret = totp_rs::Secret::Encoded(self.0.reveal().to_owned()).to_bytes().ok()?;
        TOTP::new(Algorithm::SHA1, 6, 1, 30, secret).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(hash: &str) -> Vec<String> {
        let mut problems = Problems::default();
        Password::check(Secret::new(hash), Place::UNKNOWN, &mut problems);
        problems.iter().map(|problem| problem.what.clone()).collect()
    }

    #[test]
    fn weak_hashes_are_refused() {
        let tail = "$c29tZXNhbHRzb21lc2FsdA$pBUKbYSKEQLbpERUaXEyDyaCnZLXJzPxYw0ikgOXLgQ";
        assert_eq!(problems(&format!("$argon2id$v=19$m=19456,t=2,p=1{tail}")), Vec::<String>::new());
        for bad in [
            "hunter2",
            "",
            "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            &format!("$argon2i$v=19$m=19456,t=2,p=1{tail}"),
            &format!("$argon2id$v=19$m=4096,t=3,p=1{tail}"),
            &format!("$argon2id$v=19$m=4194304,t=3,p=1{tail}"),
            &format!("$argon2id$v=19$m=19456,t=1,p=1{tail}"),
            &format!("$argon2id$v=19$m=19456,t=200,p=1{tail}"),
            "$argon2id$v=19$m=19456,t=2,p=1",
        ] {
            let found = problems(bad);
            assert_eq!(found.len(), 1, "{bad}");
            assert!(bad.is_empty() || !found.concat().contains(bad), "{found:?}");
        }
    }

    #[test]
    fn secrets_of_one_time_passwords_are_long_enough() {
        let check = |text: &str| Totp::check(Secret::new(text), Place::UNKNOWN, &mut Problems::default());
        assert!(check("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").is_some());
        for bad in ["GEZDGNBV", "not base32!", ""] {
            assert!(check(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn roles_grow() {
        assert!(
            Role::Viewer.scope() < Role::Operator.scope() && Role::Operator.scope() < Role::Admin.scope()
        );
        assert_eq!((Role::Admin.label(), Scope::Operate.label()), ("admin", "operate"));
    }
}

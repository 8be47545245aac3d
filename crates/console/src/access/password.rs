//! Passwords and one-time codes, compared apart from whoever else is served, and few at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use wicketgate_config::Secret;
use wicketgate_gateway::console::{Totp, User};

/// The longest password, in bytes.
pub(crate) const PASSWORD_MAX: usize = 1024;
/// How many may wait for each one that is compared.
const WAITING: usize = 8;
/// Seconds for which a one-time code is good.
const STEP: u64 = 30;

/// Compares passwords.
#[derive(Debug)]
pub(crate) struct Checker {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    most: usize,
    /// The step of the last code that each user has signed in with: a code serves once (RFC 6238 section 5.2).
    used: Mutex<HashMap<String, u64>>,
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Name, password or code is wrong; which, nobody is told.
    Wrong,
    /// Too many are being compared.
    Busy,
}

impl Checker {
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_once)),
            waiting: AtomicUsize::new(0),
            most: at_once * (WAITING + 1),
            used: Mutex::default(),
        }
    }

    /// Whether the password is the user's, and the code where one is asked for. It takes as long for a user that is not there.
    pub(crate) async fn check(
        &self,
        user: Option<&User>,
        password: Secret,
        code: &str,
    ) -> Result<(), Failure> {
        let _waits = Waits::among(&self.waiting, self.most).ok_or(Failure::Busy)?;
        let known = user.map(|user| Secret::new(user.password.reveal()));
        let place = self.places.clone().acquire_owned().await;
        let compared = tokio::task::spawn_blocking(move || {
            let is_right = match &known {
                Some(hash) => is_of(&password, hash.reveal()),
                None => {
                    is_of(&password, nobodys());
                    false
                }
            };
            drop(place);
            is_right
        });
        let is_right = compared.await.unwrap_or(false);
        let Some(user) = user.filter(|_| is_right) else { return Err(Failure::Wrong) };
        match &user.totp {
            Some(totp) if !self.take(&user.name, totp, code, SystemTime::now()) => Err(Failure::Wrong),
            _ => Ok(()),
        }
    }

    /// Whether the code is one of this moment, of the one before or the one after, and was not used yet.
    fn take(&self, user: &str, totp: &Totp, code: &str, now: SystemTime) -> bool {
        let Some(codes) = totp.codes() else { return false };
        let step = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / STEP;
        let code = Secret::new(code.trim());
        let near = step.saturating_sub(1)..=step + 1;
        let Some(step) = near.into_iter().find(|step| Secret::new(codes.generate(step * STEP)) == code)
        else {
            return false;
        };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = used.get(user).is_none_or(|last| step > *last);
        if is_new {
            used.insert(user.to_owned(), step);
        }
        is_new
    }
}

/// One of those who wait, until it is dropped: also where whoever asked has gone.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn among(all: &'a AtomicUsize, most: usize) -> Option<Self> {
        let one = Self(all);
        (all.fetch_add(1, Ordering::Relaxed) < most).then_some(one)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn is_of(password: &Secret, hash: &str) -> bool {
    let parsed = PasswordHash::new(hash);
    parsed.is_ok_and(|hash| Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok())
}

/// The hash of a password that nobody has.
fn nobodys() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash(&Secret::new(format!("{:x}", rand::random::<u128>()))).unwrap_or_default())
}

/// Hashes a password by argon2id as OWASP recommends it: 19 MiB, 2 passes, 1 lane. None where the system cannot.
pub fn hash(password: &Secret) -> Option<String> {
    let params = Params::new(19 << 10, 2, 1, Some(32)).ok()?;
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).ok()?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Some(argon.hash_password(password.reveal().as_bytes(), &salt).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use wicketgate_config::Problems;
    use wicketgate_gateway::console::RawUser;

    use super::*;

    fn user(more: &str) -> User {
        let hash = hash(&Secret::new("correct horse")).unwrap();
        let raw = serde_json::from_str::<serde_json::Value>(&format!(
            "{{\"name\": \"ann\", \"role\": \"viewer\", \"password\": {{\"value\": \"{hash}\"}}{more}}}"
        ));
        let raw: RawUser = serde_json::from_value(raw.unwrap()).unwrap();
        raw.check(&mut Problems::default()).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_the_users_or_it_is_not() {
        let (checker, user) = (Checker::new(1), user(""));
        let check = async |user, password: &str| checker.check(user, Secret::new(password), "").await;
        assert_eq!(check(Some(&user), "correct horse").await, Ok(()));
        for (user, password) in [(Some(&user), "correct"), (Some(&user), ""), (None, "correct horse")] {
            assert_eq!(check(user, password).await, Err(Failure::Wrong));
        }
        let busy = Checker { most: 0, ..Checker::new(1) };
        assert_eq!(busy.check(Some(&user), Secret::new("correct horse"), "").await, Err(Failure::Busy));
    }

    #[tokio::test]
    async fn whoever_goes_before_the_answer_takes_no_place() {
        let (checker, user) = (Checker::new(1), user(""));
        for _ in 0..20 {
            let asked = checker.check(Some(&user), Secret::new("correct horse"), "");
            let gone = tokio::time::timeout(Duration::ZERO, asked).await;
            assert!(gone.is_err());
        }
        assert_eq!(checker.waiting.load(Ordering::Relaxed), 0);
        assert_eq!(checker.check(Some(&user), Secret::new("correct horse"), "").await, Ok(()));
    }

    /// The secret and a code of RFC 6238, appendix B; of its eight digits the last six.
    #[test]
    fn a_code_serves_once_and_near_its_time() {
        let user = user(", \"totp\": {\"value\": \"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\"}");
        let totp = user.totp.unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let checker = Checker::new(1);
        assert!(!checker.take("ann", &totp, "081805", at(1_111_111_109)));
        assert!(!checker.take("ann", &totp, "081804", at(1_111_111_109 + 90)));
        assert!(checker.take("ann", &totp, "081804", at(1_111_111_109 + 20)));
        assert!(!checker.take("ann", &totp, "081804", at(1_111_111_109)), "it was used");
        assert!(checker.take("bob", &totp, "081804", at(1_111_111_109)));
        assert!(!checker.take("eve", &totp, "", at(1_111_111_109)));
    }
}

//! What ties an answer of the provider to the browser that was sent there: everything is made out of one random word, which that browser
//! holds in a cookie. Nothing is kept here, so that nobody fills a table.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wicketgate_config::Secret;

/// How long somebody may take to sign in at the provider.
pub(super) const TIME: Duration = Duration::from_secs(600);
/// The longest cookie of ours: ten digits, a dot, and 32 bytes in base64.
const MAX_COOKIE: usize = 64;

/// Makes flows, and knows its own again. Those of an earlier process are nobody's.
#[derive(Debug)]
pub(super) struct Flows(hmac::Key);

/// One sign-in, from the console's page to the provider and back.
pub(super) struct Flow {
    /// What the browser keeps.
    pub(super) cookie: Secret,
    /// What comes back through the browser (RFC 6749 section 10.12).
    pub(super) state: Secret,
    /// What comes back in the token (OpenID Connect Core 1.0 section 15.5.2).
    pub(super) nonce: Secret,
    /// What only the one who began can show when the code is exchanged (RFC 7636).
    pub(super) verifier: Secret,
}

impl Flows {
    pub(super) fn new() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()))
    }

    /// A new one, begun at `now`.
    pub(super) fn begin(&self, now: SystemTime) -> Flow {
        let seed = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        self.of(format!("{}.{seed}", seconds(now)))
    }

    /// That of a cookie, where the answer's state is its own and it is not too old.
    pub(super) fn find(&self, cookie: &str, state: &str, now: SystemTime) -> Option<Flow> {
        let (began, _) = cookie.split_once('.').filter(|_| cookie.len() <= MAX_COOKIE)?;
        let age = seconds(now).checked_sub(began.parse().ok()?)?;
        let flow = self.of(cookie.to_owned());
        // The state is made of the time as well: nobody makes an old one young.
        (age <= TIME.as_secs() && flow.state == Secret::new(state)).then_some(flow)
    }

    fn of(&self, cookie: String) -> Flow {
        let made = |what: &str| {
            let tag = hmac::sign(&self.0, format!("{what} {cookie}").as_bytes());
            Secret::new(URL_SAFE_NO_PAD.encode(tag.as_ref()))
        };
        let (state, nonce, verifier) = (made("state"), made("nonce"), made("verifier"));
        Flow { cookie: Secret::new(cookie), state, nonce, verifier }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_belongs_to_the_browser_that_asked() {
        let (flows, now) = (Flows::new(), UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let (one, two) = (flows.begin(now), flows.begin(now));
        let find = |cookie: &str, state: &Secret, at| flows.find(cookie, state.reveal(), at);
        let found = find(one.cookie.reveal(), &one.state, now + TIME).unwrap();
        assert!(found.nonce == one.nonce && found.verifier == one.verifier && found.state != found.nonce);
        assert_eq!(found.verifier.reveal().len(), 43, "RFC 7636 section 4.1");
        assert!(find(one.cookie.reveal(), &two.state, now).is_none());
        assert!(find(one.cookie.reveal(), &one.state, now + TIME + Duration::from_secs(1)).is_none());
        assert!(find(one.cookie.reveal(), &one.state, now - Duration::from_secs(1)).is_none());
        let younger = one.cookie.reveal().replacen("18", "19", 1);
        for bad in ["", ".", "x.y", &younger, &"9".repeat(100)] {
            assert!(find(bad, &one.state, now).is_none(), "{bad}");
        }
        assert!(Flows::new().find(one.cookie.reveal(), one.state.reveal(), now).is_none());
    }
}

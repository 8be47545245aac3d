//! Two thousand sessions of two hundred subjects while keys change, the configuration is reloaded and an operator ends
//! some: those that are meant to end do, and the others feel nothing.

use std::time::{Duration, Instant};

use wicketgate_testkit::{
    peers::oidc::{OldKeys, TokenForm, TokenRequest},
    raw::Endpoint,
};

use super::{
    super::load::{Fate, Load},
    PATIENCE, Site, open_at,
};

const SUBJECTS: usize = 200;
/// Sessions of each subject.
const EACH: usize = 10;
/// Subjects whose sessions an operator ends; as many on a route that goes away; as many whose tokens expire.
const FEW: usize = 10;
/// Between two messages of one session, so that all of them send 2,000 a second.
const PACE: Duration = Duration::from_secs(1);
/// Life of a token that expires in the course of it.
const SHORT: Duration = Duration::from_secs(6);
const RELOADED: &str = "configuration reloaded";

/// Opens the sessions of these subjects.
async fn open(site: &Site, subjects: std::ops::Range<usize>, target: &str, lifetime: Duration) -> Load {
    let endpoint = Endpoint::plain(site.front.addr());
    let mut load = Load::none().pace(PACE);
    for at in subjects {
        let form = if at % 2 == 0 { TokenForm::Es256 } else { TokenForm::Rs256 };
        let request = TokenRequest { subject: subject(at), form, lifetime, ..TokenRequest::default() };
        let token = site.provider.token(request).await.unwrap();
        for _ in 0..EACH {
            load.join(open_at(&endpoint, target, &token).await.unwrap()).await;
        }
    }
    load
}

fn subject(at: usize) -> String {
    format!("person-{at}")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_thousand_sessions_those_end_that_are_meant_to() {
    let site = Site::start().await;
    let long = TokenRequest::default().lifetime;
    let kicked = open(&site, 0..FEW, "/", long).await;
    let going = open(&site, FEW..2 * FEW, "/going", long).await;
    let staying = open(&site, 2 * FEW..SUBJECTS - FEW, "/", long).await;

    // New keys, and sessions by them; the old keys are taken back, which ends nobody.
    site.provider.rotate_keys(OldKeys::Removed).await.unwrap();
    let fresh = site.tokens().await;
    site.until_taken(&fresh[0]).await;
    let issued = Instant::now();
    let expiring = open(&site, SUBJECTS - FEW..SUBJECTS, "/", SHORT).await;
    staying.round().await;
    let listed = site.operate(&["sessions", "list", "--json", "--subject", &subject(SUBJECTS / 2)]).await;
    // What `check` would say of the configuration stands before it.
    let sessions = listed.lines().filter(|line| line.starts_with("{\"session\""));
    assert_eq!(sessions.count(), EACH, "{listed}");

    for at in 0..FEW {
        site.operate(&["sessions", "kick", "--subject", &subject(at)]).await;
    }
    kicked.ended().await.all(FEW * EACH, Fate::Closed(1008));

    let (kept, _) = site.config.split_once("  - name: going").unwrap();
    let (_, rest) = site.config.split_once("admin:").unwrap();
    let without = format!("{kept}admin:{rest}drain: {{timeout: 2s}}\n");
    site.gateway.reload(&without, RELOADED).await.unwrap();
    going.ended().await.all(FEW * EACH, Fate::Closed(1012));

    expiring.ended().await.all(FEW * EACH, Fate::Closed(1008));
    assert!(issued.elapsed() < SHORT + PATIENCE);
    staying.round().await;
    staying.finish().await.all((SUBJECTS - 3 * FEW) * EACH, Fate::Finished);
}

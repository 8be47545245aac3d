//! What tokens are good for: once, in time, for one name and one key.
#![allow(clippy::unwrap_used)]

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::authority::AUTHORITY_LIFETIME;
use crate::enrolment::message::Blob;

const HOUR: Duration = Duration::from_secs(3600);

struct Made {
    folder: tempfile::TempDir,
    authority: Authority,
    tokens: Tokens,
}

fn made() -> Made {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::create("site.example", AUTHORITY_LIFETIME).unwrap();
    let authority = Authority::open(&files.certificate, &files.key).unwrap();
    let tokens = Tokens::of(folder.path());
    Made { folder, authority, tokens }
}

fn request(name: &str) -> Vec<u8> {
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn asked(token: &Token, request: Vec<u8>) -> JoinRequest {
    let mac = token.key().unwrap().mac(token.id(), &request);
    JoinRequest { token: Blob(token.id().to_vec()), request: Blob(request), mac: Blob(mac) }
}

impl Made {
    fn token(&self) -> Token {
        self.tokens.create(&self.authority, Role::Agent, "office", HOUR).unwrap()
    }

    fn redeem(&self, asked: &JoinRequest) -> Result<String, JoinRefusal> {
        let redeemed = self.tokens.redeem(&self.authority, asked, SystemTime::now());
        redeemed.map(|(name, _)| name.to_string()).map_err(|(reason, _)| reason)
    }
}

#[test]
fn a_token_gives_its_own_name_once_whatever_is_asked_for() {
    let made = made();
    let (token, other) = (made.token(), made.token());
    let first = asked(&token, request("spiffe://site.example/gateway/front"));
    assert_eq!(made.redeem(&first).unwrap(), "spiffe://site.example/agent/office");
    assert_eq!(made.redeem(&first), Err(JoinRefusal::Token), "the same again");
    assert_eq!(made.redeem(&asked(&token, request("x"))), Err(JoinRefusal::Token), "another key");
    assert!(made.redeem(&asked(&other, request("x"))).is_ok());
}

#[test]
fn whoever_passes_a_request_on_can_change_nothing() {
    let made = made();
    let (token, other) = (made.token(), made.token());
    let good = asked(&token, request("x"));
    let theirs = asked(&other, good.request.0.clone());
    for (what, bent) in [
        ("another request", JoinRequest { request: Blob(request("x")), ..good.clone() }),
        ("another token", JoinRequest { token: theirs.token.clone(), ..good.clone() }),
        ("another's MAC", JoinRequest { mac: theirs.mac.clone(), ..good.clone() }),
        ("no MAC", JoinRequest { mac: Blob(Vec::new()), ..good.clone() }),
        ("no token", JoinRequest { token: Blob(Vec::new()), ..good.clone() }),
        ("a long token", JoinRequest { token: Blob(vec![b'/'; 1000]), ..good.clone() }),
    ] {
        assert_eq!(made.redeem(&bent), Err(JoinRefusal::Token), "{what}");
    }
    for at in 0..good.request.0.len() {
        let mut bent = good.clone();
        bent.request.0[at] ^= 1;
        assert_eq!(made.redeem(&bent), Err(JoinRefusal::Token), "bent at {at}");
    }
    // What was refused has not used it up.
    assert_eq!(made.redeem(&asked(&token, b"no request".to_vec())), Err(JoinRefusal::Request));
    assert!(made.redeem(&good).is_ok());
    // A token of another authority.
    let stranger = self::made();
    assert_eq!(made.redeem(&asked(&stranger.token(), request("x"))), Err(JoinRefusal::Token));
}

#[test]
fn a_token_expires_and_is_taken_by_one_of_many_at_once() {
    let made = made();
    let late = asked(&made.token(), request("x"));
    let later = made.tokens.redeem(&made.authority, &late, SystemTime::now() + HOUR);
    assert_eq!(later.unwrap_err().0, JoinRefusal::Expired);
    let token = made.token();
    let requests: Vec<_> = (0..8).map(|_| asked(&token, request("x"))).collect();
    let served = std::thread::scope(|scope| {
        let all: Vec<_> = requests.iter().map(|one| scope.spawn(|| made.redeem(one).is_ok())).collect();
        all.into_iter().map(|one| one.join().unwrap()).filter(|served| *served).count()
    });
    assert_eq!(served, 1);
}

#[test]
fn the_folder_holds_no_token_and_nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let made = made();
    let token = made.token();
    let folder = made.folder.path().join("tokens");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    let text = token.reveal();
    assert!(!fs::read_to_string(file).unwrap().contains(&text["wgt1_".len() + 22..60]));
    let refused = made.tokens.create(&made.authority, Role::Gateway, "front", HOUR);
    assert!(matches!(refused, Err(TokensError::Role)));
    assert!(made.tokens.create(&made.authority, Role::Agent, "a/b", HOUR).is_err());
    // Those that have expired are removed with the next.
    assert_eq!(made.tokens.prune(SystemTime::now() + HOUR + Duration::from_secs(86_401)).unwrap(), 0);
}

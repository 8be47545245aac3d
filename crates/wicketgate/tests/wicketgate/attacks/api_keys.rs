//! API keys that are none: each is refused with the same answer, goes nowhere, and stands in no log.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::raw::{Ended, RawClient, Recorded, Upgrade};

use super::{LISTENER, Stage, UPSTREAM};
use crate::cli::wicketgate;
use crate::keys::PEPPER;

/// A folder with a pepper and a configuration for `wicketgate key`; the same methods for the gateway.
pub(super) struct Keys {
    pub(super) folder: Dir,
}

impl Keys {
    pub(super) fn new() -> Self {
        let folder = Dir::new().unwrap();
        let pepper = folder.write("pepper", PEPPER).unwrap();
        fs::set_permissions(pepper, fs::Permissions::from_mode(0o600)).unwrap();
        let keys = Self { folder };
        let config = format!(
            "listeners: [{{bind: 127.0.0.1:0}}]\nroutes: [{{name: a, respond: {{status: 204}}}}]\nauthentication:\n{}",
            keys.method()
        );
        keys.folder.write("wicketgate.yaml", config).unwrap();
        keys
    }

    /// The method `keys`, an item of the list `authentication`.
    pub(super) fn method(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            "- {{name: keys, api_key: {{store: {folder}/keys.jsonl, pepper: {{file: {folder}/pepper}}, refresh: 100ms, \
             from: [{{header: X-Api-Key}}, {{header: Authorization}}, {{query: key}}]}}}}\n"
        )
    }

    /// A gateway with an open route for the honest and one for holders of keys.
    async fn stage(&self) -> Stage {
        let config = format!(
            "{LISTENER}{UPSTREAM}authentication:\n{}log: {{level: debug}}\nroutes:\n- {{name: open, upstream: backend, match: {{path: /open}}}}\n\
             - {{name: keys, upstream: backend, match: {{path: /keys}}, admission: {{authentication: {{any: [keys]}}}}}}\n",
            self.method()
        );
        Stage::start(&config).await
    }

    /// Runs `wicketgate key`; gives what it prints.
    pub(super) fn command(&self, arguments: &[&str]) -> String {
        let (code, out, err) = wicketgate(self.folder.path(), &[&["key"], arguments].concat());
        assert_eq!(code, 0, "{err}");
        out.trim().to_owned()
    }
}

fn with_key(target: &str, key: &str) -> Upgrade {
    Upgrade::new(target).with("X-Api-Key", key)
}

/// Waits until the gateway has read the store once more than `seen` times.
pub(super) async fn read_again(stage: &Stage, seen: usize) {
    let patience = Duration::from_secs(10);
    stage.gateway.process().more_lines("API keys read", seen, patience).await.unwrap();
}

#[tokio::test]
async fn a_key_opens_its_route_and_goes_no_further() {
    let keys = Keys::new();
    let key = keys.command(&["create", "--subject", "alice"]);
    let stage = keys.stage().await;
    for upgrade in [
        with_key("/keys?x=1", &key),
        Upgrade::new("/keys?x=2").with("Authorization", &format!("Bearer {key}")),
        Upgrade::new(&format!("/keys?x=3&key={key}")),
    ] {
        let mut client = stage.client().await;
        client.upgrade(&upgrade).await.unwrap();
        client.echoes("hello").await.unwrap();
    }
    let heads = stage.heads();
    assert_eq!(heads.len(), 3);
    for head in heads {
        assert!(!head.text().contains("wgk_") && head.target().starts_with("/keys?x="), "{}", head.text());
    }
    assert_no_secret(&stage, &key);
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let keys = Keys::new();
    let key = keys.command(&["create", "--subject", "alice"]);
    let other = keys.command(&["create", "--subject", "bob"]);
    let expired = keys.command(&["create", "--subject", "carol", "--expires", "0s"]);
    let stage = keys.stage().await;
    // The id of one key with the secret of another has the checksum of neither; a key of another store has the id of none.
    let foreign = Keys::new().command(&["create", "--subject", "alice"]);
    let mixed = format!("{}{}", &key[..21], &other[21..]);
    let bent = format!("{}{}", &key[..68], if key.ends_with('A') { 'B' } else { 'A' });
    let attacks = [
        Upgrade::new("/keys"),
        with_key("/keys", &mixed),
        with_key("/keys", &bent),
        with_key("/keys", &foreign),
        with_key("/keys", &expired),
        with_key("/keys", &key.to_uppercase()),
        with_key("/keys", &key[..40]),
        with_key("/keys", &"wgk_".repeat(500)),
        with_key("/keys", ""),
        with_key("/keys", &key).with("X-Api-Key", &key),
        with_key("/keys", &key).with("Authorization", &format!("Bearer {key}")),
        with_key(&format!("/keys?key={key}"), &key),
        Upgrade::new("/keys").with("Authorization", &format!("Basic {key}")),
        Upgrade::new("/keys").with("Authorization", &key),
        Upgrade::new("/keys").with("X_Api_Key", &key),
        Upgrade::new("/keys").with("Cookie", &format!("X-Api-Key={key}")),
    ];
    let proof = stage.proof("/open");
    for attack in attacks {
        proof.request(&attack, 401).await.unwrap_or_else(|error| panic!("{attack:?}: {error:#}"));
    }
    for secret in [key, other, expired, foreign] {
        assert_no_secret(&stage, &secret);
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_any_more() {
    let keys = Keys::new();
    let (key, other) =
        (keys.command(&["create", "--subject", "alice"]), keys.command(&["create", "--subject", "bob"]));
    let stage = keys.stage().await;
    let mut client = stage.client().await;
    client.upgrade(&with_key("/keys", &key)).await.unwrap();
    let seen = stage.gateway.process().lines_with("API keys read");
    keys.command(&["revoke", &key[4..20]]);
    read_again(&stage, seen).await;
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1008)), "its session ends with it");
    let over = |recorded: &Recorded| recorded.ended;
    stage.backend.until("the end of the session", over).await.unwrap();
    stage.proof("/open").request(&with_key("/keys", &key), 401).await.unwrap();
    stage.gateway.log("the credential was revoked").await.unwrap();

    // A store that somebody broke changes nothing: neither who is refused nor who is served.
    keys.folder.write("keys.jsonl", "broken\n").unwrap();
    stage.gateway.log("API keys stay as they were").await.unwrap();
    stage.proof("/open").request(&with_key("/keys", &key), 401).await.unwrap();
    let mut client = RawClient::connect(&stage.listener(0)).await.unwrap();
    client.upgrade(&with_key("/keys", &other)).await.unwrap();
    assert_no_secret(&stage, &key);
}

/// The secret part stands in nothing that the gateway has written.
pub(super) fn assert_no_secret(stage: &Stage, key: &str) {
    let written = stage.gateway.process().output();
    assert!(!written.contains(&key[21..33]) && !written.contains(PEPPER), "{written}");
}

//! Words about who a client is that the client has said itself: backends hear the gateway's alone.

use wicketgate_testkit::raw::{Head, Upgrade};

use super::api_keys::Keys;
use super::{LISTENER, Stage, UPSTREAM};

/// Ways to write a forged identity.
const FORGED: [&str; 9] = [
    "X-Wicketgate-Subject",
    "X_Wicketgate_Subject",
    "x-wicketgate_subject",
    "X.Wicketgate.Subject",
    "X-Wicketgate-Token",
    "X-Wicketgate-Whatever",
    "X-Email",
    "X_Email",
    "x_team",
];

async fn stage(keys: &Keys) -> Stage {
    let told = "identity_headers: {claims: {email: X-Email, team: X-Team}, method: X-Method}";
    let config = format!(
        "{LISTENER}{UPSTREAM}authentication:\n{}log: {{level: debug}}\nroutes:\n\
         - {{name: open, upstream: backend, match: {{path: /open}}}}\n\
         - {{name: plain, upstream: backend, match: {{path: /plain}}, admission: {{authentication: {{any: [keys]}}}}}}\n\
         - {{name: keys, upstream: backend, match: {{path: /keys}}, admission: {{authentication: {{any: [keys]}}, {told}}}}}\n",
        keys.method()
    );
    Stage::start(&config).await
}

fn forge(upgrade: Upgrade) -> Upgrade {
    FORGED.iter().fold(upgrade, |upgrade, name| upgrade.with(name, "forged").with(name, "forged"))
}

/// The head of this request at the backend, after the gateway let it through.
async fn reached(stage: &Stage, upgrade: &Upgrade) -> Head {
    let mut client = stage.client().await;
    client.upgrade(upgrade).await.unwrap();
    let (_, recorded) = stage.backend.requested(upgrade.target()).await.unwrap();
    recorded.heads[0].clone()
}

#[tokio::test]
async fn nobody_says_who_they_are_but_the_gateway() {
    let keys = Keys::new();
    let claims = ["--claim", "email=alice@example.com", "--subject", "alice å\u{2028}"];
    let key = keys.command(&[&["create"], claims.as_slice()].concat());
    let stage = stage(&keys).await;

    let open = reached(&stage, &forge(Upgrade::new("/open"))).await;
    assert!(!open.text().contains("forged"), "{}", open.text());

    let plain =
        reached(&stage, &forge(Upgrade::new("/plain")).with("Authorization", &format!("Bearer {key}"))).await;
    assert!(!plain.text().contains("forged") && !plain.text().contains("wgk_"), "{}", plain.text());
    assert_eq!(plain.all("x-wicketgate-subject"), ["alice %C3%A5%E2%80%A8"]);
    assert!(plain.all("x-email").is_empty());

    let told = reached(&stage, &forge(Upgrade::new("/keys")).with("X-Api-Key", &key)).await;
    assert!(!told.text().contains("forged"), "{}", told.text());
    assert_eq!(told.all("x-wicketgate-subject"), ["alice %C3%A5%E2%80%A8"]);
    assert_eq!(told.all("x-email"), ["alice@example.com"]);
    assert_eq!(told.all("x-method"), ["keys"]);
    assert!(told.all("x-team").is_empty(), "a claim that is not there is not told, by the client neither");
}

/// `Connection` may name no header of ours: a proxy on the way would drop it.
#[tokio::test]
async fn a_client_cannot_have_its_identity_dropped() {
    let keys = Keys::new();
    let key = keys.command(&["create", "--subject", "alice"]);
    let stage = stage(&keys).await;
    let drop = |name: &str| {
        let connection = format!("upgrade, {name}");
        Upgrade::new("/keys").with("X-Api-Key", &key).set("Connection", &connection)
    };
    stage.proof("/open").request(&drop("X-Wicketgate-Subject"), 400).await.unwrap();
    let told = reached(&stage, &drop("X-Method")).await;
    assert_eq!((told.all("x-wicketgate-subject").len(), told.all("x-method").len()), (1, 1));
}

//! Who has proved an identity, and may not use the route all the same.

use serde_json::{Value, json};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::issuer::{SigningKey, now};
use wicketgate_testkit::raw::Upgrade;

use super::{LISTENER, Stage, UPSTREAM};

struct Rooms {
    stage: Stage,
    key: SigningKey,
    folder: Dir,
}

/// What has to hold at `/rooms/...`.
const RULE: &str = "claims.team == 'blue' && request.path.startsWith('/rooms/' + claims.room) && \
                    request.headers['x-client'] != 'old' && in_network(client.address, '127.0.0.0/8')";

fn config(rule: &str, key: &Dir) -> String {
    let file = key.join("key.pem");
    format!(
        "{LISTENER}{UPSTREAM}log: {{level: debug}}\n\
         authentication: [{{name: site, jwt: {{issuer: 'https://id.example', audience: chat, keys: {{file: {}}}}}}}]\n\
         routes:\n- {{name: open, match: {{path: /open}}, upstream: backend}}\n\
         - name: rooms\n  match: {{path: /rooms/*}}\n  upstream: backend\n  admission:\n    \
         authentication: {{any: [site]}}\n    authorization: {rule}\n",
        file.display()
    )
}

impl Rooms {
    async fn start() -> Self {
        let key = SigningKey::es256("one").unwrap();
        let folder = Dir::new().unwrap();
        folder.write("key.pem", &key.public_pem).unwrap();
        Self { stage: Stage::start(&config(RULE, &folder)).await, key, folder }
    }

    fn asking(&self, target: &str, claims: Value) -> Upgrade {
        let mut all = json!({"iss": "https://id.example", "aud": "chat", "sub": "alice", "exp": now() + 600});
        for (name, claim) in claims.as_object().unwrap() {
            all[name] = claim.clone();
        }
        let token = self.key.sign(&all).unwrap();
        Upgrade::new(target).with("Authorization", &format!("Bearer {token}")).with("X-Client", "new")
    }
}

#[tokio::test]
async fn who_may_not_use_a_route_does_not_reach_it() {
    let rooms = Rooms::start().await;
    let proof = rooms.stage.proof("/open");
    let blue = json!({"team": "blue", "room": "north"});
    for attack in [
        rooms.asking("/rooms/north", json!({"team": "red", "room": "north"})),
        rooms.asking("/rooms/south", blue.clone()),
        rooms.asking("/rooms/south/../north", json!({"team": "blue", "room": "south/.."})),
        // What cannot be evaluated is refused: no such claim, another type, no such header.
        rooms.asking("/rooms/north", json!({"team": "blue"})),
        rooms.asking("/rooms/north", json!({"room": "north"})),
        rooms.asking("/rooms/north", json!({"team": ["blue"], "room": "north"})),
        rooms.asking("/rooms/north", json!({"team": "blue", "room": 7})),
        rooms.asking("/rooms/north", blue.clone()).without("X-Client"),
        rooms.asking("/rooms/north", blue.clone()).set("X-Client", "old"),
        rooms.asking("/rooms/north", blue.clone()).with("X-Client", "old").set("X-Client", "old"),
    ] {
        proof.request(&attack, 403).await.unwrap_or_else(|error| panic!("{}: {error:#}", attack.target()));
    }
    // Without an identity the question does not arise.
    proof.request(&Upgrade::new("/rooms/north"), 401).await.unwrap();
    let audited = rooms.stage.gateway.log("admission.refused").await.unwrap();
    assert!(audited.contains("subject=\"alice\"") && audited.contains("method=\"site\""), "{audited}");
    rooms.stage.gateway.log("reason=\"authorization_error\"").await.unwrap();
    rooms.stage.gateway.log("there is no `x-client`").await.unwrap();
    rooms.stage.gateway.log("reason=\"forbidden\"").await.unwrap();
    let mut honest = rooms.stage.client().await;
    honest.upgrade(&rooms.asking("/rooms/north", blue)).await.unwrap();
    honest.echoes("hello").await.unwrap();
    let (_, recorded) = rooms.stage.backend.requested("/rooms/north").await.unwrap();
    assert!(recorded.heads[0].all("authorization").is_empty());
}

/// RFC 6750 section 3.1: the token is good, and another one of its kind would not help.
#[tokio::test]
async fn a_good_token_without_the_scope_is_forbidden_and_not_unproved() {
    let key = SigningKey::es256("one").unwrap();
    let folder = Dir::new().unwrap();
    folder.write("key.pem", &key.public_pem).unwrap();
    let config = config(RULE, &folder).replace("audience: chat,", "audience: chat, scopes: [chat, read],");
    let rooms = Rooms { stage: Stage::start(&config).await, key, folder };
    let asking =
        |scope: &str| rooms.asking("/rooms/north", json!({"team": "blue", "room": "north", "scope": scope}));
    let proof = rooms.stage.proof("/open");
    proof.request(&asking("chat"), 403).await.unwrap();
    let mut client = rooms.stage.client().await;
    client.send(&asking("read chats").bytes()).await.unwrap();
    let told = client.head().await.unwrap().all("www-authenticate").concat();
    assert_eq!(told, "Bearer error=\"insufficient_scope\"");
    rooms.stage.gateway.log("credential_insufficient").await.unwrap();
    let mut honest = rooms.stage.client().await;
    honest.upgrade(&asking("read chat")).await.unwrap();
    honest.echoes("hello").await.unwrap();
}

#[tokio::test]
async fn a_new_rule_holds_for_sessions_that_are_open() {
    let rooms = Rooms::start().await;
    let open = |room: &'static str| {
        let upgrade = rooms.asking(&format!("/rooms/{room}"), json!({"team": "blue", "room": room}));
        let stage = &rooms.stage;
        async move {
            let mut client = stage.client().await;
            client.upgrade(&upgrade).await.unwrap();
            client.echoes("before").await.unwrap();
            client
        }
    };
    let (mut north, mut south) = (open("north").await, open("south").await);
    let address = rooms.stage.ports[0].addr().to_string();
    let backend = rooms.stage.backend.addr().unwrap().to_string();
    let next = config("claims.team == 'blue' && claims.room == 'north'", &rooms.folder);
    let next = next.replace("LISTEN", &address).replace("BACKEND", &backend);
    rooms.stage.gateway.reload(&next, "configuration reloaded").await.unwrap();
    assert_eq!(south.ended().await.unwrap(), wicketgate_testkit::raw::Ended::Closed(Some(1012)));
    north.echoes("after").await.unwrap();
    // A rule that asks for what no session kept holds for none.
    let next = next.replace("claims.room == 'north'", "request.headers['x-team'] == 'blue'");
    rooms.stage.gateway.reload(&next, "configuration reloaded").await.unwrap();
    assert_eq!(north.ended().await.unwrap(), wicketgate_testkit::raw::Ended::Closed(Some(1012)));
    rooms.stage.proof("/open").honest().await.unwrap();
}

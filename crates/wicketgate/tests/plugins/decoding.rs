//! A format that is a component: its fields are what rules see, and what it gets wrong ends one session.

use wicketgate_plugin::testing;
use wicketgate_testkit::attack::Rejected;

use crate::stage::{Stage, text};

/// Messages are their kind, and only `chat` may pass.
pub(crate) async fn stage() -> Stage {
    Stage::of(&[("meter", testing::decoding())], |_, file| {
        format!(
            "format: {{wasm: {{component: '{file}', type: text, kind: kind}}}}, to_upstream: [{{name: kinds, allow: [{{kinds: [chat]}}]}}]"
        )
    })
    .await
}

#[tokio::test]
async fn rules_see_what_the_component_says() {
    let stage = stage().await;
    let proof = stage.proof("meter").saying("chat");
    for (message, code) in [("other", 1008), ("", 1007), ("!", 1011), ("?", 1011)] {
        let proven = proof.session(&text(message), Rejected::Closed(code), &[]).await;
        proven.unwrap_or_else(|error| panic!("{message}: {error:#}"));
    }
    let metrics = stage.metrics().await;
    for class in ["plugin_answer", "plugin_trap", "malformed"] {
        let line = metrics.lines().find(|line| line.contains(&format!("class=\"{class}\"")));
        assert!(line.is_some_and(|line| line.ends_with(" 1")), "{class}: {metrics}");
    }
}

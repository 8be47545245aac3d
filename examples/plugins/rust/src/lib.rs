//! No order above what its client may order: the claim `limit`, or else `limit` of the configuration. What is sent to clients is
//! not looked at, and orders of a tenth of the limit and less get `"checked":true`.

use serde_json::{Map, Value};

use crate::wicketgate::policy::log::{write, Level};
use crate::wicketgate::policy::types::{Change, Edit, Refusal, Scalar};
use crate::wicketgate::policy::{config, session};

wit_bindgen::generate!({ path: "../../../crates/plugin/wit", world: "policy" });

struct OrderLimit;

impl Guest for OrderLimit {
    fn judge(direction: Direction, _: Data, kind: String, payload: Vec<u8>) -> Verdict {
        if direction == Direction::ToClient || kind != "order" {
            return Verdict::Pass;
        }
        let Ok(order) = serde_json::from_slice::<Map<String, Value>>(&payload) else {
            return refuse("no-object");
        };
        let Some(amount) = order.get("amount").and_then(Value::as_f64) else {
            return refuse("no-amount");
        };
        let limit = limit();
        if !(0.0..=limit).contains(&amount) {
            write(Level::Info, &format!("an order of {amount}, and the limit is {limit}"));
            return refuse("above-limit");
        }
        if amount > limit / 10.0 {
            return Verdict::Tag(vec!["large-order".into()]);
        }
        let checked = Change::Put(Scalar::Boolean(true));
        Verdict::Edit(vec![Edit { path: "checked".into(), change: checked }])
    }
}

/// What the client may order: nothing, where nobody says so.
fn limit() -> f64 {
    let claims = serde_json::from_str::<Map<String, Value>>(&session::claims()).unwrap_or_default();
    let own = claims.get("limit").and_then(Value::as_f64);
    own.or_else(|| config::value("limit")?.parse().ok()).unwrap_or(0.0)
}

fn refuse(reason: &str) -> Verdict {
    Verdict::Refuse(Refusal { reason: reason.into(), code: Some(4409) })
}

export!(OrderLimit);

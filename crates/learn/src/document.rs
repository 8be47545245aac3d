//! The policy as a document: steps of what was seen each way, in the order in which they cost.

use serde_json::{Map, Value, json};

use crate::format::Ear;
use crate::schema::schema;
use crate::settings::Settings;
use crate::summary::{Extent, Kind, Summary};
use crate::yaml::{self, COMMENT};

/// Kinds of one direction that have a rate of their own.
const MAX_RATES: usize = 60;
/// The lowest rate that is kept, in messages a second: what came rarely says little of how often it may come.
const MIN_RATE: u64 = 5;
/// The largest rate and burst that a limit may have.
const MAX_RATE: u64 = 1_000_000;

/// What the whole policy is made of.
pub(crate) struct Document<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) ear: &'a Ear,
    pub(crate) kind: Option<&'a str>,
    /// The subprotocols that were seen, where the capture says.
    pub(crate) subprotocols: &'a [String],
    pub(crate) directions: [&'a Summary<'a>; 2],
    /// Whether the guard finds something in what was seen: then it records, and changes nothing.
    pub(crate) guard_observes: bool,
    /// Whether the whole policy records, and changes nothing.
    pub(crate) observes: bool,
}

impl Document<'_> {
    /// The text of the file.
    pub(crate) fn write(&self, head: &[String]) -> String {
        let mut policy = Map::new();
        policy.insert("name".into(), self.settings.name.as_str().into());
        policy.insert("format".into(), Value::Null);
        if let Some(kind) = self.kind {
            policy.insert("kind".into(), kind.into());
        }
        let told = self.ear.subprotocols();
        if self.subprotocols.iter().any(|seen| !told.iter().any(|told| **told == **seen)) {
            policy.insert("subprotocols".into(), self.subprotocols.into());
        }
        if self.observes {
            policy.insert("mode".into(), "observe".into());
        }
        let [one, other] = self.directions;
        policy.insert("bounds".into(), self.bounds(one.extent.join(other.extent)));
        for summary in self.directions {
            policy.insert(summary.direction.label().into(), self.steps(summary));
        }
        let mut out: String = head.iter().map(|line| format!("# {line}\n")).collect();
        yaml::block(&json!({ "policies": [policy] }), 0, &mut out);
        // The format is YAML of its own.
        out.replacen("format: null\n", &format!("format: {}\n", self.ear.format), 1)
    }

    fn bounds(&self, extent: Extent) -> Value {
        let above = |seen: u64, least: u64, most: u64| self.settings.above(seen).clamp(least, most);
        json!({
            "depth": (extent.depth + 1).min(100),
            "values": above(extent.values, 8, 1_000_000),
            "keys": above(extent.keys, 4, 1_000_000),
            "key": format!("{}B", above(extent.key, 16, 1 << 30)),
            "text": format!("{}B", above(extent.text, 16, 1 << 30)),
        })
    }

    fn steps(&self, summary: &Summary<'_>) -> Value {
        if summary.kinds.is_empty() {
            let comment = "no message was seen this way, so none passes; leave `to_upstream` or `to_client` out to let all pass";
            return json!([{ "name": "none", "deny": {}, COMMENT: comment }]);
        }
        let mut steps = Vec::new();
        if self.has_kinds() {
            steps.push(self.allow(summary));
        }
        if summary.has_rates {
            self.rates(summary, &mut steps);
        }
        self.sizes(summary, &mut steps);
        steps.push(self.schemas(summary));
        if summary.direction == wicketgate_policy::Direction::ToUpstream {
            let mut guard = json!({ "name": "injection", "guard": {} });
            if self.guard_observes {
                guard["mode"] = "observe".into();
                guard[COMMENT] = "it finds something in what was seen: look at it with test-policy, then exclude or enforce".into();
            }
            steps.push(guard);
        }
        steps.into()
    }

    fn has_kinds(&self) -> bool {
        self.kind.is_some() || self.ear.format.starts_with('{')
    }

    fn allow(&self, summary: &Summary<'_>) -> Value {
        let kinds: Vec<Value> = summary.kinds.iter().map(|kind| Value::from(&*kind.name)).collect();
        let mut step = json!({ "name": "known-kinds", "allow": { "kinds": kinds } });
        let rare = summary.kinds.iter().filter(|kind| kind.seen < self.settings.min_count);
        let rare: Vec<String> = rare.map(|kind| format!("{} ({})", shown(&kind.name), kind.seen)).collect();
        if !rare.is_empty() {
            step[COMMENT] = format!("REVIEW, seen rarely: {}", rare.join(", ")).into();
        }
        step
    }

    /// One limit a kind, or one for all where they are many.
    fn rates(&self, summary: &Summary<'_>, steps: &mut Vec<Value>) {
        let limit = |per_second: u64| {
            let rate = self.settings.above(per_second).clamp(MIN_RATE, MAX_RATE);
            json!({ "per_second": rate, "burst": rate.saturating_mul(2) })
        };
        if summary.kinds.len() > MAX_RATES || !self.has_kinds() {
            let all: u64 = summary.kinds.iter().map(|kind| kind.per_second).sum();
            steps.push(json!({ "name": "rate", "limit": limit(all), COMMENT: format!("at most {all} in a second of a session") }));
            return;
        }
        for (number, kind) in summary.kinds.iter().enumerate() {
            let comment = format!("at most {} in a second of a session", kind.per_second);
            steps.push(json!({
                "name": format!("rate-{}", number + 1),
                "kinds": [&*kind.name],
                "limit": limit(kind.per_second),
                COMMENT: comment,
            }));
        }
    }

    /// Kinds that come to the same power of two share a step.
    fn sizes(&self, summary: &Summary<'_>, steps: &mut Vec<Value>) {
        let mut groups: std::collections::BTreeMap<u64, Vec<&Kind>> = std::collections::BTreeMap::new();
        for kind in &summary.kinds {
            let most = self.settings.above(kind.longest.max(32));
            groups.entry(most.checked_next_power_of_two().unwrap_or(most)).or_default().push(kind);
        }
        for (most, kinds) in groups {
            let longest = kinds.iter().map(|kind| kind.longest).max().unwrap_or_default();
            let mut step = json!({ "name": format!("size-{most}") });
            if self.has_kinds() {
                step["kinds"] = kinds.iter().map(|kind| Value::from(&*kind.name)).collect();
            }
            step["when"] = format!("size > {most}").into();
            step[COMMENT] = format!("the longest had {longest} bytes").into();
            steps.push(step);
        }
    }

    fn schemas(&self, summary: &Summary<'_>) -> Value {
        let described = |kind: &Kind| {
            let mut schema = schema(&kind.shape, kind.shape.seen, self.settings);
            let review = if kind.seen < self.settings.min_count { "; REVIEW: seen rarely" } else { "" };
            let more = schema
                .get(COMMENT)
                .and_then(Value::as_str)
                .map(|more| format!("; {more}"))
                .unwrap_or_default();
            schema[COMMENT] =
                format!("{} seen, up to {} bytes{review}{more}", kind.seen, kind.longest).into();
            schema
        };
        if let ([kind], false) = (summary.kinds.as_slice(), self.has_kinds()) {
            return json!({ "name": "fields", "schema": { "inline": described(kind) } });
        }
        let closed = summary.kinds.iter().filter(|kind| !kind.is_open());
        let kinds: Map<String, Value> =
            closed.map(|kind| (kind.name.to_string(), json!({ "inline": described(kind) }))).collect();
        let mut step = json!({ "name": "fields", "schema": { "kinds": kinds } });
        if summary.kinds.iter().any(Kind::is_open) {
            step["schema"]["otherwise"] = "pass".into();
            step[COMMENT] = "REVIEW: kinds with `*` above pass with any fields; they were too many to tell apart, or say too much".into();
        }
        step
    }
}

/// A kind in a comment.
pub(crate) fn shown(kind: &str) -> String {
    match kind {
        "" => "without a kind".into(),
        kind => kind.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
    }
}

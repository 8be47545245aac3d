//! A policy as it is written in the configuration.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, OneOrMany, Problems, Size};

use crate::fields::{Bounds, Path};
use crate::finding::Enforcement;
use crate::format::pack::Limits;
use crate::format::states::{RawState, States};
use crate::format::{Format, RawFormat};
use crate::message::Direction;
use crate::policy::{Policy, Rules};
use crate::step::{RawStep, Stage, Step, Then};

/// What messages may say: a format, and steps that every message of a direction goes through in their order. Routes name the
/// policy that their messages are judged by.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPolicy {
    /// What routes, logs and metrics call it: letters, digits, `-`, `_` and `.`, at most 64.
    pub name: At<String>,
    /// How messages are written. A message that is not written so, in a direction that has steps, ends its session with 1007,
    /// one of the wrong type with 1003.
    format: At<RawFormat>,
    /// The path of the field that says what kind of message one is, as in `type`; a text or a whole number. Without it,
    /// messages have no kind. Formats that know a protocol tell the kinds themselves.
    #[serde(default)]
    kind: Option<At<String>>,
    /// The protocol's states: which kinds of message may come in each, and which state follows. A message that may not come
    /// ends its session with 1008. Default: messages may come in any order.
    #[serde(default)]
    states: Option<At<Vec<Item<RawState>>>>,
    /// The subprotocols of which a session must have negotiated one, an empty text for none; every message of another session ends
    /// it with 1008. Default: those that the format is for, where it is for some, and any otherwise.
    #[serde(default)]
    subprotocols: Option<OneOrMany<At<String>>>,
    /// `observe` records what any step finds, and changes nothing; what cannot be decoded ends the session all the same.
    /// Default: `enforce`.
    #[serde(default)]
    mode: Enforcement,
    /// How much one message may say, 1008 above it.
    #[serde(default)]
    bounds: RawBounds,
    /// What messages from clients go through. Without this key they are not looked into; with an empty list they are decoded
    /// and nothing else.
    #[serde(default)]
    to_upstream: Option<At<Vec<Item<RawStep>>>>,
    /// What messages from upstreams go through. Without this key they are not looked into; with an empty list they are decoded
    /// and nothing else.
    #[serde(default)]
    to_client: Option<At<Vec<Item<RawStep>>>>,
}

/// How much one message may say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawBounds {
    /// Lists and maps inside each other, 1 to 100. Default: 32.
    depth: Option<At<u32>>,
    /// Values in all, 1 to 1000000. Memory: 56 bytes each, once for every thread. Default: 10000.
    values: Option<At<u32>>,
    /// Names of one map, 1 to 1000000. Default: 1000.
    keys: Option<At<u32>>,
    /// Bytes of one name. Default: 1KiB.
    key: Option<At<Size>>,
    /// Bytes of one text, or of one value of bytes. Default: 1MiB.
    text: Option<At<Size>>,
    /// Of formats that know a protocol: requests, subscriptions and other ids that are open at once, of each side, 1 to 100000.
    /// Memory: at most 32 bytes each, as they come. Default: 1000.
    pending: Option<At<u32>>,
    /// Of the same: packets in one message, 1 to 10000. Default: 100.
    packets: Option<At<u32>>,
    /// Of `mqtt`: bytes of a packet that comes in several messages, 2B to 16MiB; they are kept until it is whole. Memory: so much for
    /// each direction of a session, while a packet is not whole. Default: 256KiB.
    packet: Option<At<Size>>,
}

/// The most steps of one direction.
const MAX_STEPS: usize = 200;

impl RawBounds {
    fn check(self, problems: &mut Problems) -> (Bounds, Limits) {
        let default = Bounds::default();
        let mut number = |name, at: Option<At<u32>>, default, most| match at {
            Some(at) => problems.in_range(name, &at, 1..=most) as usize,
            None => default,
        };
        let depth = number("depth", self.depth, default.depth, 100);
        let values = number("values", self.values, default.values, 1_000_000);
        let keys = number("keys", self.keys, default.keys, 1_000_000);
        let limits = Limits::default();
        let pending = number("pending", self.pending, limits.pending, 100_000);
        let packets = number("packets", self.packets, limits.packets, 10_000);
        let packet = match self.packet {
            Some(at) => problems.in_range("packet", &at, Size(2)..=Size(16 << 20)).0 as usize,
            None => limits.packet,
        };
        let mut size = |name, at: Option<At<Size>>, default| match at {
            Some(at) => problems.in_range(name, &at, Size(1)..=Size(1 << 30)).0 as usize,
            None => default,
        };
        let bounds = Bounds {
            depth,
            values,
            keys,
            key: size("key", self.key, default.key),
            text: size("text", self.text, default.text),
        };
        (bounds, Limits { pending, packets, packet })
    }
}

impl RawPolicy {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<Policy> {
        let name: Arc<str> = self.name.value.as_str().into();
        let (bounds, limits) = self.bounds.check(problems);
        let kind = self.kind.as_ref().and_then(|kind| match kind.value.parse::<Path>() {
            Ok(path) => Some(path),
            Err(error) => {
                problems.error(kind.place, error.to_string(), "write it as in `type` or `header.kind`");
                None
            }
        });
        let format_place = self.format.place;
        let format = RawFormat::check(self.format, problems);
        let kind = kind.or_else(|| format.as_ref()?.kind().cloned());
        let pack = format.as_ref().and_then(Format::pack);
        if let (Some(pack), Some(at)) = (pack, &self.kind) {
            let what = format!("messages of the format `{}` tell their kind themselves", pack.name());
            problems.error(at.place, what, "take `kind` out");
        }
        let told = pack.map(|pack| pack.subprotocols()).filter(|list| !list.is_empty());
        let told = told.map(|list| list.iter().map(|name| (*name).into()).collect());
        let listed = self.subprotocols.map(|list| list.0.into_iter().map(|name| name.value.into()).collect());
        let subprotocols = listed.or(told);
        let states_place = self.states.as_ref().map_or(format_place, |states| states.place);
        let states = self.states.and_then(|states| States::check(states, problems));
        let states = states.or_else(|| format.as_ref()?.states().cloned());
        if let Some(states) = &states {
            if kind.is_none() && pack.is_none() {
                let what = "states go by kinds of message, and none is told";
                problems.error(states_place, what, "add `kind:` with the path of the field that says it");
            }
            for (direction, steps) in
                [(Direction::ToUpstream, &self.to_upstream), (Direction::ToClient, &self.to_client)]
            {
                if steps.is_none() && states.directions().contains(&direction) {
                    let label = direction.label();
                    let what = format!("states depend on messages `{label}`, which are not looked into");
                    problems.error(
                        states_place,
                        what,
                        format!("add `{label}:` to the policy, if only as `[]`"),
                    );
                }
            }
        }
        if let Some(pack) = pack {
            for (direction, steps) in [("to_upstream", &self.to_upstream), ("to_client", &self.to_client)] {
                if steps.is_none() {
                    let what = format!(
                        "`{}` goes by messages `{direction}`, which are not looked into",
                        pack.name()
                    );
                    problems.error(
                        format_place,
                        what,
                        format!("add `{direction}:` to the policy, if only as `[]`"),
                    );
                }
            }
        }
        if let (None, None) = (&self.to_upstream, &self.to_client) {
            let what = format!("the policy `{name}` looks at no message");
            problems.error(self.name.place, what, "add `to_upstream:`, `to_client:`, or both, with steps");
        }
        let mode = self.mode;
        let mut steps = |steps: Option<At<Vec<Item<RawStep>>>>, direction| {
            let steps = steps?;
            if steps.value.len() > MAX_STEPS {
                let what = format!("{} steps are listed", steps.value.len());
                problems.error(steps.place, what, format!("a direction has at most {MAX_STEPS}"));
            }
            let stage = Stage { direction, kind: kind.as_ref(), has_kinds: pack.is_some() || kind.is_some() };
            Some(check_steps(steps.value, mode, &stage, format.as_ref(), problems))
        };
        let to_upstream = steps(self.to_upstream, Direction::ToUpstream);
        let to_client = steps(self.to_client, Direction::ToClient);
        Some(Policy::new(Rules {
            name,
            format: format?,
            kind,
            states,
            subprotocols,
            bounds,
            limits,
            to_upstream,
            to_client,
        }))
    }
}

fn check_steps(
    raw: Vec<Item<RawStep>>,
    mode: Enforcement,
    stage: &Stage<'_>,
    format: Option<&Format>,
    problems: &mut Problems,
) -> Vec<Step> {
    let mut names: Vec<At<String>> = Vec::new();
    let mut steps = Vec::with_capacity(raw.len());
    let mut marking = None;
    for (number, step) in raw.into_iter().enumerate() {
        if let Some(name) = &step.value.name {
            check_name(name, &names, problems);
            names.push(name.clone());
        }
        let place = step.place;
        let step = RawStep::check(step, number + 1, mode, stage, problems);
        if let Some(step) = &step {
            check_rewriting(&At { value: step, place }, format, problems);
        }
        if let (Some(marking), Some(_)) = (marking, &step) {
            let what = "a step stands behind `watermark`, and would not see what it marks";
            problems.clash(place, what, "let `watermark` be the last one", (marking, "this one"));
        }
        marking = marking.or(step.as_ref().filter(|step| step.marks()).map(|_| place));
        steps.extend(step);
    }
    steps
}

/// Whether the step can change messages of this format, and what goes on when it cannot.
fn check_rewriting(step: &At<&Step>, format: Option<&Format>, problems: &mut Problems) {
    if let Some(format) = format.filter(|format| step.rewrites() && !format.can_rewrite()) {
        let what = format!("messages of the format `{}` cannot be rewritten", format.name());
        problems.error(step.place, what, "take the step out, or refuse such messages with another one");
    }
    if step.wants_bytes() && format.is_some_and(|format| !format.has_bytes()) {
        let what =
            "messages of this format have no values of bytes, and it is not said which texts are pictures";
        problems.error(
            step.place,
            what,
            "add `paths:` to `watermark`, with the fields that are pictures in base64",
        );
    }
    if step.marks() && step.then == Then::Record {
        let what = "a picture that cannot be marked goes on without a mark";
        problems.warning(step.place, what, "take `then: record` out, or write `then: drop`");
    }
    // What a pack cuts messages into, only it can put together again.
    if let Some(pack) = format.and_then(Format::pack).filter(|pack| step.replaces() && !pack.is_json()) {
        let what = format!("messages of the format `{}` cannot be rewritten", pack.name());
        problems.error(step.place, what, "take `may_rewrite` out");
    }
    if !step.enriches() {
        return;
    }
    if let Some(format) = format.filter(|format| !format.has_maps()) {
        let what = format!("messages of the format `{}` have no fields to set", format.name());
        problems.error(step.place, what, "take the step out, or choose the format that messages have");
    }
    if step.then == Then::Record {
        let what = "a message that cannot be enriched goes on as the client sent it";
        problems.warning(step.place, what, "take `then: record` out, or write `then: drop`");
    }
}

fn check_name(name: &At<String>, before: &[At<String>], problems: &mut Problems) {
    let is_good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !is_good || name.is_empty() || name.len() > 64 {
        let what = format!("`{}` is no name for a step", name.value);
        problems.error(name.place, what, "a name has 1 to 64 letters, digits, `-`, `_` and `.`");
    }
    if let Some(first) = before.iter().find(|first| first.value == name.value) {
        let what = format!("`{}` is the name of a step already", name.value);
        problems.clash(name.place, what, "give it another one", (first.place, "this one"));
    }
}

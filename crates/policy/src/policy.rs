//! A policy at work: a message is decoded once and goes through the steps of its direction.

use std::cell::RefCell;
use std::sync::Arc;

use wicketgate_wire::CloseCode;

use crate::facts::Facts;
use crate::fields::{Bounds, Fields, Path, Shown, Tree, Undecodable};
use crate::finding::{Action, Enforcement, Finding, Hit};
use crate::format::Format;
use crate::format::states::{State, States};
use crate::message::{Direction, Message, type_name};
use crate::step::{Effect, Step, View};
use crate::verdict::{Forward, Outcome, Verdict};

/// The rules of one route.
#[derive(Clone, Debug, Default)]
pub struct Policy(Option<Arc<Rules>>);

/// What a policy consists of.
#[derive(Debug)]
pub struct Rules {
    /// What logs and metrics call it.
    pub name: Arc<str>,
    /// How messages are written.
    pub format: Format,
    /// Where a message says of what kind it is.
    pub kind: Option<Path>,
    /// Which kinds of message may come in which state of the protocol.
    pub states: Option<States>,
    /// How much a message may say.
    pub bounds: Bounds,
    /// What messages from clients go through; none where they are not looked into.
    pub to_upstream: Option<Vec<Step>>,
    /// What messages from upstreams go through; none where they are not looked into.
    pub to_client: Option<Vec<Step>>,
}

/// What a session's messages are judged with, beside the policy.
#[derive(Debug, Default)]
pub struct Session {
    facts: Arc<Facts>,
    state: State,
}

thread_local! {
    /// Decoding borrows the thread's tree: sessions that are idle hold none.
    static TREE: RefCell<Tree> = RefCell::default();
}

impl Session {
    /// A new session of this client.
    pub const fn new(facts: Arc<Facts>) -> Self {
        Self { facts, state: State::new() }
    }

    /// The client's credential was renewed: other facts hold from now on.
    pub fn set_facts(&mut self, facts: Arc<Facts>) {
        self.facts = facts;
    }
}

impl Policy {
    /// The policy without rules: every message passes.
    pub const fn trivial() -> Self {
        Self(None)
    }

    /// A policy of rules.
    pub fn new(rules: Rules) -> Self {
        Self(Some(Arc::new(rules)))
    }

    /// Its name; none where every message passes.
    pub fn name(&self) -> Option<&str> {
        self.0.as_ref().map(|rules| &*rules.name)
    }

    /// Judges one message.
    pub fn judge(&self, session: &mut Session, direction: Direction, message: Message<'_>) -> Outcome {
        let Some(rules) = &self.0 else { return Outcome::pass() };
        let steps = match direction {
            Direction::ToUpstream => &rules.to_upstream,
            Direction::ToClient => &rules.to_client,
        };
        let Some(steps) = steps else { return Outcome::pass() };
        TREE.with_borrow_mut(|tree| {
            let outcome = rules.judge(steps, tree, session, direction, message);
            tree.clear();
            outcome
        })
    }
}

impl Rules {
    fn judge(
        &self,
        steps: &[Step],
        tree: &mut Tree,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
    ) -> Outcome {
        if !self.format.types().contains(&message.kind) {
            let detail =
                format!("a {} message, and the format is {}", type_name(message.kind), self.format.name());
            return refuse("wrong_type", CloseCode::UNSUPPORTED, detail);
        }
        if let Err(error) = self.format.decode(message.payload, tree, &self.bounds) {
            return undecodable(error);
        }
        let fields = Fields::new(tree, message.payload);
        let mut number = String::new();
        let view = View {
            fields,
            kind: self.kind(&fields, &mut number),
            data: message.kind,
            direction,
            facts: &session.facts,
        };
        let states = self.states.as_ref();
        let next = match states.map(|states| states.next(&session.state, direction, view.kind)).transpose() {
            Ok(next) => next,
            Err(error) => return undecodable(error),
        };
        let mut findings = Vec::new();
        for step in steps {
            let Effect::Violation(hits) = step.judge(&view) else { continue };
            let verdict = match step.enforcement {
                Enforcement::Enforce => step.then.verdict(),
                Enforcement::Observe => None,
            };
            let action = match step.enforcement {
                Enforcement::Enforce => step.then.action(),
                Enforcement::Observe => Action::Recorded,
            };
            findings.extend(hits.into_iter().map(|hit| hit.found_by(step, action)));
            if let Some(verdict) = verdict {
                return Outcome { verdict, findings };
            }
        }
        if let (Some(states), Some(next)) = (states, next) {
            session.state.follow(states, next);
        }
        Outcome { verdict: Verdict::Forward(Forward(())), findings }
    }

    /// What kind of message it is; `number` holds the text of one that is a number.
    fn kind<'a>(&self, fields: &Fields<'a>, number: &'a mut String) -> &'a str {
        let field = self.kind.as_ref().and_then(|path| path.first(fields));
        match field.map(|field| field.show()) {
            Some(Shown::Text(kind)) => kind,
            Some(Shown::Int(kind)) => {
                *number = kind.to_string();
                number
            }
            _ => "",
        }
    }
}

impl Hit {
    fn found_by(self, step: &Step, action: Action) -> Finding {
        let Self { class, rule, path, detail, excerpt } = self;
        Finding {
            step: step.name.clone(),
            class,
            rule,
            path,
            detail,
            excerpt,
            enforcement: step.enforcement,
            action,
        }
    }
}

/// A message beyond its bounds breaks a limit; any other that cannot be decoded is not what its type says.
fn undecodable(error: Undecodable) -> Outcome {
    let code = match error {
        Undecodable::Malformed { .. }
        | Undecodable::Trailing { .. }
        | Undecodable::DuplicateKey
        | Undecodable::Utf8
        | Undecodable::Number => CloseCode::INVALID_DATA,
        Undecodable::Depth
        | Undecodable::Values
        | Undecodable::Keys
        | Undecodable::KeyLength
        | Undecodable::TextLength
        | Undecodable::Order => CloseCode::POLICY,
    };
    let place = match error {
        Undecodable::Malformed { at: Some(at), .. } => format!("{error}, at byte {at}"),
        error => error.to_string(),
    };
    refuse(error.label(), code, place)
}

/// What no step was asked about: it never goes on.
fn refuse(class: &'static str, code: CloseCode, detail: String) -> Outcome {
    let Hit { class, rule, path, detail, excerpt } = Hit::whole(class, detail);
    let finding = Finding {
        step: "format".into(),
        class,
        rule,
        path,
        detail,
        excerpt,
        enforcement: Enforcement::Enforce,
        action: Action::Closed,
    };
    Outcome { verdict: Verdict::Close(code), findings: vec![finding] }
}

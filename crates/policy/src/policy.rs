//! A policy at work: a message is decoded once and goes through the steps of its direction.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use wicketgate_wire::CloseCode;

use crate::facts::Facts;
use crate::fields::{Bounds, Builder, Fields, Path, Shown, Tree, Undecodable};
use crate::finding::{Action, Enforcement, Finding, Hit};
use crate::format::pack::{Breach, Heard, Limits, Talk};
use crate::format::states::{Next, State, States};
use crate::format::{Format, Wasm};
use crate::message::{Direction, Message, type_name};
use crate::reloaded::Reloaded;
use crate::step::{Effect, End, Marking, Memory, New, Step, View};
use crate::verdict::{Forward, Outcome, Pictures, Verdict};

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
    /// The subprotocols that a session may have negotiated, an empty one for none; none where it does not matter.
    pub subprotocols: Option<Box<[Box<str>]>>,
    /// How much a message may say.
    pub bounds: Bounds,
    /// How much of a protocol's talk is remembered.
    pub limits: Limits,
    /// What messages from clients go through; none where they are not looked into.
    pub to_upstream: Option<Vec<Step>>,
    /// What messages from upstreams go through; none where they are not looked into.
    pub to_client: Option<Vec<Step>>,
}

/// What a session's messages are judged with, beside the policy.
#[derive(Debug, Default)]
pub struct Session {
    pub(crate) facts: Arc<Facts>,
    pub(crate) state: State,
    /// None before a protocol that is known needs it.
    pub(crate) talk: Option<Box<Talk>>,
    memory: Memory,
    now: Duration,
    unix: Duration,
}

thread_local! {
    /// Decoding borrows the thread's tree: sessions that are idle hold none.
    static TREE: RefCell<Tree> = RefCell::default();
}

impl Session {
    /// A new session of this client.
    pub fn new(facts: Arc<Facts>) -> Self {
        Self {
            facts,
            state: State::new(),
            talk: None,
            memory: Memory::default(),
            now: Duration::ZERO,
            unix: Duration::ZERO,
        }
    }

    /// Messages that are judged from here on come at `now`, by a clock that all sessions share and nobody sets; since the
    /// beginning of 1970, that is `unix`.
    pub const fn at(&mut self, now: Duration, unix: Duration) {
        self.now = now;
        self.unix = unix;
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

    /// Goes on with what the last configuration's policy of this name counted and remembers of all sessions, in steps of the
    /// same names.
    pub fn follow(&self, last: &Self) {
        let (Some(rules), Some(last)) = (&self.0, &last.0) else { return };
        for (steps, last) in [(&rules.to_upstream, &last.to_upstream), (&rules.to_client, &last.to_client)] {
            for step in steps.iter().flatten() {
                if let Some(last) = last.iter().flatten().find(|last| last.name == step.name) {
                    step.follow(last);
                }
            }
        }
    }

    /// The files that are to be read anew when they change.
    pub fn files(&self) -> Vec<PathBuf> {
        self.decoder().map(Wasm::file).into_iter().chain(self.steps().filter_map(Step::file)).collect()
    }

    /// Reads files anew that have changed; what cannot be used changes nothing.
    pub fn reload(&self) -> Vec<Reloaded> {
        let decoder = self.decoder().and_then(Wasm::reload);
        decoder.into_iter().chain(self.steps().filter_map(Step::reload)).collect()
    }

    /// The subprotocols that its sessions may have negotiated; nothing where it does not matter.
    pub fn subprotocols(&self) -> &[Box<str>] {
        self.0.as_ref().and_then(|rules| rules.subprotocols.as_deref()).unwrap_or_default()
    }

    /// The headers of the handshake that its rules name: a session has to keep them.
    pub fn headers(&self) -> Vec<HeaderName> {
        let mut names: Vec<_> = self.steps().flat_map(Step::headers).cloned().collect();
        names.sort_unstable_by(|one, two| one.as_str().cmp(two.as_str()));
        names.dedup();
        names
    }

    /// Whether all that some message says is to be recorded.
    pub fn keeps_whole(&self) -> bool {
        self.steps().any(Step::keeps_whole)
    }

    /// The paths whose values its steps cover: whoever wrote them says that they are secret.
    pub fn redacted(&self) -> Vec<Path> {
        self.steps().flat_map(Step::redacted).cloned().collect()
    }

    pub(crate) fn rules(&self) -> Option<&Rules> {
        self.0.as_deref()
    }

    fn decoder(&self) -> Option<&Wasm> {
        self.0.as_ref()?.format.wasm()
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        let rules = self.0.iter();
        rules.flat_map(|rules| rules.to_upstream.iter().chain(&rules.to_client).flatten())
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
        if !self.takes_subprotocol(session) {
            return self.breach(Breach::Subprotocol);
        }
        match &self.format {
            Format::Pack(pack) => self.judge_packets(pack, steps, tree, session, direction, message),
            _ => self.judge_one(steps, tree, session, direction, message),
        }
    }

    /// Whether it is for sessions of the subprotocol that this one negotiated.
    pub(crate) fn takes_subprotocol(&self, session: &Session) -> bool {
        let negotiated = session.facts.subprotocol.as_deref().unwrap_or_default();
        self.subprotocols.as_ref().is_none_or(|list| list.iter().any(|listed| **listed == *negotiated))
    }

    /// Judges a message, or a packet of one.
    pub(crate) fn judge_one(
        &self,
        steps: &[Step],
        tree: &mut Tree,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
    ) -> Outcome {
        let mark = session.talk.as_ref().map_or(0, |talk| talk.mark());
        let mut known = match self.understand(tree, session, direction, message) {
            Ok(known) => known,
            Err(breach) => return self.breach(breach),
        };
        let fields = Fields::new(tree, message.payload);
        let mut next_state = match self.next_state(known.as_deref(), &fields, session, direction) {
            Ok(next) => next,
            Err(error) => return self.breach(error.into()),
        };
        let mut outcome = Outcome::pass();
        let mut steps = steps.iter();
        // Steps behind one that rewrites see the new message.
        let mut rewritten: Option<Vec<u8>> = None;
        let mut pictures = None;
        loop {
            let fields = Fields::new(tree, rewritten.as_deref().unwrap_or(message.payload));
            let mut number = String::new();
            let view = View {
                fields,
                kind: self.kind(known.as_deref(), &fields, &mut number),
                data: message.kind,
                direction,
                facts: &session.facts,
                now: session.now,
                unix: session.unix,
            };
            let ran = run(&mut steps, &view, &mut session.memory, &mut outcome);
            if outcome.keep.is_some() || !outcome.findings.is_empty() {
                outcome.kind = view.kind.into();
            }
            let (step, next) = match ran {
                Ran::Through => break,
                Ran::Ended(verdict) => return Outcome { verdict, ..outcome },
                Ran::Marks(step, marking) => {
                    let payload = fields.payload().to_vec();
                    let tree = std::mem::take(tree);
                    pictures = Some(Pictures::new(step, &self.format, payload, tree, marking));
                    break;
                }
                Ran::Rewrites(step, New::Whole(next)) => (step, next),
                Ran::Rewrites(step, New::Edits(edits)) => match edits.apply(&self.format, &fields) {
                    Ok(next) => (step, next),
                    // A message that had to be changed and cannot be never goes on as it came.
                    Err(error) => {
                        let hit = Hit::whole("unwritable", error.to_string());
                        outcome.findings.push(hit.found_by(step, Action::Closed));
                        let code = if step.replaces() { CloseCode::INTERNAL } else { CloseCode::POLICY };
                        return Outcome { verdict: Verdict::Close(code), ..outcome };
                    }
                },
            };
            let next = rewritten.insert(next);
            // What goes on is what the protocol's talk has to follow.
            if let Some(talk) = &mut session.talk {
                talk.back(mark);
            }
            known = match self.understand(tree, session, direction, Message { payload: next, ..message }) {
                Ok(known) => known,
                Err(breach) => return self.misrewritten(step, breach, outcome),
            };
            // A step may have changed what says of which kind it is.
            let fields = Fields::new(tree, next);
            next_state = match self.next_state(known.as_deref(), &fields, session, direction) {
                Ok(next) => next,
                Err(error) => return self.misrewritten(step, error.into(), outcome),
            };
        }
        if let Some(payload) = rewritten {
            outcome.verdict = Verdict::Rewrite(payload, Forward(()));
        }
        if let Some(pictures) = pictures {
            outcome.verdict = Verdict::Mark(Box::new(pictures));
        }
        if let (Some(states), Some(next)) = (&self.states, next_state) {
            session.state.follow(states, next);
        }
        outcome
    }

    /// Judges a message that holds no whole packet: there is nothing in it for steps but that it came.
    pub(crate) fn count(
        &self,
        steps: &[Step],
        tree: &Tree,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
    ) -> Outcome {
        let mut outcome = Outcome::pass();
        let view = View {
            fields: Fields::new(tree, message.payload),
            kind: "",
            data: message.kind,
            direction,
            facts: &session.facts,
            now: session.now,
            unix: session.unix,
        };
        for step in steps.iter().filter(|step| step.counts()) {
            let mut step = std::slice::from_ref(step).iter();
            if let Ran::Ended(verdict) = run(&mut step, &view, &mut session.memory, &mut outcome) {
                outcome.verdict = verdict;
                break;
            }
        }
        outcome
    }

    /// A message that the format does not let pass.
    pub(crate) fn breach(&self, breach: Breach) -> Outcome {
        let code = self.format.pack().map_or_else(|| breach.code(), |pack| pack.code(breach));
        let place = match breach {
            Breach::Undecodable(error @ Undecodable::Malformed { at: Some(at), .. }) => {
                format!("{error}, at byte {at}")
            }
            breach => breach.to_string(),
        };
        refuse(breach.label(), code, place)
    }

    /// A message that a step changed so that the format does not let it pass. Where all of it is a component's, so is the fault,
    /// and not that of whoever sent it.
    fn misrewritten(&self, step: &Step, breach: Breach, mut outcome: Outcome) -> Outcome {
        let Outcome { verdict, findings, .. } = self.breach(breach);
        outcome.findings.extend(findings);
        let verdict = if step.replaces() { Verdict::Close(CloseCode::INTERNAL) } else { verdict };
        Outcome { verdict, ..outcome }
    }

    /// Decodes a message or packet; a pack follows what it says, and knows its kind.
    pub(crate) fn understand(
        &self,
        tree: &mut Tree,
        session: &mut Session,
        direction: Direction,
        Message { kind: data, payload }: Message<'_>,
    ) -> Result<Option<Cow<'static, str>>, Breach> {
        if let Some(wasm) = self.format.wasm() {
            wasm.decode(direction, &mut Builder::new(tree, payload, &self.bounds)?)?;
            return Ok(None);
        }
        let Format::Pack(pack) = &self.format else {
            self.format.decode(payload, tree, &self.bounds)?;
            return Ok(None);
        };
        let talk = session.talk.get_or_insert_default();
        pack.read(talk, direction, data, &mut Builder::new(tree, payload, &self.bounds)?)?;
        let heard = Heard {
            fields: Fields::new(tree, payload),
            data,
            direction,
            facts: &session.facts,
            limits: &self.limits,
        };
        pack.advance(&heard, talk).map(Some)
    }

    /// The state of the protocol behind this message; none where the policy knows no states.
    fn next_state(
        &self,
        known: Option<&str>,
        fields: &Fields<'_>,
        session: &Session,
        direction: Direction,
    ) -> Result<Option<Next>, Undecodable> {
        let Some(states) = &self.states else { return Ok(None) };
        let mut number = String::new();
        states.next(&session.state, direction, self.kind(known, fields, &mut number)).map(Some)
    }

    /// What kind of message it is, where that is not known; `number` holds the text of one that is a number.
    pub(crate) fn kind<'a>(
        &self,
        known: Option<&'a str>,
        fields: &Fields<'a>,
        number: &'a mut String,
    ) -> &'a str {
        if let Some(known) = known {
            return known;
        }
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

/// How far a message came.
enum Ran<'s> {
    /// Through all steps.
    Through,
    /// To one that ended it.
    Ended(Verdict),
    /// To one that changes it; the steps behind that are left.
    Rewrites(&'s Step, New),
    /// To one that has its pictures marked: the last.
    Marks(&'s Step, Marking),
}

/// What follows of what a step found.
enum Consequence {
    /// Nothing.
    None,
    /// What the step's `then` says.
    Then,
    /// What the step itself says.
    End(End),
    /// The message changes.
    New(New),
    /// Its pictures are marked.
    Marks(Marking),
}

fn run<'s>(
    steps: &mut std::slice::Iter<'s, Step>,
    view: &View<'_>,
    memory: &mut Memory,
    outcome: &mut Outcome,
) -> Ran<'s> {
    for step in steps {
        let enforces = step.enforcement == Enforcement::Enforce;
        let (hits, action, consequence) = match step.judge(view, memory) {
            Effect::Pass => continue,
            Effect::Keep(keep) => {
                outcome.keep = outcome.keep.take().max(Some(keep));
                continue;
            }
            Effect::Note(hits) => (hits, Action::Recorded, Consequence::None),
            Effect::Violation(hits) => (hits, step.then.action(), Consequence::Then),
            Effect::End(hits, end) => (hits, end.action(), Consequence::End(end)),
            Effect::Rewrite(hits, new) => (hits, Action::Rewritten, Consequence::New(new)),
            Effect::Mark(hits, marking) => (hits, Action::Rewritten, Consequence::Marks(marking)),
        };
        let action = if enforces { action } else { Action::Recorded };
        outcome.findings.extend(hits.into_iter().map(|hit| hit.found_by(step, action)));
        match consequence {
            Consequence::None => {}
            _ if !enforces => {}
            Consequence::New(new) => return Ran::Rewrites(step, new),
            Consequence::Marks(marking) => return Ran::Marks(step, marking),
            Consequence::End(end) => return Ran::Ended(end.verdict()),
            Consequence::Then => {
                if let Some(verdict) = step.then.verdict() {
                    return Ran::Ended(verdict);
                }
            }
        }
    }
    Ran::Through
}

impl Hit {
    pub(crate) fn found_by(self, step: &Step, action: Action) -> Finding {
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
    Outcome::of(Verdict::Close(code), vec![finding])
}

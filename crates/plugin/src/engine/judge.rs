//! The world `policy`: components that judge messages.

use std::path::Path;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{HasSelf, InstancePre, Linker};

use self::world::wicketgate::policy::{clock, config, log, session, types};
use self::world::{Policy, PolicyPre};
use super::instance::Started;
use super::pool::{Pool, World};
use super::state::{Level, State};
use crate::{
    Data, Direction, Edit, Fault, Limits, MAX_EDITS, MAX_TAGS, Question, Session, Unusable, Value, Verdict,
    Word,
};

pub(super) mod world {
    //! What wasmtime makes of the WIT package.
    wasmtime::component::bindgen!({
        path: "wit",
        world: "policy",
        imports: { "wicketgate:policy/log": trappable },
    });
}

/// A component that judges messages. Copies share it.
#[derive(Clone, Debug)]
pub struct Judge(Arc<Pool<PolicyPre<State>>>);

/// A session's own instance of a component.
pub struct Instance(Started<PolicyPre<State>>);

impl Judge {
    /// Loads a component; `name` is what the log calls it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn load(
        path: &Path,
        name: &str,
        config: Vec<(String, String)>,
        limits: Limits,
    ) -> Result<Self, Unusable> {
        Pool::load(path, name, config, limits).map(|pool| Self(Arc::new(pool)))
    }

    /// Takes a component of the tests.
    ///
    /// # Errors
    /// Why it cannot be used.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn of(bytes: &[u8], config: Vec<(String, String)>, limits: Limits) -> Result<Self, Unusable> {
        let pool = Pool::new(super::compiled::compile(bytes)?, "test", config, limits)?;
        Ok(Self(Arc::new(pool)))
    }

    /// Whether it is the same component in the same settings.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }

    /// Asks an instance that sessions share.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn ask(&self, question: &Question<'_>, session: Arc<dyn Session>) -> Result<Verdict, Fault> {
        self.0.with(|instance| ask(instance, question, session))
    }

    /// Asks the session's own instance, which is started where there is none, or one of another component.
    ///
    /// # Errors
    /// Why there is no answer; the instance is gone then.
    pub fn ask_own(
        &self,
        own: &mut Option<Instance>,
        question: &Question<'_>,
        session: Arc<dyn Session>,
    ) -> Result<Verdict, Fault> {
        let kept = own.take().filter(|own| Arc::ptr_eq(own.0.settings(), self.0.settings()));
        let mut instance = match kept {
            Some(kept) => kept,
            None => Instance(self.0.start()?),
        };
        let verdict = ask(&mut instance.0, question, session)?;
        *own = Some(instance);
        Ok(verdict)
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("settings", self.0.settings()).finish_non_exhaustive()
    }
}

fn ask(
    instance: &mut Started<PolicyPre<State>>,
    question: &Question<'_>,
    session: Arc<dyn Session>,
) -> Result<Verdict, Fault> {
    let direction = match question.direction {
        Direction::ToUpstream => types::Direction::ToUpstream,
        Direction::ToClient => types::Direction::ToClient,
    };
    let data = match question.data {
        Data::Text => types::Data::Text,
        Data::Binary => types::Data::Binary,
    };
    let answer = instance.call(Some(session), question.unix_millis, |policy, store| {
        policy.call_judge(store, direction, data, question.kind, question.payload)
    })?;
    let longest = instance.settings().limits.answer;
    believe(answer, question.data, longest)
}

/// A verdict, once it was looked through.
fn believe(answer: types::Verdict, data: Data, longest: usize) -> Result<Verdict, Fault> {
    Ok(match answer {
        types::Verdict::Pass => Verdict::Pass,
        types::Verdict::Tag(tags) if tags.len() > MAX_TAGS => {
            return Err(Fault::Answer("more than 16 tags"));
        }
        types::Verdict::Tag(tags) => {
            Verdict::Tag(tags.iter().map(|tag| Word::new(tag)).collect::<Result<_, _>>()?)
        }
        types::Verdict::Refuse(types::Refusal { code: Some(code), .. }) if !(4000..5000).contains(&code) => {
            return Err(Fault::Answer("a close code outside of 4000 to 4999"));
        }
        types::Verdict::Refuse(refusal) => Verdict::Refuse(Word::new(&refusal.reason)?, refusal.code),
        types::Verdict::Drop(reason) => Verdict::Drop(Word::new(&reason)?),
        types::Verdict::Rewrite(payload) if payload.len() > longest => return Err(Fault::Long(longest)),
        types::Verdict::Rewrite(payload) if data == Data::Text && std::str::from_utf8(&payload).is_err() => {
            return Err(Fault::Answer("a text that is no UTF-8"));
        }
        types::Verdict::Rewrite(payload) => Verdict::Rewrite(payload),
        types::Verdict::Edit(edits) if edits.len() > MAX_EDITS => {
            return Err(Fault::Answer("more than 64 changes"));
        }
        types::Verdict::Edit(edits) => Verdict::Edit(edits.into_iter().map(edit).collect::<Result<_, _>>()?),
    })
}

fn edit(edit: types::Edit) -> Result<Edit, Fault> {
    let value = match edit.change {
        types::Change::Put(value) => Some(match value {
            types::Scalar::Nothing => Value::Null,
            types::Scalar::Boolean(value) => Value::Bool(value),
            types::Scalar::Integer(value) => Value::Int(value),
            types::Scalar::Unsigned(value) => Value::Uint(value),
            types::Scalar::Number(value) => Value::Float(value),
            types::Scalar::Text(text) => Value::Text(text),
            types::Scalar::Bytes(bytes) => Value::Bytes(bytes),
        }),
        types::Change::Remove => None,
    };
    Edit::new(edit.path, value)
}

impl World for PolicyPre<State> {
    const NAME: &'static str = "wicketgate:policy/policy@1.0.0";
    type Exports = Policy;

    fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
        Policy::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
    }

    fn find(linked: InstancePre<State>) -> wasmtime::Result<Self> {
        Self::new(linked)
    }

    fn start(&self, store: &mut Store<State>) -> wasmtime::Result<Policy> {
        self.instantiate(store)
    }
}

impl types::Host for State {}

impl session::Host for State {
    fn id(&mut self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.id())
    }

    fn route(&mut self) -> String {
        self.session.as_ref().map_or_else(String::new, |session| session.route().to_owned())
    }

    fn subject(&mut self) -> Option<String> {
        self.session.as_ref()?.subject().map(str::to_owned)
    }

    fn claims(&mut self) -> String {
        self.session.as_ref().map_or_else(|| "{}".to_owned(), |session| session.claims())
    }

    fn address(&mut self) -> Option<String> {
        self.session.as_ref()?.address()
    }

    fn subprotocol(&mut self) -> Option<String> {
        self.session.as_ref()?.subprotocol().map(str::to_owned)
    }

    fn target(&mut self) -> (String, String) {
        let Some(session) = &self.session else { return Default::default() };
        let (host, path) = session.target();
        (host.to_owned(), path.to_owned())
    }
}

impl config::Host for State {
    fn value(&mut self, name: String) -> Option<String> {
        Self::value(self, &name)
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        Self::write(self, level, &text)
    }
}

impl clock::Host for State {
    fn now(&mut self) -> u64 {
        self.unix_millis
    }
}

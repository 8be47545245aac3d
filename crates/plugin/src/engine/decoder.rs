//! The world `decoder`: components that decode messages of private protocols.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::Store;
use wasmtime::component::{HasSelf, InstancePre, Linker};

use self::world::wicketgate::policy::types;
use self::world::{Decoder as Exports, DecoderPre};
use super::lines;
use super::pool::{Pool, World};
use super::state::State;
use crate::{Data, Direction, Fault, Field, Limits, Unusable, Value};

mod world {
    //! What wasmtime makes of the WIT package.
    wasmtime::component::bindgen!({
        path: "wit",
        world: "decoder",
        with: {
            "wicketgate:policy/config": crate::engine::judge::world::wicketgate::policy::config,
            "wicketgate:policy/log": crate::engine::judge::world::wicketgate::policy::log,
        },
    });
}

/// A component that decodes messages. Copies share it.
#[derive(Clone, Debug)]
pub struct Decoder(Arc<Pool<DecoderPre<State>>>);

impl Decoder {
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

    /// Whether it is the same component in the same settings.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }

    /// Asks for the fields of a message; none where the component says that it is no message.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn decode(
        &self,
        direction: Direction,
        data: Data,
        payload: &[u8],
    ) -> Result<Option<Vec<Field>>, Fault> {
        let direction = match direction {
            Direction::ToUpstream => types::Direction::ToUpstream,
            Direction::ToClient => types::Direction::ToClient,
        };
        let data = match data {
            Data::Text => types::Data::Text,
            Data::Binary => types::Data::Binary,
        };
        let answer = self.0.with(|instance| {
            instance.call(None, 0, |decoder, store| decoder.call_decode(store, direction, data, payload))
        })?;
        let fields = answer.inspect_err(|why| {
            if self.0.settings().lines.admit(Instant::now()).is_some() {
                tracing::debug!(plugin = &*self.0.settings().name, why = lines::cut(why), "no message");
            }
        });
        Ok(fields.ok().map(|fields| fields.into_iter().map(field).collect()))
    }
}

fn field(field: types::Field) -> Field {
    let value = match field.value {
        types::Value::Nothing => Value::Null,
        types::Value::Boolean(value) => Value::Bool(value),
        types::Value::Integer(value) => Value::Int(value),
        types::Value::Unsigned(value) => Value::Uint(value),
        types::Value::Number(value) => Value::Float(value),
        types::Value::Text(text) => Value::Text(text),
        types::Value::Bytes(bytes) => Value::Bytes(bytes),
        types::Value::Sequence(count) => Value::List(count),
        types::Value::Mapping(count) => Value::Map(count),
    };
    Field { name: field.name, value }
}

impl World for DecoderPre<State> {
    const NAME: &'static str = "wicketgate:policy/decoder@1.0.0";
    type Exports = Exports;

    fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
        Exports::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
    }

    fn find(linked: InstancePre<State>) -> wasmtime::Result<Self> {
        Self::new(linked)
    }

    fn start(&self, store: &mut Store<State>) -> wasmtime::Result<Exports> {
        self.instantiate(store)
    }
}

impl types::Host for State {}

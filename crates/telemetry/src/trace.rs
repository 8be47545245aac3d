//! Traces and their spans as the data plane makes them: handles that do nothing where nothing is traced.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;

use crate::context::{Parent, TRACEPARENT, traceparent};
use crate::identifiers::{SpanId, TraceId};
use crate::queue::Queue;
use crate::span::{ATTRIBUTES_MAX, Ended, Kind, Value, text};
use crate::tracestate::{TRACESTATE, TraceState};

/// What begins traces; or nothing, where there is no tracing.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    sampler: Sampler,
    client_address: bool,
}

/// Which of the traces that begin here are kept.
#[derive(Clone, Copy, Debug)]
struct Sampler {
    /// Those whose name, as far as it is looked at, is below this. One more than the largest of them keeps all.
    below: u64,
}

/// A trace, as far as it is ours: what came of one request. It does nothing where nothing is traced.
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<Arc<Context>>);

/// What all spans of a trace share.
#[derive(Debug)]
struct Context {
    /// Where its spans go when they end; nowhere where the trace is not kept.
    queue: Option<Arc<Queue>>,
    client_address: bool,
    trace: TraceId,
    /// The span of the request itself.
    root: SpanId,
    /// The span that the request belongs to at whoever sent it.
    parent: Option<SpanId>,
    state: TraceState,
}

/// A span that has begun: it ends, and is handed on, when it is dropped.
#[derive(Debug, Default)]
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    context: Option<Arc<Context>>,
    /// What is to be said of it; nothing where the trace is not kept.
    kept: Option<Box<Ended>>,
    id: Option<SpanId>,
}

impl Tracer {
    /// Begins traces of which it keeps this part, 0 to 1, and whose spans go to `queue`.
    pub(crate) fn new(queue: Arc<Queue>, ratio: f64, client_address: bool) -> Self {
        Self(Some(Arc::new(Inner { queue, sampler: Sampler::new(ratio), client_address })))
    }

    /// Whether anything is traced.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the trace of a request, or goes on with the one that a trusted peer began: that one says whether it is kept.
    pub fn begin(&self, parent: impl FnOnce() -> Option<Parent>) -> Trace {
        let Some(inner) = &self.0 else { return Trace::default() };
        let (trace, parent, state, is_kept) = match parent() {
            Some(Parent { trace, span, is_sampled, state }) => (trace, Some(span), state, is_sampled),
            None => {
                let trace = TraceId::random();
                (trace, None, TraceState::default(), inner.sampler.keeps(trace))
            }
        };
        let queue = is_kept.then(|| inner.queue.clone());
        let (root, client_address) = (SpanId::random(), inner.client_address);
        Trace(Some(Arc::new(Context { queue, client_address, trace, root, parent, state })))
    }
}

impl Sampler {
    /// The bits of a trace's name that are looked at: its last 56, which the W3C has be random.
    const BITS: u32 = 56;

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn new(ratio: f64) -> Self {
        // A float becomes the nearest integer within bounds; 2^56 is one of them.
        Self { below: (ratio * (1_u64 << Self::BITS) as f64) as u64 }
    }

    fn keeps(self, trace: TraceId) -> bool {
        let last = trace.bytes().iter().rev().take(7).rev();
        last.fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) < self.below
    }
}

impl Trace {
    /// Its name, where anything is traced: for logs and audit.
    pub fn id(&self) -> Option<TraceId> {
        self.0.as_ref().map(|context| context.trace)
    }

    /// Its name where it is kept, so that whoever looks for it finds it.
    pub fn kept(&self) -> Option<TraceId> {
        self.0.as_ref().filter(|context| context.queue.is_some()).map(|context| context.trace)
    }

    /// The span of the request itself. Its name comes when it ends.
    pub fn request(&self) -> Span {
        let ids = self.0.as_ref().map(|context| (context.root, context.parent));
        self.begin(ids, "request", Kind::Server)
    }

    /// The span of something that happens on account of the request.
    pub fn child(&self, name: impl Display, kind: Kind) -> Span {
        let ids = self.0.as_ref().map(|context| (SpanId::random(), Some(context.root)));
        self.begin(ids, name, kind)
    }

    fn begin(&self, ids: Option<(SpanId, Option<SpanId>)>, name: impl Display, kind: Kind) -> Span {
        let (Some(context), Some((id, parent))) = (&self.0, ids) else { return Span::default() };
        let kept = context.queue.is_some().then(|| {
            Box::new(Ended {
                trace: context.trace,
                state: context.state.clone(),
                id,
                parent,
                name: text(&name.to_string()),
                kind,
                start: SystemTime::now(),
                begun: Instant::now(),
                duration: Duration::ZERO,
                attributes: Vec::with_capacity(ATTRIBUTES_MAX),
                failure: None,
            })
        });
        Span { context: Some(context.clone()), kept, id: Some(id) }
    }
}

impl Span {
    /// Whether what is said of it goes anywhere.
    pub const fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether it may have the client's address.
    pub fn has_client_address(&self) -> bool {
        self.is_kept() && self.context.as_ref().is_some_and(|context| context.client_address)
    }

    /// Says something of it in a word of ours.
    pub fn word(&mut self, key: &'static str, word: &'static str) {
        self.set(key, || Value::Word(word));
    }

    /// Says something of it in a text, of which at most 512 bytes are kept.
    pub fn text(&mut self, key: &'static str, said: &str) {
        self.set(key, || Value::Text(text(said)));
    }

    /// Says something of it in a number.
    pub fn number(&mut self, key: &'static str, number: u64) {
        self.set(key, || Value::Number(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    /// Gives it a name.
    pub fn rename(&mut self, name: &str) {
        if let Some(kept) = &mut self.kept {
            kept.name = text(name);
        }
    }

    /// Says that it failed, and why: in a stable word, or by a status.
    pub fn fail(&mut self, why: &str) {
        if let Some(kept) = &mut self.kept {
            kept.failure = Some(text(why));
        }
        self.text("error.type", why);
    }

    fn set(&mut self, key: &'static str, value: impl FnOnce() -> Value) {
        if let Some(kept) = &mut self.kept
            && kept.attributes.len() < ATTRIBUTES_MAX
        {
            kept.attributes.push((key, value()));
        }
    }

    /// Has a request say that it belongs to this span, and nothing else that it said. Where nothing is traced, the headers stay as they
    /// are.
    pub fn write(&self, headers: &mut HeaderMap) {
        let (Some(context), Some(id)) = (&self.context, self.id) else { return };
        headers.remove(TRACEPARENT);
        headers.remove(TRACESTATE);
        // Where the trace is not kept there is no such span: the request belongs to that of ours which has a name.
        let id = if self.is_kept() { id } else { context.root };
        if let Some(value) = traceparent(context.trace, id, context.queue.is_some()) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(state) = context.state.header() {
            headers.insert(TRACESTATE, state.clone());
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let (Some(context), Some(mut ended)) = (&self.context, self.kept.take()) else { return };
        ended.duration = ended.begun.elapsed();
        if let Some(queue) = &context.queue {
            queue.put(ended);
        }
    }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;

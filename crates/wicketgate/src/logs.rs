//! Logs: the gateway's own on standard error, access lines where the operator wants them. Lines are written by threads of
//! their own; a full disk or a slow terminal costs lines, never sessions. Audit lines are a sink of the audit.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use wicketgate_audit::{Audit, Form, LinesConfig, LinesTo, SinkConfig, SinkKind};
use wicketgate_gateway::config::{Config, LogConfig, LogFormat, LogLevel, LogSink};
use wicketgate_gateway::observe::{Recent, access};

/// Lines that wait to be written; more are dropped. About 300 bytes each.
const WAITING: usize = 32_768;

/// Keeps the writers running; what waits is written when it is dropped.
pub(crate) struct Logs {
    _guards: Vec<WorkerGuard>,
    reopen: Vec<Arc<AtomicBool>>,
    recent: Arc<Recent>,
}

impl Logs {
    /// The latest lines of the gateway's own log.
    pub(crate) fn recent(&self) -> Arc<Recent> {
        self.recent.clone()
    }

    /// Opens the file of the access log anew, for those who rotate it.
    pub(crate) fn reopen(&self) {
        self.reopen.iter().for_each(|file| file.store(true, Ordering::Relaxed));
    }
}

/// Sets the process's logging up.
pub(crate) fn init(config: &LogConfig) -> anyhow::Result<Logs> {
    let mut reopen = Vec::new();
    let (own, own_guard) = writer("log", io::stderr());
    let mut guards = vec![own_guard];
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let own_targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("wicketgate", level)
        .with_target(access::TARGET, LevelFilter::OFF);
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // All in one list: an empty one beside the own lines would turn them off.
    let mut layers = vec![layer(config.format, own, colour, own_targets.clone())];
    let recent = Arc::new(Recent::new(config.recent));
    if recent.is_on() {
        layers.push(Kept(recent.clone()).with_filter(own_targets).boxed());
    }
    let what = "access log";
    let access = match &config.access {
        LogSink::Off => None,
        LogSink::Stdout => Some(writer(what, io::stdout())),
        LogSink::Stderr => Some(writer(what, io::stderr())),
        LogSink::File(path) => {
            let again = Arc::new(AtomicBool::new(false));
            reopen.push(again.clone());
            Some(writer(what, Appended::open(what, path.clone(), again)?))
        }
    };
    if let Some((writer, guard)) = access {
        guards.push(guard);
        let only = Targets::new().with_target(access::TARGET, LevelFilter::INFO);
        layers.push(layer(config.format, writer, false, only));
    }
    tracing_subscriber::registry().with(layers).try_init().context("logging is set up already")?;
    Ok(Logs { _guards: guards, reopen, recent })
}

/// What audit lines that wait to be written may take, in bytes; more are dropped.
const AUDIT_WAITING: usize = 8 << 20;

/// Starts the audit: the store and sinks of the configuration, and `log.audit` as one more sink.
pub(crate) fn audit(config: &Config) -> anyhow::Result<Audit> {
    let to = match &config.log.audit {
        LogSink::Off => None,
        LogSink::Stdout => Some(LinesTo::Stdout),
        LogSink::Stderr => Some(LinesTo::Stderr),
        LogSink::File(path) => Some(LinesTo::File(path.clone())),
    };
    let form = match config.log.format {
        LogFormat::Text => Form::Text,
        LogFormat::Json => Form::Json,
    };
    let mut audit = config.audit.clone();
    audit.sinks.extend(to.map(|to| SinkConfig {
        name: "log.audit".into(),
        queue: AUDIT_WAITING,
        kind: SinkKind::Lines(LinesConfig { to, form }),
    }));
    Ok(Audit::start(audit)?)
}

fn layer<S>(
    format: LogFormat,
    writer: NonBlocking,
    colour: bool,
    only: Targets,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour);
    match format {
        LogFormat::Text => layer.with_filter(only).boxed(),
        LogFormat::Json => {
            layer.json().flatten_event(true).with_current_span(false).with_filter(only).boxed()
        }
    }
}

fn writer(what: &'static str, to: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    let writer = Complaining { what, to, told: None };
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING).thread_name("logs").finish(writer)
}

/// Keeps lines in memory, as they are written for people.
struct Kept(Arc<Recent>);

impl<S: Subscriber> Layer<S> for Kept {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let Text { message, fields } = text;
        self.0.note(event.metadata().level().as_str(), event.metadata().target(), message + &fields);
    }
}

/// What an event says.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // To a string nothing fails to be written.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Says on standard error, once a minute, that lines cannot be written.
struct Complaining<W> {
    what: &'static str,
    to: W,
    told: Option<Instant>,
}

impl<W: Write> Complaining<W> {
    fn complain(&mut self, error: &io::Error) {
        if self.told.is_none_or(|told| told.elapsed() > Duration::from_secs(60)) {
            self.told = Some(Instant::now());
            // Where standard error is what fails, there is nobody left to tell.
            let _ = writeln!(
                io::stderr(),
                "wicketgate: the {} cannot be written, lines are lost: {error}",
                self.what
            );
        }
    }
}

impl<W: Write> Write for Complaining<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.to.write_all(bytes) {
            self.complain(&error);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Err(error) = self.to.flush() {
            self.complain(&error);
        }
        Ok(())
    }
}

/// A file that lines are appended to, opened anew when asked.
struct Appended {
    path: PathBuf,
    file: File,
    reopen: Arc<AtomicBool>,
}

impl Appended {
    fn open(what: &str, path: PathBuf, reopen: Arc<AtomicBool>) -> anyhow::Result<Self> {
        let file =
            Self::file(&path).with_context(|| format!("cannot write the {what} to {}", path.display()))?;
        Ok(Self { path, file, reopen })
    }

    fn file(path: &PathBuf) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(path)
    }
}

impl Write for Appended {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.reopen.swap(false, Ordering::Relaxed) {
            self.file = Self::file(&self.path)?;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

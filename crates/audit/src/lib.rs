//! What happened: the events that an auditor asks for, kept so that a change shows, and sent to whoever else wants them.
//!
//! An [`Event`] is about [`Who`]; together they make a [`Record`], one flat list of typed fields. The process has one
//! [`Audit`], which hands records to the store (`store`), whose rows are chained by their hashes (`chain`), and to sinks
//! (`sink`), each with a bounded queue (`queue`) and a thread of its own. A [`Reader`] reads the store while it is
//! written, and says whether the chain holds. No event holds a credential or a query, and no payload in clear.

mod audit;
mod cell;
mod chain;
mod config;
mod counts;
mod event;
mod json;
mod payload;
pub mod private;
mod queue;
mod record;
pub mod reference;
mod row;
mod seal;
mod sink;
mod store;
mod verify;
mod who;
mod writer;

pub use audit::{Audit, Place, StartError};
pub use cell::{Cell, Kind, Timestamp};
pub use chain::{Anchor, Hash};
pub use config::{AuditConfig, Durability, RawAudit, RawStore, StoreConfig};
pub use event::{About, Content, Event, Finding, Outcome, RequestFinding, Selector};
pub use payload::Payload;
pub use queue::{Lost, Ticket};
pub use record::{FIELDS, FieldInfo, Record, TEXT_MAX};
pub use row::Row;
pub use seal::{Identity, Recipient, SealError, generate};
pub use sink::config::{
    Form, LinesConfig, LinesTo, OtlpConfig, SinkConfig, SinkKind, SyslogConfig, Transport,
};
pub use sink::config::{RawOtlp, RawSink, RawSyslog};
pub use store::{Fault, Filter, Keep, Reader, Store, StoreError};
pub use verify::{At, Broken, Verified, verify_export};
pub use who::Who;

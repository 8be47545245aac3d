//! The audit store, searched and verified: on a thread for files, few at once.

use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wicketgate_audit::{Filter, Reader, Row, StoreError, Timestamp};

use crate::state::Shared;

/// The most rows that one answer has.
pub(crate) const MOST: u64 = 1000;

/// Which rows are meant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wanted {
    pub(crate) since: String,
    pub(crate) until: String,
    pub(crate) event: String,
    pub(crate) subject: String,
    pub(crate) session: String,
    pub(crate) route: String,
    pub(crate) client: String,
    pub(crate) class: String,
    pub(crate) limit: Option<u64>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// There is none.
    #[error("there is no audit store: give `audit.store` a `path`")]
    None,
    /// What was asked makes no sense.
    #[error("{0}")]
    Asked(String),
    /// Others read.
    #[error("others read the audit store just now: try again")]
    Busy,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of verifying the chain.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Verified {
    /// Whether every row is as it was written.
    pub(crate) holds: bool,
    /// How many rows were walked, where it holds.
    pub(crate) rows: u64,
    /// The last row and its hash, where it holds: `SEQUENCE:HASH`, to be kept elsewhere.
    pub(crate) anchor: Option<String>,
    /// Where it breaks first.
    pub(crate) broken: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Unread> {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let moment = |name: &str, given: &str| match text(given) {
            None => Ok(None),
            Some(given) => match Timestamp::parse(&given) {
                Some(moment) => Ok(Some(moment)),
                None => {
                    Err(Unread::Asked(format!("`{name}` is no time: write it as in 2026-11-28T10:00:00Z")))
                }
            },
        };
        let session = text(&self.session).map(|session| session.parse());
        let session = session.transpose().map_err(|_| Unread::Asked("`session` is no number".into()))?;
        Ok(Filter {
            since: moment("since", &self.since)?,
            until: moment("until", &self.until)?,
            event: text(&self.event),
            subject: text(&self.subject),
            session,
            process: None,
            route: text(&self.route),
            client: text(&self.client),
            class: text(&self.class),
        })
    }
}

/// The newest rows that are meant, the newest first.
pub(crate) async fn search(shared: &Shared, wanted: &Wanted) -> Result<Vec<Row>, Unread> {
    let (filter, limit) = (wanted.filter()?, wanted.limit.unwrap_or(100).clamp(1, MOST));
    read(shared, move |reader| {
        let mut rows = Vec::new();
        reader.newest(&filter, limit, |row| {
            rows.push(row);
            ControlFlow::Continue(())
        })?;
        rows.reverse();
        Ok(rows)
    })
    .await
}

/// Walks the whole chain.
pub(crate) async fn verify(shared: &Shared) -> Result<Verified, Unread> {
    let walked = read(shared, |reader| reader.verify(&[])).await?;
    Ok(match walked {
        Ok(verified) => {
            let anchor = Some(verified.head.to_string()).filter(|_| verified.rows > 0);
            Verified { holds: true, rows: verified.rows, anchor, broken: None }
        }
        Err(broken) => Verified { holds: false, rows: 0, anchor: None, broken: Some(broken.to_string()) },
    })
}

async fn read<T: Send + 'static>(
    shared: &Shared,
    read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Unread> {
    let path = shared.store.clone().ok_or(Unread::None)?;
    let place = shared.readers.clone().try_acquire_owned().map_err(|_| Unread::Busy)?;
    let reading = tokio::task::spawn_blocking(move || {
        let value = Reader::open(&path).and_then(|reader| read(&reader));
        drop(place);
        value
    });
    Ok(reading.await.map_err(|_| Unread::Busy)??)
}

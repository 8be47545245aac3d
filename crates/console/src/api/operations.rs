//! What each operation does. Pages that change something do it by the same functions.

use axum::Json;
use std::net::IpAddr;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, RawQuery, State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use wicketgate_admission::revocation::Revocation;
use wicketgate_gateway::config::{self, Config, Moment, ShownFile};
use wicketgate_gateway::console::Scope;
use wicketgate_gateway::observe::Found;
use wicketgate_gateway::operate::findings::{self as found, Exclusion};
use wicketgate_gateway::operate::relay::Meant;
use wicketgate_gateway::operate::{
    Selector, certificates, doctor as examined, kick as end, places, relay, revocations as revoked,
    sessions as live, traffic,
};

use super::error::Problem;
use crate::access::caller::Caller;
use crate::followed::Changes;
use crate::records::{self, MOST, Verified, Wanted};
use crate::state::Shared;

type Answer<T> = Result<Json<T>, Problem>;

/// Who asks.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Me {
    /// The user's or token's name.
    name: String,
    /// What is allowed.
    scope: Scope,
    /// The address that was seen.
    from: String,
}

pub(super) async fn me(Extension(caller): Extension<Caller>) -> Json<Me> {
    Json(Me { scope: caller.scope, from: caller.from.to_string(), name: caller.name })
}

pub(super) async fn overview(State(shared): State<Shared>) -> Json<traffic::Overview> {
    Json(traffic::Overview::of(&shared.gateway))
}

pub(super) async fn sessions(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer<live::List> {
    let selector = Selector::parse(query.as_deref()).map_err(Problem::asked)?;
    Ok(Json(live::list(&shared.gateway, &selector, live::SHOWN)))
}

pub(super) async fn session(
    State(shared): State<Shared>,
    session: Result<Path<u64>, PathRejection>,
) -> Answer<live::Detail> {
    let Path(session) = session.map_err(|_| Problem::asked("a session has a number"))?;
    let detail = live::one(&shared.gateway, session);
    detail
        .map(Json)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("no session {session} is live")))
}

pub(super) async fn kick(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer<end::Ended> {
    let selector = Selector::parse_some(query.as_deref()).map_err(Problem::asked)?;
    Ok(Json(end::kick(&shared.gateway, &selector, &caller.who()).await))
}

pub(super) async fn doctor(State(shared): State<Shared>) -> Answer<examined::Report> {
    Ok(Json(examine(&shared).await?))
}

/// Looks at everything; few at once, since each takes connections to all targets.
pub(crate) async fn examine(shared: &Shared) -> Result<examined::Report, Problem> {
    let busy = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "others look just now: try again");
    let _place = shared.readers.clone().try_acquire_owned().map_err(|_| busy())?;
    let followed = shared.followed.load_full();
    Ok(examined::examine(&shared.gateway, &followed.current, shared.clocks).await)
}

pub(super) async fn routes(State(shared): State<Shared>) -> Json<places::Routes> {
    Json(places::routes(&shared.gateway))
}

pub(super) async fn upstreams(State(shared): State<Shared>) -> Json<places::Upstreams> {
    Json(places::upstreams(&shared.gateway))
}

/// The latest findings.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Findings {
    /// Findings since they are kept.
    seen: u64,
    /// Those that were not kept, so that no session waits.
    missed: u64,
    /// The latest first.
    findings: Vec<ShownFinding>,
}

/// A finding.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ShownFinding {
    /// Its number.
    number: u64,
    /// When it was found.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    time: OffsetDateTime,
    /// The route.
    route: Box<str>,
    /// The session; none where it was found in a request.
    session: Option<u64>,
    /// Who the client proved to be.
    subject: Option<Box<str>>,
    /// The client's address.
    client: Option<IpAddr>,
    /// `to_upstream` or `to_client`.
    direction: &'static str,
    /// The step of the policy; `admission.crs` where it was found in a request.
    step: Box<str>,
    /// What was found, in a stable word.
    class: &'static str,
    /// The rule that found it.
    rule: Option<Box<str>>,
    /// Where in the message, or in the request as rules name it: `ARGS:q`.
    path: Box<str>,
    /// More about it.
    detail: Box<str>,
    /// A masked piece of what it was found in.
    excerpt: Option<Box<str>>,
    /// What became of the message or request.
    action: &'static str,
    /// Whether the step only observes.
    observed: bool,
}

impl From<Found> for ShownFinding {
    fn from(found: Found) -> Self {
        Self {
            number: found.number,
            time: found.time.into(),
            route: found.route,
            session: found.session,
            subject: found.subject,
            client: found.client,
            direction: found.direction,
            step: found.step,
            class: found.class,
            rule: found.rule,
            path: found.path,
            detail: found.detail,
            excerpt: found.excerpt,
            action: found.action,
            observed: found.observed,
        }
    }
}

/// A finding, and what would keep it from being found again.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OneFinding {
    /// The finding.
    finding: ShownFinding,
    /// Lines for the configuration, to be reviewed. They are applied by nobody here.
    exclusion: Option<Exclusion>,
    /// Why there are none.
    without: Option<String>,
}

pub(super) async fn finding(
    State(shared): State<Shared>,
    finding: Result<Path<u64>, PathRejection>,
) -> Answer<OneFinding> {
    let Path(number) = finding.map_err(|_| Problem::asked("a finding has a number"))?;
    let found = found::one(&shared.gateway, number).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("the finding {number} is not kept: the audit may have it"),
        )
    })?;
    let (exclusion, without) = match found::exclusion(&shared.gateway, &found) {
        Ok(exclusion) => (Some(exclusion), None),
        Err(why) => (None, Some(why)),
    };
    Ok(Json(OneFinding { finding: found.into(), exclusion, without }))
}

/// Which findings are meant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FoundBy {
    pub(crate) route: String,
    pub(crate) session: String,
    pub(crate) class: String,
    pub(crate) client: String,
    pub(crate) limit: Option<u64>,
}

impl FoundBy {
    /// The latest of them.
    pub(crate) fn latest(&self, shared: &Shared) -> Vec<Found> {
        let is = |wanted: &str, held: &str| wanted.trim().is_empty() || wanted.trim() == held;
        let is_meant = |found: &Found| {
            is(&self.route, &found.route)
                && is(&self.class, found.class)
                && is(&self.session, &found.session.map(|session| session.to_string()).unwrap_or_default())
                && is(&self.client, &found.client.map(|client| client.to_string()).unwrap_or_default())
        };
        let most = usize::try_from(self.limit.unwrap_or(100).clamp(1, MOST)).unwrap_or(1);
        shared.gateway.findings.latest(most, is_meant)
    }
}

pub(super) async fn findings(
    State(shared): State<Shared>,
    by: Result<Query<FoundBy>, QueryRejection>,
) -> Answer<Findings> {
    let Query(by) = by.map_err(|error| Problem::asked(error.body_text()))?;
    let (seen, missed) = shared.gateway.findings.counts();
    Ok(Json(Findings { seen, missed, findings: by.latest(&shared).into_iter().map(Into::into).collect() }))
}

pub(super) async fn relay_endpoints(State(shared): State<Shared>) -> Json<relay::Endpoints> {
    Json(relay::endpoints(&shared.gateway))
}

pub(super) async fn relay_sessions(State(shared): State<Shared>) -> Json<relay::Sessions> {
    Json(relay::sessions(&shared.gateway))
}

pub(super) async fn relay_kick(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer<end::Ended> {
    let meant = Meant::parse(query.as_deref()).map_err(Problem::asked)?;
    Ok(Json(relay::kick(&shared.gateway, &meant, &caller.who()).await))
}

pub(super) async fn revocations(State(shared): State<Shared>) -> Json<revoked::List> {
    Json(revoked::list(&shared.gateway))
}

pub(super) async fn revoke(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    entry: Result<Json<Revocation>, JsonRejection>,
) -> Answer<revoked::Added> {
    let Json(entry) = entry.map_err(|error| Problem::asked(error.body_text()))?;
    let added = revoked::add(&shared.gateway, entry, &caller.who()).await;
    added.map(Json).map_err(|error| Problem::new(StatusCode::CONFLICT, format!("not revoked: {error}")))
}

pub(super) async fn certificates(State(shared): State<Shared>) -> Json<certificates::List> {
    Json(all_certificates(&shared))
}

/// Those of the listeners, and the console's own.
pub(crate) fn all_certificates(shared: &Shared) -> certificates::List {
    let mut list = certificates::list(&shared.gateway);
    let now = std::time::SystemTime::now();
    let own = shared.config.load().tls.as_ref().map(|tls| tls.resolver.shown()).unwrap_or_default();
    let own = own.into_iter().map(|own| certificates::Shown::of(crate::origin::NAME, own, now));
    list.certificates.extend(own);
    list
}

/// Audit records.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Rows {
    /// As lines of an export, the newest first; sealed payloads are left out.
    records: Vec<Value>,
}

pub(super) async fn audit(
    State(shared): State<Shared>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Answer<Rows> {
    let Query(wanted) = wanted.map_err(|error| Problem::asked(error.body_text()))?;
    let rows = records::search(&shared, &wanted).await?;
    let records = rows.iter().map(|row| {
        let mut row = row.to_json(None);
        row.as_object_mut().map(|row| row.remove("payload"));
        row
    });
    Ok(Json(Rows { records: records.collect() }))
}

pub(super) async fn verify(State(shared): State<Shared>) -> Answer<Verified> {
    Ok(Json(records::verify(&shared).await?))
}

/// The configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Configuration {
    /// Its files, the main one first: without comments, secrets masked.
    pub(crate) files: Vec<ShownFile>,
}

/// What is wrong with the configuration.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// Whether it can be used.
    pub(crate) usable: bool,
    /// Findings that keep it from being used.
    pub(crate) errors: usize,
    /// Findings that only weaken something.
    pub(crate) warnings: usize,
    /// Each finding in a line: file, line, column, what, and what to do.
    pub(crate) problems: Vec<String>,
}

/// What came of a reload.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Reloaded {
    /// Whether the files as they are now are followed; else what was followed before still is.
    pub(crate) followed: bool,
    /// What is wrong with them.
    pub(crate) checked: Checked,
}

/// Reads the files, on a thread for that.
async fn read<T: Send + 'static>(
    shared: &Shared,
    of: impl FnOnce(&Shared, Option<&Config>, &config::Report) -> T + Send + 'static,
) -> Result<T, Problem> {
    let busy = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "others read files just now: try again");
    let place = shared.readers.clone().try_acquire_owned().map_err(|_| busy())?;
    let shared = shared.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let (usable, report) = match config::load(&shared.file) {
            Ok((config, report)) => (Some(config), report),
            Err(report) => (None, report),
        };
        let read = of(&shared, usable.as_ref(), &report);
        drop(place);
        read
    });
    reading.await.map_err(|_| busy())
}

pub(crate) async fn files(shared: &Shared) -> Result<Configuration, Problem> {
    read(shared, |_, _, report| Configuration { files: config::view(report) }).await
}

/// The files as they are now, and what following them would change.
pub(crate) async fn changes(shared: &Shared) -> Result<(Configuration, Changes), Problem> {
    read(shared, |shared, next, report| {
        let now = Moment::of(report);
        let changes = shared.followed.load().until(next, &now, &shared.gateway);
        (Configuration { files: now.files() }, changes)
    })
    .await
}

pub(crate) async fn checked(shared: &Shared) -> Result<Checked, Problem> {
    read(shared, |_, usable, report| Checked {
        usable: usable.is_some(),
        errors: report.errors(),
        warnings: report.warnings(),
        problems: report.problems().take(100).map(|problem| report.line(problem)).collect(),
    })
    .await
}

pub(crate) async fn reloaded(shared: &Shared, caller: &Caller) -> Result<Reloaded, Problem> {
    let checked = checked(shared).await?;
    let busy = || Problem::new(StatusCode::CONFLICT, "the configuration cannot be read anew just now");
    let followed = shared.control.reload(&caller.who()).await.ok_or_else(busy)?;
    Ok(Reloaded { followed, checked })
}

pub(super) async fn configuration(State(shared): State<Shared>) -> Answer<Configuration> {
    Ok(Json(files(&shared).await?))
}

pub(super) async fn configuration_changes(State(shared): State<Shared>) -> Answer<Changes> {
    Ok(Json(changes(&shared).await?.1))
}

pub(super) async fn check(State(shared): State<Shared>) -> Answer<Checked> {
    Ok(Json(checked(&shared).await?))
}

pub(super) async fn reload(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Answer<Reloaded> {
    Ok(Json(reloaded(&shared, &caller).await?))
}

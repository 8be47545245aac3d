//! Learning: a capture goes in, a policy comes out that lets it pass.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use wicketgate_config::{Problems, Report, part};
use wicketgate_policy::{Direction, Message, Policy, RawPolicy, Verdict};

use crate::document::{Document, shown};
use crate::error::Error;
use crate::format::{self, Ear, Sessions};
use crate::kind::Candidates;
use crate::line::Line;
use crate::secret;
use crate::settings::Settings;
use crate::summary::Summary;

/// Messages that the field of the kind is looked for in.
const SAMPLE: usize = 20_000;
/// The longest file that a configuration may include, in bytes.
const MAX_FILE: usize = 1 << 20;

/// A policy, and what it was made of.
#[derive(Debug)]
pub struct Learned {
    /// The file: `policies:` with one policy, to be included by a configuration.
    pub text: String,
    /// What was seen of each kind, each way.
    pub rows: Vec<Row>,
    /// Messages that the format could not read, by why.
    pub unread: BTreeMap<&'static str, u64>,
    /// Messages that could be read and that the policy would not let pass, by step and what was found. Empty but for what nobody
    /// could learn.
    pub refused: BTreeMap<String, u64>,
}

/// What was seen of one kind of message.
#[derive(Debug)]
pub struct Row {
    /// Its name, as it may be shown.
    pub kind: String,
    /// Which way.
    pub direction: Direction,
    /// How often.
    pub seen: u64,
    /// The longest, in bytes.
    pub longest: u64,
    /// The most in one second of one session; none where the capture has no times.
    pub per_second: Option<u64>,
    /// Whether it was seen too rarely to be relied on.
    pub is_rare: bool,
}

#[derive(Deserialize)]
struct File {
    policies: Vec<RawPolicy>,
}

/// Learns a policy from the messages of a capture.
///
/// # Errors
/// Nothing to learn from.
pub fn learn(lines: &[Line], settings: &Settings) -> Result<Learned, Error> {
    if lines.is_empty() {
        return Err(Error::Empty);
    }
    let (ear, kind) = ear(lines, settings)?;
    let secret = secret::marked(lines, &settings.secret);
    let mut summaries =
        [Direction::ToUpstream, Direction::ToClient].map(|direction| Summary::new(direction, &secret));
    let (mut unread, mut sessions) = (BTreeMap::new(), Sessions::default());
    let mut readable = Vec::with_capacity(lines.len());
    // A packet that came before a message broke is learnt: the policy refuses the whole message all the same.
    for line in lines {
        let [up, down] = &mut summaries;
        let summary = if line.direction == Direction::ToUpstream { up } else { down };
        let mut note = |heard: wicketgate_policy::Heard<'_>| summary.observe(&heard, line.session, line.time);
        let heard = ear.listen(&mut sessions, line, &mut note);
        readable.push(heard.is_ok());
        if let Err(why) = heard {
            *unread.entry(why).or_insert(0) += 1;
        }
    }
    if summaries.iter().all(|summary| summary.kinds.is_empty()) {
        return Err(Error::Unread(ear.format));
    }
    let subprotocols: BTreeSet<&String> = lines.iter().filter_map(|line| line.subprotocol.as_ref()).collect();
    let subprotocols: Vec<String> = subprotocols.into_iter().cloned().collect();
    let [up, down] = &summaries;
    let mut document = Document {
        settings,
        ear: &ear,
        kind: kind.as_deref(),
        subprotocols: &subprotocols,
        directions: [up, down],
        guard_observes: false,
        observes: false,
    };
    let head = head(lines, &summaries, &unread, settings);
    let mut text = document.write(&head);
    let judged = |text: &str| judge(text, lines.iter().zip(&readable), &ear);
    let mut refused = judged(&text)?;
    if refused.keys().any(|found| found.starts_with("injection: ")) {
        document.guard_observes = true;
        text = document.write(&head);
        refused = judged(&text)?;
    }
    if settings.observes {
        document.observes = true;
        text = document.write(&head);
    }
    if text.len() > MAX_FILE {
        return Err(Error::Large(text.len()));
    }
    Ok(Learned { text, rows: rows(&summaries, settings), unread, refused })
}

/// The format, and where messages say of what kind they are.
fn ear(lines: &[Line], settings: &Settings) -> Result<(Ear, Option<String>), Error> {
    let ear = match &settings.format {
        Some(format) => Ear::new(format, None)?,
        None => format::find(lines)?,
    };
    if !["json", "msgpack", "cbor"].contains(&ear.format.as_str()) && settings.kind.is_none() {
        return Ok((ear, None));
    }
    let kind = settings.kind.clone().or_else(|| {
        let (mut candidates, mut sessions) = (Candidates::new(), Sessions::default());
        for line in lines.iter().take(SAMPLE) {
            let _ = ear.listen(&mut sessions, line, &mut |heard| candidates.look(&heard.fields));
        }
        candidates.best()
    });
    Ok((Ear::new(&ear.format, kind.as_deref())?, kind))
}

fn head(
    lines: &[Line],
    summaries: &[Summary<'_>],
    unread: &BTreeMap<&'static str, u64>,
    settings: &Settings,
) -> Vec<String> {
    let sessions: BTreeSet<u64> = lines.iter().map(|line| line.session).collect();
    let mut head = vec![
        format!(
            "Learned from {} messages of {} sessions. Review it before it refuses anything.",
            lines.len(),
            sessions.len()
        ),
        format!(
            "Sizes, numbers and rates have a headroom of {}; what was seen fewer than {} times is open, and marked REVIEW.",
            settings.headroom, settings.min_count
        ),
    ];
    for summary in summaries {
        let kinds = summary.kinds.len();
        head.push(format!("{}: {} seen, of {kinds} kinds.", summary.direction.label(), summary.seen()));
    }
    if summaries.iter().any(|summary| !summary.has_rates) {
        head.push("Not all messages have a time, or there were too many sessions: a direction without `rate` steps has no limits.".into());
    }
    for (why, count) in unread {
        head.push(format!(
            "NOT LEARNED: {count} messages that the format does not read ({why}); they are refused."
        ));
    }
    head
}

fn rows(summaries: &[Summary<'_>], settings: &Settings) -> Vec<Row> {
    let of = |summary: &Summary<'_>| {
        let (direction, has_rates) = (summary.direction, summary.has_rates);
        let rows = summary.kinds.iter().map(move |kind| Row {
            kind: shown(&kind.name),
            direction,
            seen: kind.seen,
            longest: kind.longest,
            per_second: has_rates.then_some(kind.per_second),
            is_rare: kind.seen < settings.min_count,
        });
        rows.collect::<Vec<_>>()
    };
    summaries.iter().flat_map(of).collect()
}

/// What a learnt policy refuses of the capture that it was learnt from. What could not be read cannot pass either, and was told.
fn judge<'a>(
    text: &str,
    lines: impl Iterator<Item = (&'a Line, &'a bool)>,
    ear: &Ear,
) -> Result<BTreeMap<String, u64>, Error> {
    let policy = read(text)?;
    let (mut refused, mut sessions) = (BTreeMap::new(), Sessions::default());
    // Where a capture does not say what a session negotiated, it was something that the policy is for.
    let told = policy.subprotocols();
    let usual = ear.usual().filter(|usual| told.iter().any(|told| **told == **usual));
    let usual = usual.or_else(|| told.first().map(|told| &**told));
    for (line, is_readable) in lines {
        let Some(session) = sessions.of(line, usual) else { continue };
        let message = Message { kind: line.kind, payload: &line.payload };
        let outcome = policy.judge(session, line.direction, message);
        let is_part = matches!(outcome.verdict, Verdict::Drop) && outcome.findings.is_empty();
        let passes = matches!(outcome.verdict, Verdict::Forward(_) | Verdict::Rewrite(..)) || is_part;
        if passes || !is_readable {
            continue;
        }
        if let Some(finding) = outcome.findings.last() {
            *refused
                .entry(format!("{}: {} at {}", finding.step, finding.class, finding.path))
                .or_insert(0) += 1;
        }
    }
    Ok(refused)
}

/// The policy of a learnt file.
pub(crate) fn read(text: &str) -> Result<Policy, Error> {
    let written = |report| Error::Written(Box::new(report));
    let file: File = part("learned.yaml", text).map_err(written)?;
    let mut problems = Problems::default();
    let policy = file.policies.into_iter().next().and_then(|raw| raw.check(&mut problems));
    let policy = policy.filter(|_| !problems.has_errors());
    policy.ok_or_else(|| written(Report::new(Default::default(), problems)))
}

//! How a configuration measures up to a profile.

use serde::Serialize;
use wicketgate_config::Report;

use super::finding::Finding;
use super::requirement::{Decided, Requirement};
use super::view::View;
use crate::config::Config;

/// How a configuration measures up to a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// The profile's title.
    pub title: &'static str,
    /// What this is, and is not.
    pub note: &'static str,
    /// The requirements, in the profile's order.
    pub requirements: Vec<Row>,
}

/// How far a requirement is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everywhere.
    Met,
    /// In some places.
    Partly,
    /// Nowhere.
    NotMet,
    /// It is no matter of a gateway's configuration.
    Outside,
}

/// A requirement, how far it is met, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The name that the requirement has where it comes from.
    pub id: &'static str,
    /// What it asks for, in our words.
    pub text: &'static str,
    /// How far it is met.
    pub verdict: Verdict,
    /// Why, where no setting decides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The settings that decide it.
    pub settings: Vec<Setting>,
}

/// A setting that decides about a requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its path, as in `routes[0].admission.origin`; empty where no single one decides.
    pub path: String,
    /// Whether it is as the requirement has it.
    pub holds: bool,
    /// Whether it is not written, so that its default counts.
    pub default: bool,
    /// The file in which it stands, or should.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line where it stands, or the part that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What it comes to.
    pub says: String,
    /// What would be right, where it is not.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub help: &'static str,
}

/// Where no part of the configuration is of the kind that a requirement is about.
const NOTHING: &str = "the configuration has nothing that this is about";

impl Assessment {
    pub(super) const fn new(title: &'static str, requirements: Vec<Row>) -> Self {
        Self { title, note: "A mapping of its requirements to settings, not a certification.", requirements }
    }

    /// Whether every requirement that a configuration can meet is met.
    pub fn is_met(&self) -> bool {
        self.requirements.iter().all(|row| matches!(row.verdict, Verdict::Met | Verdict::Outside))
    }
}

impl Row {
    pub(super) fn new(requirement: &Requirement, config: &Config, report: &Report) -> Self {
        let view = View { config, outline: report.outline() };
        let (verdict, reason, settings) = match &requirement.decided {
            Decided::Outside(why) => (Verdict::Outside, Some(*why), Vec::new()),
            Decided::Always(why) => (Verdict::Met, Some(*why), Vec::new()),
            Decided::By(checks) => {
                let findings: Vec<Finding> = checks.iter().flat_map(|check| check(&view)).collect();
                let verdict = verdict(&findings);
                let settings = findings.into_iter().map(|finding| Setting::new(finding, report)).collect();
                (verdict, None, settings)
            }
        };
        let reason = reason.or(settings.is_empty().then_some(NOTHING));
        Self { id: requirement.id, text: requirement.text, verdict, reason, settings }
    }
}

fn verdict(findings: &[Finding]) -> Verdict {
    match findings.iter().filter(|finding| finding.holds).count() {
        held if held == findings.len() => Verdict::Met,
        0 => Verdict::NotMet,
        _ => Verdict::Partly,
    }
}

impl Setting {
    fn new(finding: Finding, report: &Report) -> Self {
        let Finding { setting: path, holds, says, help } = finding;
        let outline = report.outline();
        let written = outline.get(&path);
        // A default that is right stands nowhere; one that is not should stand in the part that it belongs to.
        let place = written.or_else(|| outline.nearest(&path).filter(|_| !holds));
        Self {
            file: place.and_then(|place| report.file(place)).map(|file| file.display().to_string()),
            line: place.map(|place| place.line()),
            default: written.is_none() && !path.is_empty(),
            path,
            holds,
            says,
            help,
        }
    }
}

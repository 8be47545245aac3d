//! What a rule does, from what is written.

use super::Compiled;
use crate::action::Written;
use crate::forms::FormId;
use crate::load::Removal;
use crate::macros::Macro;
use crate::note::{Effect, Place};
use crate::rule::{Change, Control, Disruption, Flow, Phase, Rule, Set, SetName, Severity};
use crate::target::Target;
use crate::transform::Transformation;

/// A control that waits for all rules to be there.
#[derive(Debug)]
pub(super) enum Pending {
    Remove(Removal),
    RemoveTarget(Removal, Target),
}

/// What says nothing about what is found: logs, responses, versions.
const IDLE: &[&str] = &[
    "id",
    "phase",
    "chain",
    "status",
    "ver",
    "rev",
    "maturity",
    "accuracy",
    "logdata",
    "auditlog",
    "noauditlog",
    "sanitisematched",
    "sanitisematchedbytes",
    "sanitisearg",
    "sanitiserequestheader",
    "setenv",
    "xmlns",
    "pause",
    "capture",
    "multimatch",
    "t",
    "initcol",
    "expirevar",
    "deprecatevar",
    "setuid",
    "setsid",
    "setrsc",
];
/// What is kept between requests, which is nothing here.
const KEPT: &[&str] = &["initcol", "expirevar", "deprecatevar", "setuid", "setsid", "setrsc"];
/// Controls that change logs, and how a body is read.
const IDLE_CONTROLS: &[&str] = &[
    "auditengine",
    "auditlogparts",
    "debugloglevel",
    "forcerequestbodyvariable",
    "requestbodyaccess",
    "requestbodylimit",
    "requestbodyprocessor",
    "responsebodyaccess",
    "responsebodylimit",
];

impl Compiled {
    /// A rule with all that is written of its actions, which asks nothing yet.
    pub(super) fn with_actions(
        &mut self,
        place: &Place,
        id: Option<u64>,
        phase: Phase,
        written: &[Written],
    ) -> Rule {
        let defaults = std::mem::take(&mut self.defaults[phase as usize]);
        let mut rule = Rule {
            id: id.unwrap_or_default(),
            place: place.clone(),
            targets: Vec::new(),
            left_out: Vec::new(),
            test: None,
            negated: false,
            forms: self.forms_of(place, id, defaults.iter().chain(written)),
            captures: defaults.iter().chain(written).any(|one| one.name == "capture"),
            remembers: false,
            sets: Vec::new(),
            controls: Vec::new(),
            flow: Flow::default(),
            told: !defaults.iter().any(|one| one.name == "nolog"),
            severity: None,
            message: None,
            tags: Vec::new(),
            next: None,
        };
        for action in written {
            let Written { name, argument } = action;
            match name.as_str() {
                "msg" => rule.message = Some(argument.clone()),
                "tag" => rule.tags.push(argument.clone()),
                "severity" => rule.severity = Severity::named(argument),
                "log" => rule.told = true,
                "nolog" => rule.told = false,
                "setvar" => self.set(place, id, argument, &mut rule),
                "ctl" => self.control(place, id, argument, &mut rule),
                "skipafter" => rule.flow.skip_after = Some(self.marker_of(argument)),
                "skip" => rule.flow.skip = argument.parse().unwrap_or(0),
                "pass" => rule.flow.end = None,
                "deny" | "drop" | "redirect" | "proxy" => rule.flow.end = Some(Disruption::Refuse),
                "block" => rule.flow.end = block(&defaults),
                "allow" if argument == "phase" => rule.flow.end = Some(Disruption::AllowPhase),
                "allow" => rule.flow.end = Some(Disruption::Allow),
                kept if KEPT.contains(&kept) => {
                    let what = format!("`{kept}`: nothing is kept between messages");
                    self.note(place, id, Effect::Without, what);
                }
                idle if IDLE.contains(&idle) => {}
                other => self.note(place, id, Effect::Without, format!("the action `{other}`")),
            }
        }
        self.defaults[phase as usize] = defaults;
        rule
    }

    fn forms_of<'a>(
        &mut self,
        place: &Place,
        id: Option<u64>,
        written: impl Iterator<Item = &'a Written>,
    ) -> Box<[FormId]> {
        let mut forms = vec![FormId::ITSELF];
        let mut each = false;
        for action in written {
            match action.name.as_str() {
                "multimatch" => each = true,
                "t" if action.argument.eq_ignore_ascii_case("none") => forms = vec![FormId::ITSELF],
                "t" => match Transformation::named(&action.argument) {
                    Some(transformation) => {
                        let last = forms.last().copied().unwrap_or(FormId::ITSELF);
                        forms.push(self.forms.next(last, transformation));
                    }
                    None => {
                        let what = format!("the transformation `{}`", action.argument);
                        self.note(place, id, Effect::Without, what);
                    }
                },
                _ => {}
            }
        }
        match each {
            true => forms.into(),
            false => forms.split_off(forms.len() - 1).into(),
        }
    }

    fn set(&mut self, place: &Place, id: Option<u64>, argument: &str, rule: &mut Rule) {
        let (unset, text) = argument.strip_prefix('!').map_or((false, argument), |text| (true, text));
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let Some((collection, name)) = name.trim().split_once(['.', ':']) else {
            return self.note(place, id, Effect::Without, format!("`setvar:{argument}`"));
        };
        if !collection.eq_ignore_ascii_case("tx") {
            let what = format!("`setvar` of `{collection}`: nothing is kept between messages");
            return self.note(place, id, Effect::Without, what);
        }
        let mut unknown = Vec::new();
        let mut read = |text: &str| Macro::read(text, &mut self.names, &mut |what| unknown.push(what));
        let change = match value {
            _ if unset => Change::Unset,
            None => Change::To(read("1")),
            Some(value) => match (value.strip_prefix('+'), value.strip_prefix('-')) {
                (Some(more), _) => Change::Add(read(more)),
                (_, Some(less)) => Change::Subtract(read(less)),
                _ => Change::To(read(value)),
            },
        };
        let made = read(name);
        for what in unknown {
            self.note(place, id, Effect::Without, what);
        }
        let name = match made.plain() {
            Some(name) => SetName::Known(self.names.of(name)),
            None => SetName::Made(made),
        };
        rule.sets.push(Set { name, change });
    }

    fn control(&mut self, place: &Place, id: Option<u64>, argument: &str, rule: &mut Rule) {
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        let name = name.trim().to_ascii_lowercase();
        let (rules, target) =
            value.split_once(';').map_or((value, None), |(rules, target)| (rules, Some(target)));
        let removal = match name.as_str() {
            "ruleremovebyid" | "ruleremovetargetbyid" => Removal::ids(&[rules.to_owned()]),
            "ruleremovebytag" | "ruleremovetargetbytag" => Some(Removal::Tag(rules.to_owned())),
            "ruleremovebymsg" | "ruleremovetargetbymsg" => Some(Removal::Message(rules.to_owned())),
            "ruleengine" => {
                rule.controls.push(match value.to_ascii_lowercase().as_str() {
                    "off" => Control::Off,
                    "detectiononly" => Control::DetectOnly,
                    _ => Control::On,
                });
                return;
            }
            idle if IDLE_CONTROLS.contains(&idle) => return,
            _ => None,
        };
        // The rule that this belongs to is the next one.
        let index = self.rules.len();
        match (removal, target.map(Target::read)) {
            (Some(removal), None) if !name.contains("target") => {
                self.pending.push((index, Pending::Remove(removal)));
            }
            (Some(removal), Some(Ok(target))) => {
                self.pending.push((index, Pending::RemoveTarget(removal, target)));
            }
            _ => self.note(place, id, Effect::Without, format!("`ctl:{argument}`")),
        }
    }
}

/// What `block` means: what the phase's default says.
fn block(defaults: &[Written]) -> Option<Disruption> {
    let refuses = |one: &Written| matches!(one.name.as_str(), "deny" | "drop" | "redirect" | "proxy");
    defaults.iter().any(refuses).then_some(Disruption::Refuse)
}

//! From directives to rules.

mod actions;
mod chain;

use std::collections::HashMap;
use std::path::Path;

use crate::action::Written;
use crate::bits::Bits;
use crate::forms::Forms;
use crate::load::{Directive, Directives, Placed, Removal, Stamp, beside};
use crate::names::Names;
use crate::note::{Effect, LoadError, Note, Place};
use crate::operator::Test;
use crate::pattern::Pattern;
use crate::rule::{Control, Entry, Phase, Rule};
use crate::target;

use actions::Pending;

/// Rules made ready, and what they are made of.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    pub(crate) rules: Vec<Rule>,
    pub(crate) phases: [Vec<Entry>; 2],
    pub(crate) tests: Vec<Test>,
    pub(crate) forms: Forms,
    pub(crate) names: Names,
    pub(crate) notes: Vec<Note>,
    pub(crate) stamps: Vec<Stamp>,
    markers: HashMap<String, u32>,
    /// What `SecDefaultAction` says of each phase.
    defaults: [Vec<Written>; 2],
    /// Controls of rules that wait for all rules to be there.
    pending: Vec<(usize, Pending)>,
    /// A chain that goes on with the next rule.
    open: Option<Open>,
}

/// A chain that is not yet whole.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Its phase; none where it is a response's.
    phase: Option<Phase>,
    head: Option<usize>,
    last: Option<usize>,
    id: Option<u64>,
}

/// The most rules.
const MAX_RULES: usize = 20_000;

/// Makes rules ready.
pub(crate) fn compile(directives: Directives) -> Result<Compiled, LoadError> {
    let mut compiled = Compiled { stamps: directives.stamps, ..Compiled::default() };
    let mut later = Vec::new();
    for Placed { place, directive } in directives.all {
        match directive {
            Directive::Rule { targets, operator, actions } => {
                compiled.rule(&place, Some((&targets, &operator)), actions)?;
            }
            Directive::Action(actions) => compiled.rule(&place, None, actions)?,
            Directive::Marker(name) => compiled.marker(&name),
            Directive::Default(actions) => compiled.set_default(actions),
            Directive::Remove(_) | Directive::UpdateTarget { .. } => later.push((place, directive)),
            Directive::Include { .. } | Directive::Idle => {}
            Directive::Unknown(name) => compiled.note(&place, None, Effect::Without, format!("`{name}`")),
        }
        if compiled.rules.len() > MAX_RULES {
            return Err(LoadError::TooMuch("there are more than 20000 rules"));
        }
    }
    compiled.close();
    for (place, directive) in later {
        compiled.change(&place, directive);
    }
    compiled.settle();
    chain::need_groups(&mut compiled);
    chain::need_matched(&mut compiled);
    Ok(compiled)
}

impl Compiled {
    fn note(&mut self, place: &Place, rule: Option<u64>, effect: Effect, what: String) {
        self.notes.push(Note { place: place.clone(), rule, effect, what });
    }

    fn marker(&mut self, name: &str) {
        let marker = self.marker_of(name);
        for phase in &mut self.phases {
            phase.push(Entry::Marker(marker));
        }
    }

    fn marker_of(&mut self, name: &str) -> u32 {
        let next = self.markers.len() as u32;
        *self.markers.entry(name.to_owned()).or_insert(next)
    }

    fn set_default(&mut self, actions: Vec<Written>) {
        let phase =
            actions.iter().find(|one| one.name == "phase").and_then(|one| Phase::named(&one.argument));
        if let Some(phase) = phase {
            self.defaults[phase as usize] = actions;
        }
    }

    fn rule(
        &mut self,
        place: &Place,
        asked: Option<(&str, &str)>,
        written: Vec<Written>,
    ) -> Result<(), LoadError> {
        let of = |name: &str| written.iter().find(|one| one.name == name).map(|one| one.argument.as_str());
        let open = self.open.take();
        let id = of("id").and_then(|id| id.parse().ok()).or_else(|| open.and_then(|open| open.id));
        let phase = match open {
            Some(open) => open.phase,
            None => of("phase").map_or(Some(Phase::Body), Phase::named),
        };
        let chained = of("chain").is_some();
        let Some(phase) = phase else {
            if open.is_none() {
                self.note(
                    place,
                    id,
                    Effect::Elsewhere,
                    "it looks at responses, or at what comes after".into(),
                );
            }
            self.open = chained.then_some(Open { phase, head: None, last: None, id });
            return Ok(());
        };
        if open.is_none() && id.is_none() {
            return Err(LoadError::Syntax { place: place.clone(), what: "a rule has no `id`".into() });
        }
        let index = self.build(place, id, phase, asked, &written);
        if index.is_none() {
            let next = self.rules.len();
            self.pending.retain(|(rule, _)| *rule != next);
        }
        // A chain with a link that cannot be asked never holds.
        let (head, last) = match open {
            Some(Open { head: None, .. }) => (None, None),
            Some(Open { head, last: Some(last), .. }) => {
                if let Some(rule) = self.rules.get_mut(last) {
                    rule.next = index;
                }
                (head.filter(|_| index.is_some()), index)
            }
            _ => (index, index),
        };
        match chained {
            true => self.open = Some(Open { phase: Some(phase), head, last, id }),
            false => self.phases[phase as usize].extend(head.map(Entry::Rule)),
        }
        Ok(())
    }

    /// A chain that nothing follows is none.
    fn close(&mut self) {
        if let Some(Open { id, last: Some(last), .. }) = self.open.take()
            && let Some(rule) = self.rules.get(last)
        {
            let place = rule.place.clone();
            self.note(&place, id, Effect::Left, "its chain does not end".into());
        }
    }

    fn build(
        &mut self,
        place: &Place,
        id: Option<u64>,
        phase: Phase,
        asked: Option<(&str, &str)>,
        written: &[Written],
    ) -> Option<usize> {
        let mut rule = self.with_actions(place, id, phase, written);
        if let Some((targets, operator)) = asked {
            let any = self.add_targets(place, id, targets, &mut rule);
            let (negated, operator) = match operator.trim().strip_prefix('!') {
                Some(operator) => (true, operator.trim()),
                None => (false, operator.trim()),
            };
            let mut unknown = Vec::new();
            let test =
                Test::read(operator, &beside(&place.file), &mut self.names, &mut self.stamps, &mut |what| {
                    unknown.push(what);
                });
            for what in unknown {
                self.note(place, id, Effect::Without, what);
            }
            match test {
                _ if !any => {
                    self.note(place, id, Effect::Left, "it looks at nothing that is known here".into());
                    return None;
                }
                Err(what) => {
                    self.note(place, id, Effect::Left, what);
                    return None;
                }
                Ok(Test::Rx(pattern)) if pattern.is_wider() && negated => {
                    let what = "an atomic group or possessive repetition in what must not be found";
                    self.note(place, id, Effect::Left, what.into());
                    return None;
                }
                Ok(test) => {
                    if matches!(&test, Test::Rx(pattern) if pattern.is_wider()) {
                        let what = "an atomic group or possessive repetition is an ordinary one";
                        self.note(place, id, Effect::Wider, what.into());
                    }
                    rule.negated = negated;
                    rule.test = Some(self.tests.len() as u32);
                    self.tests.push(test);
                }
            }
        }
        self.rules.push(rule);
        Some(self.rules.len() - 1)
    }

    /// Adds targets; gives whether there are any, or what is left out is all that is said.
    fn add_targets(&mut self, place: &Place, id: Option<u64>, text: &str, rule: &mut Rule) -> bool {
        for written in target::targets(text) {
            match written {
                Ok(written) if written.left_out => rule.left_out.push(written.target),
                Ok(written) => rule.targets.push(written.target),
                Err(unknown) => self.note(place, id, Effect::Without, unknown.0),
            }
        }
        !rule.targets.is_empty()
    }

    /// The rules that are meant.
    fn meant(&self, removal: &Removal) -> Bits {
        let mut mask = Bits::new(self.rules.len());
        let regex = match removal {
            Removal::Ids(_) => None,
            Removal::Tag(text) | Removal::Message(text) => Pattern::new(text).ok(),
        };
        let finds = |own: &str, text: &str| {
            own == text || regex.as_ref().is_some_and(|regex| regex.is_in_name(own.as_bytes(), &mut 0))
        };
        for (index, rule) in self.rules.iter().enumerate() {
            let meant = match removal {
                Removal::Ids(ids) => ids.iter().any(|(from, to)| (*from..=*to).contains(&rule.id)),
                Removal::Tag(text) => rule.tags.iter().any(|tag| finds(tag, text)),
                Removal::Message(text) => rule.message.iter().any(|message| finds(message, text)),
            };
            if meant {
                mask.insert(index);
            }
        }
        mask
    }

    /// Rules are removed, or look at other values.
    fn change(&mut self, place: &Place, directive: Directive) {
        match directive {
            Directive::Remove(removal) => {
                let meant = self.meant(&removal);
                for phase in &mut self.phases {
                    phase.retain(|entry| !matches!(entry, Entry::Rule(rule) if meant.has(*rule)));
                }
            }
            Directive::UpdateTarget { rules, targets } => {
                let meant = self.meant(&rules);
                for written in target::targets(&targets) {
                    match written {
                        Ok(written) => {
                            for (_, rule) in
                                self.rules.iter_mut().enumerate().filter(|(index, _)| meant.has(*index))
                            {
                                match written.left_out {
                                    true => rule.left_out.push(written.target.clone()),
                                    false => rule.targets.push(written.target.clone()),
                                }
                            }
                        }
                        Err(unknown) => self.note(place, None, Effect::Without, unknown.0),
                    }
                }
            }
            _ => {}
        }
    }

    /// Controls name rules that may come after them.
    fn settle(&mut self) {
        for (index, pending) in std::mem::take(&mut self.pending) {
            let control = match pending {
                Pending::Remove(removal) => Control::Remove(self.meant(&removal)),
                Pending::RemoveTarget(removal, target) => {
                    Control::RemoveTarget(self.meant(&removal), Box::new(target))
                }
            };
            if let Some(rule) = self.rules.get_mut(index) {
                rule.controls.push(control);
            }
        }
    }
}

/// The rules that are meant by numbers, tags or nothing.
pub(crate) fn mask(rules: &[Rule], ids: &[u64], tags: &[&str]) -> Bits {
    let mut mask = Bits::new(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        if ids.contains(&rule.id) || rule.tags.iter().any(|tag| tags.contains(&tag.as_str())) {
            mask.insert(index);
        }
    }
    mask
}

/// The name of a text that is no file.
pub(crate) fn unnamed() -> &'static Path {
    Path::new("rules")
}

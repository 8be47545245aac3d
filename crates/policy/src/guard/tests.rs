//! Rules against their examples, and attacks in every wrapping.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::catalog::CATALOG;
use super::rule::{FILES, Rule, RuleFile};
use super::rule_set::RuleSet;
use super::*;

fn rules() -> Vec<Rule> {
    let files = FILES.iter().map(|(name, text)| RuleFile::read(name, text));
    let read = files.map(|file| file.map_err(|report| report.problems().cloned().collect::<Vec<_>>()));
    read.flat_map(|file| file.unwrap().rules).collect()
}

/// A guard that has all rules on and stops at nothing.
fn every() -> Guard {
    Guard::new(&Settings { sensitivity: Sensitivity::High, threshold: 1000, ..Settings::default() })
}

fn hits(guard: &Guard, part: Part, text: &str) -> Vec<&'static str> {
    let mut scan = Scan::default();
    guard.inspect(part, text.as_bytes(), &mut scan);
    scan.hits().iter().map(|hit| hit.rule).collect()
}

fn score(text: &str) -> u32 {
    let mut scan = Scan::default();
    Guard::new(&Settings::default()).inspect(Part::Value, text.as_bytes(), &mut scan);
    scan.score()
}

#[test]
fn every_rule_finds_its_examples_and_nothing_else() {
    let guard = every();
    let mut wrong = Vec::new();
    for rule in rules() {
        let part = if rule.part == super::rule::Reads::Keys { Part::Key } else { Part::Value };
        for text in &rule.matches {
            if !hits(&guard, part, text).contains(&rule.id.as_str()) {
                wrong.push(format!("{rule} does not find {text:?}"));
            }
        }
        for text in &rule.pass {
            if hits(&guard, part, text).contains(&rule.id.as_str()) {
                wrong.push(format!("{rule} finds {text:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_compiles_and_is_well_formed() {
    assert!(!CATALOG.is_broken());
    let rules = rules();
    assert!(rules.len() <= RuleSet::CAPACITY);
    let mut ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(count, ids.len(), "ids are unique");
    let failed: Vec<_> = rules.iter().zip(CATALOG.rules()).filter(|(_, rule)| !rule.compiles()).collect();
    let failed: Vec<String> = failed.iter().map(|(rule, _)| rule.to_string()).collect();
    assert!(failed.is_empty(), "do not compile, or are too large: {failed:?}");
    for rule in &rules {
        assert!(
            !rule.literals.is_empty() && (1..=5).contains(&rule.score) && !rule.about.is_empty(),
            "{rule}"
        );
        assert!(
            rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        );
    }
}

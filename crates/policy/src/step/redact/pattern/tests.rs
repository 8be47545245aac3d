//! Patterns, by examples that match and examples that must not.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{Match, Pattern, Patterns};

const ALL: [Pattern; 6] =
    [Pattern::Card, Pattern::Email, Pattern::Iban, Pattern::Phone, Pattern::Token, Pattern::Key];

fn find(pattern: Pattern, text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    Patterns::new([pattern].into_iter()).find(text.as_bytes(), &mut found);
    found.into_iter().map(|Match { at, .. }| text.get(at).unwrap()).collect()
}

/// A text, and what is found in it.
fn check(pattern: Pattern, examples: &[(&str, &[&str])]) {
    for (text, expected) in examples {
        assert_eq!(find(pattern, text), *expected, "{} in {text:?}", pattern.label());
    }
}

#[test]
fn card_numbers() {
    check(
        Pattern::Card,
        &[
            ("4111111111111111", &["4111111111111111"]),
            ("pay with 4111 1111 1111 1111, please", &["4111 1111 1111 1111"]),
            ("4111-1111-1111-1111", &["4111-1111-1111-1111"]),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111", &["4111\u{a0}1111\u{a0}1111\u{a0}1111"]),
            ("3782 822463 10005 exp 12/27", &["3782 822463 10005"]),
            ("card:5555555555554444;2223003122003222", &["5555555555554444", "2223003122003222"]),
            ("4111 1111 1111 1111 12/27 123", &["4111 1111 1111 1111"]),
            ("6011111111111117 3530111333300000", &["6011111111111117", "3530111333300000"]),
            ("30569309025904", &["30569309025904"]),
            ("6200000000000005", &["6200000000000005"]),
            ("2200123456789019", &["2200123456789019"]),
            ("pan4222222222222x", &["4222222222222"]),
            ("1234 4111 1111 1111 1111", &["4111 1111 1111 1111"]),
            // Wrong check digit, no issuer, no card's length.
            ("4111111111111112", &[]),
            ("1111111111111117", &[]),
            ("411111111111111", &[]),
            ("41111111111111110000", &[]),
            ("0000000000000000", &[]),
            // Other things with many digits.
            ("0.4111111111111111", &[]),
            ("+4111111111111111", &[]),
            ("2024-01-15 12:30:45.123456", &[]),
            ("1700000000000 1700000000000000 1700000000000000000", &[]),
            ("550e8400-e29b-41d4-a716-446655440000", &[]),
            ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", &[]),
            ("978-3-16-148410-0", &[]),
            ("order 4111 1111", &[]),
        ],
    );
}

#[test]
fn email_addresses() {
    check(
        Pattern::Email,
        &[
            ("ann@example.com", &["ann@example.com"]),
            ("Write to <Ann.Lee+x@mail.example.co.uk>.", &["Ann.Lee+x@mail.example.co.uk"]),
            ("mailto:a_b@x-y.org?subject=x", &["a_b@x-y.org"]),
            ("a@b.cd, e@f.gh", &["a@b.cd", "e@f.gh"]),
            ("邮箱abc@example.com谢谢", &["abc@example.com"]),
            ("用户@例子.公司", &["用户@例子.公司"]),
            ("q=o'neil@example.com.", &["o'neil@example.com"]),
            ("@ann", &[]),
            ("see you @ 10.30", &[]),
            ("user@localhost", &[]),
            ("a@1.2", &[]),
            ("git@", &[]),
            ("@@@@@@", &[]),
            ("a@b..com", &[]),
            ("npm i react@18.2.0", &[]),
        ],
    );
}

#[test]
fn account_numbers() {
    check(
        Pattern::Iban,
        &[
            ("DE89370400440532013000", &["DE89370400440532013000"]),
            ("IBAN: DE89 3704 0044 0532 0130 00.", &["DE89 3704 0044 0532 0130 00"]),
            ("gb29nwbk60161331926819", &["gb29nwbk60161331926819"]),
            ("FR14 2004 1010 0505 0001 3M02 606 thanks", &["FR14 2004 1010 0505 0001 3M02 606"]),
            ("NO93 8601 1117 947", &["NO93 8601 1117 947"]),
            ("MT84MALT011000012345MTLCAST001S", &["MT84MALT011000012345MTLCAST001S"]),
            ("DE88370400440532013000", &[]),
            ("XX89370400440532013000", &[]),
            ("DE893704004405320130001", &[]),
            ("ADE89370400440532013000", &[]),
            ("DE89 short", &[]),
        ],
    );
}

#[test]
fn telephone_numbers() {
    check(
        Pattern::Phone,
        &[
            ("+14155552671", &["+14155552671"]),
            ("call +1 (415) 555-2671 now", &["+1 (415) 555-2671"]),
            ("+49 30 901820", &["+49 30 901820"]),
            ("+44 (0)20 7946 0958.", &["+44 (0)20 7946 0958"]),
            ("0049 30 901820", &["0049 30 901820"]),
            ("(415) 555-2671", &["(415) 555-2671"]),
            ("415-555-2671 or 1.415.555.2671", &["415-555-2671", "1.415.555.2671"]),
            ("01 42 68 53 00", &["01 42 68 53 00"]),
            ("020 7946 0958", &["020 7946 0958"]),
            ("0171 1234567", &["0171 1234567"]),
            ("4155552671", &[]),
            ("2024-01-15", &[]),
            ("192.168.100.200", &[]),
            ("10.0.0.1:8080", &[]),
            ("1 + 2345678901", &[]),
            ("+12345678", &[]),
            ("score +0123456789", &[]),
            ("123-45-6789", &[]),
            ("115-555-2671", &[]),
            ("v1.234.567.8901", &[]),
            ("0049301234567", &[]),
            ("1,234,567,890.00", &[]),
        ],
    );
}

#[test]
fn tokens() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    check(
        Pattern::Token,
        &[
            (jwt, &[jwt]),
            (&format!("token={jwt}. Done."), &[jwt]),
            ("Authorization: Bearer abcdef0123456789", &["abcdef0123456789"]),
            ("authorization: bearer mF_9.B5f-4.1JqM0", &["mF_9.B5f-4.1JqM0"]),
            ("Bearer responsibilities-and-more", &[]),
            ("Bearer short1", &[]),
            ("eyJ alone", &[]),
            ("heyJudeIsASong.dontMakeItBad.takeASadSong", &[]),
            ("eyJub3RhdG9rZW4", &[]),
        ],
    );
}

#[test]
fn keys() {
    // Put together here, so that nobody takes them for real.
    let of = |start: &str, count: usize| format!("{start}{}", "A1b2C3d4E5".repeat(30).split_at(count).0);
    let upper = |start: &str, count: usize| of(start, count).to_uppercase();
    for key in [
        upper("AKIA", 16),
        of("ghp_", 36),
        of("github_pat_", 82),
        of("glpat-", 20),
        of("sk-", 48),
        of("sk-proj-", 48),
        of("sk_live_", 24),
        of("xoxb-", 40),
        of("AIza", 35),
        of("npm_", 36),
        format!("-----BEGIN {0}-----\nMIIB\n-----END {0}-----", "RSA PRIVATE KEY"),
        format!("-----BEGIN {0}-----\nMIIB\n-----END {0}-----", "PRIVATE KEY"),
    ] {
        assert_eq!(find(Pattern::Key, &format!("key: {key}, ok")), [&*key]);
        assert_eq!(find(Pattern::Key, &key), [&*key]);
        if !key.starts_with('-') {
            assert_eq!(find(Pattern::Key, &format!("a{key}")), [""; 0], "{key}");
        }
    }
    let public = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----";
    let cut = format!("-----BEGIN EC {}-----\nMIIB", "PRIVATE KEY");
    assert_eq!(find(Pattern::Key, &cut), [&*cut]);
    for text in [
        public,
        "a task-force-of-many-people",
        "sk-learn is a library",
        "ghp_short",
        "AKIAlower0000000000",
        &upper("AKIA", 17),
    ] {
        assert_eq!(find(Pattern::Key, text), [""; 0], "{text}");
    }
}

#[test]
fn what_overlaps_is_one() {
    let mut found = Vec::new();
    Patterns::new(ALL.into_iter()).find(b"DE89 3704 0044 0532 0130 00 a@b.cd", &mut found);
    assert_eq!(found.iter().map(|found| found.at.clone()).collect::<Vec<_>>(), [0..27, 28..34]);
}

proptest! {
    #[test]
    fn nothing_panics_and_matches_are_in_order(text in r"([0-9 \-+().@/a-zA-Z_é]|eyJ|sk-|AKIA|Bearer |-----BEGIN |PRIVATE KEY|DE89){0,80}") {
        let mut found = Vec::new();
        Patterns::new(ALL.into_iter()).find(text.as_bytes(), &mut found);
        for pair in found.windows(2) {
            prop_assert!(pair[0].at.end <= pair[1].at.start);
        }
        for found in found {
            prop_assert!(text.get(found.at).is_some());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        Patterns::new(ALL.into_iter()).find(&bytes, &mut Vec::new());
    }

    /// Whatever stands around it, a card number is found.
    #[test]
    fn a_card_is_found_in_any_text(before in "[a-z ,:]{0,20}", after in "[a-z ,:]{0,20}") {
        let text = format!("{before}4111 1111 1111 1111{after}");
        prop_assert_eq!(find(Pattern::Card, &text), ["4111 1111 1111 1111"]);
    }
}

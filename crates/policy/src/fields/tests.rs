//! Paths: what they mean, and what is none.

#![allow(clippy::unwrap_used)]

use super::{Bounds, Fields, Path, Tree};
use crate::format::Format;

fn found(path: &str, message: &str) -> Vec<String> {
    let mut tree = Tree::default();
    Format::Json.decode(message.as_bytes(), &mut tree, &Bounds::default()).unwrap();
    let fields = Fields::new(&tree, message.as_bytes());
    let path: Path = path.parse().unwrap();
    let mut found = Vec::new();
    path.each(&fields, |field| found.push(field.path()));
    let mut matched: Vec<_> =
        fields.all().filter(|field| path.matches(field)).map(|field| field.path()).collect();
    assert_eq!(path.first(&fields).map(|field| field.path()), found.first().cloned());
    let order = found.clone();
    found.sort();
    matched.sort();
    assert_eq!(matched, found, "{path}");
    order
}

#[test]
fn a_path_leads_to_what_it_says() {
    let message = r#"{"a":{"b":[{"c":1,"p":2},{"c":3}],"p":4},"x.y":5,"p":6,"$where":7}"#;
    for (path, expected) in [
        ("$", &["$"][..]),
        ("a.b[1].c", &["a.b[1].c"]),
        ("$.a.p", &["a.p"]),
        ("a.b[*].c", &["a.b[0].c", "a.b[1].c"]),
        ("a.*.p", &[]),
        ("*.p", &["a.p"]),
        ("**.p", &["p", "a.p", "a.b[0].p"]),
        ("a.**", &["a", "a.b", "a.b[0]", "a.b[0].c", "a.b[0].p", "a.b[1]", "a.b[1].c", "a.p"]),
        (r#"["x.y"]"#, &[r#"["x.y"]"#]),
        ("$where", &["$where"]),
        ("a.b[2]", &[]),
        ("a.b.c", &[]),
        ("nothing", &[]),
    ] {
        assert_eq!(found(path, message), expected, "{path}");
    }
}

#[test]
fn what_is_no_path_is_told() {
    for path in
        ["", "a..b", "a.", "a[", "a[x]", "a[-1]", "a*", "**.a.**", "[\"a\"", "a[0]b", &"a.".repeat(40)]
    {
        assert!(path.parse::<Path>().is_err(), "{path}");
    }
}

#[test]
fn a_path_covers_what_is_inside() {
    let message = br#"{"a":{"b":[1]},"c":2}"#;
    let mut tree = Tree::default();
    Format::Json.decode(message, &mut tree, &Bounds::default()).unwrap();
    let fields = Fields::new(&tree, message);
    let path: Path = "a".parse().unwrap();
    let covered: Vec<_> = fields.all().filter(|field| path.covers(field)).map(|field| field.path()).collect();
    assert_eq!(covered, ["a", "a.b", "a.b[0]"]);
}

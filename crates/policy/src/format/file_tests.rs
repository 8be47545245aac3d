//! Formats that are declared in files of their own.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use wicketgate_config::{At, Problems};

use super::{Format, RawFormat};

fn example() -> String {
    format!("{}/../../examples/private-protocol/telemetry.yaml", env!("CARGO_MANIFEST_DIR"))
}

fn check(path: &Path) -> (Option<Format>, Vec<String>) {
    let mut problems = Problems::default();
    let format =
        RawFormat::check(At::nowhere(RawFormat::CustomFile(At::nowhere(path.into()))), &mut problems);
    (format, problems.iter().map(|problem| problem.what.clone()).collect())
}

#[test]
fn a_file_declares_a_format_with_its_kind_and_states() {
    let (format, problems) = check(example().as_ref());
    let format = format.unwrap();
    assert_eq!(problems, [""; 0]);
    assert_eq!((format.name(), format.kind().unwrap().to_string()), ("custom", "type".to_owned()));
    assert_eq!(format.states().unwrap().directions().len(), 2);
}

#[test]
fn mistakes_in_a_file_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.yaml");
    for (text, told) in [
        ("type: binary\nfields:\n  - {name: a}\n", "line 3: the field has no type"),
        ("type: binary\nfields:\n  - {name: a, typ: u8}\n", "line 3: there is no key `typ` here"),
        ("fields: [", "line 1: this is no YAML"),
        ("", "it holds no format"),
    ] {
        std::fs::write(&path, text).unwrap();
        let (format, problems) = check(&path);
        assert!(format.is_none() && problems.iter().any(|what| what.contains(told)), "{text}: {problems:?}");
    }
    std::fs::write(&path, b"\xff").unwrap();
    assert!(check(&path).1[0].ends_with("is not UTF-8"));
    let (format, problems) = check(&folder.path().join("none.yaml"));
    assert!(format.is_none() && problems[0].starts_with("cannot read"), "{problems:?}");
    std::fs::File::create(&path).unwrap().set_len((1 << 20) + 1).unwrap();
    assert!(check(&path).1[0].ends_with("is longer than 1024 KiB"));
}

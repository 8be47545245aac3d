//! `wicketgate key` from outside: keys made, listed and revoked.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::wicketgate;

/// A pepper that is random enough for tests.
pub(crate) const PEPPER: &str = "a pepper for tests, of forty characters.";

/// Methods of API keys under these names, each with a store `NAME.jsonl`; the pepper is in the folder.
fn folder(methods: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pepper = folder.path().join("pepper");
    fs::write(&pepper, PEPPER).unwrap();
    fs::set_permissions(&pepper, fs::Permissions::from_mode(0o600)).unwrap();
    let mut config =
        "listeners: [{bind: 127.0.0.1:0}]\nroutes: [{name: a, respond: {status: 204}}]\n".to_owned();
    if !methods.is_empty() {
        config.push_str("authentication:\n");
    }
    for name in methods {
        config.push_str(&format!(
            "- {{name: {name}, api_key: {{store: {name}.jsonl, pepper: {{file: pepper}}}}}}\n"
        ));
    }
    fs::write(folder.path().join("wicketgate.yaml"), config).unwrap();
    folder
}

/// Makes a key; gives its id and its text.
fn create(folder: &Path, arguments: &[&str]) -> (String, String) {
    let (code, out, err) = wicketgate(folder, &[&["key", "create"], arguments].concat());
    assert_eq!(code, 0, "{err}");
    let key = out.strip_suffix('\n').unwrap().to_owned();
    let id = key.split('_').nth(1).unwrap().to_owned();
    assert!(err.contains(&id) && !err.contains(&key), "{err}");
    (id, key)
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let folder = folder(&["keys"]);
    let folder = folder.path();
    assert_eq!(wicketgate(folder, &["key", "list"]).1.lines().count(), 1, "the heading alone");
    let more =
        ["--name", "laptop", "--expires", "90d", "--scope", "read", "--scope", "write", "--claim", "tier=1"];
    let (id, key) = create(folder, &[&["--subject", "alice"], more.as_slice()].concat());
    let (other, _) = create(folder, &["--subject", "bob", "--claim", "groups=[\"a\", \"b\"]"]);

    let (code, out, err) = wicketgate(folder, &["key", "list"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains(&format!("{id}  active")) && out.contains("alice (laptop)"), "{out}");
    assert!(out.contains("never       bob"), "{out}");
    let (_, json, _) = wicketgate(folder, &["key", "list", "--json"]);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["claims"], serde_json::json!({"scope": "read write", "tier": "1"}));
    assert_eq!(first["expires"].as_u64().unwrap() - first["created"].as_u64().unwrap(), 90 * 86_400);

    assert_eq!(wicketgate(folder, &["key", "revoke", &id]).1, format!("{id} is revoked\n"));
    let (_, out, _) = wicketgate(folder, &["key", "list"]);
    assert!(out.contains(&format!("{id}  revoked")) && out.contains(&format!("{other}  active")), "{out}");

    let secret = key.splitn(3, '_').nth(2).unwrap();
    let store = fs::read_to_string(folder.join("keys.jsonl")).unwrap();
    for shown in [&out, &json, &store] {
        assert!(!shown.contains(&secret[..12]), "{shown}");
    }
    assert_eq!(fs::metadata(folder.join("keys.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let folder = folder(&["one", "two"]);
    let folder = folder.path();
    let (_, key) = create(folder, &["--method", "one", "--subject", "alice"]);
    let before = fs::read_to_string(folder.join("one.jsonl")).unwrap();
    for (arguments, words) in [
        (&["list"][..], "choose one by --method: one, two"),
        (&["list", "--method", "three"], "there is one, two"),
        (&["create", "--method", "one", "--subject", " "], "the subject is empty"),
        (&["create", "--method", "one", "--subject", "a\nb"], "control characters"),
        (&["create", "--method", "one", "--subject", "a", "--claim", "x=1", "--claim", "x=2"], "given twice"),
        (&["revoke", "--method", "one", "0123456789abcdef"], "no key has the id"),
        (&["revoke", "--method", "one", &key], "give the id alone"),
    ] {
        let (code, out, err) = wicketgate(folder, &[&["key"], arguments].concat());
        assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}");
        assert!(err.contains(words) && !err.contains(&key), "{arguments:?}: {err}");
    }
    for arguments in [&["--expires", "soon"], &["--claim", "x"], &["--claim", "x=[1"]] {
        let (code, ..) = wicketgate(folder, &[&["key", "create", "--subject", "a"], &arguments[..]].concat());
        assert_eq!(code, 2, "{arguments:?}");
    }
    assert_eq!(fs::read_to_string(folder.join("one.jsonl")).unwrap(), before);
}

#[test]
fn the_configuration_says_what_is_wrong_with_store_and_pepper() {
    let none = folder(&[]);
    let (code, _, err) = wicketgate(none.path(), &["key", "list"]);
    assert!(code == 1 && err.contains("has no method of API keys"), "{err}");

    let folder = folder(&["keys"]);
    let folder = folder.path();
    let check = |words: &str| {
        let (code, _, err) = wicketgate(folder, &["check"]);
        assert!(code == 2 && err.contains(words), "{err}");
        assert!(!err.contains(PEPPER), "{err}");
        assert_eq!(wicketgate(folder, &["key", "create", "--subject", "a"]).0, 2);
    };
    fs::write(folder.join("keys.jsonl"), "{\"id\": \"x\"}\n").unwrap();
    check("keys.jsonl: line 1: no record of a key");
    fs::remove_file(folder.join("keys.jsonl")).unwrap();
    fs::write(folder.join("pepper"), &PEPPER[..31]).unwrap();
    check("the pepper is shorter than 32 characters");
    fs::remove_file(folder.join("pepper")).unwrap();
    check("openssl rand -base64 32 > pepper");
}

//! The command line from outside: what it prints, and with which code it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `wicketgate` in `folder`; gives its exit code, standard output and standard error.
pub(crate) fn wicketgate(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wicketgate"));
    command.current_dir(folder).args(arguments).env_clear();
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("it ends by itself"), text(stdout), text(stderr))
}

/// A folder with the starter configuration in it.
fn started() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(wicketgate(folder.path(), &["init"]).0, 0);
    folder
}

#[test]
fn what_init_writes_passes_check() {
    let folder = started();
    let (code, out, err) = wicketgate(folder.path(), &["check"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out, "wicketgate.yaml: 0 errors; 1 listener, 1 route, 1 upstream\n");
}

#[test]
fn what_init_proposes_passes_check_too() {
    let folder = started();
    let path = folder.path().join("wicketgate.yaml");
    let starter = fs::read_to_string(&path).unwrap();
    // Comments that begin with `#  ` are keys to take in; text begins with `# `.
    let all: String = starter
        .lines()
        .map(|line| line.strip_prefix("#  ").map_or(line.into(), |key| format!("  {key}")) + "\n")
        .collect();
    let issued = rcgen::generate_simple_self_signed(["chat.example.com".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert, issued.cert.pem()).unwrap();
    fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let all = all
        .replace("/etc/wicketgate/fullchain.pem", cert.to_str().unwrap())
        .replace("/etc/wicketgate/key.pem", key.to_str().unwrap());
    fs::write(&path, all).unwrap();
    let (code, out, err) = wicketgate(folder.path(), &["check"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "wicketgate.yaml: 0 errors; 2 listeners, 2 routes, 1 upstream\n");
}

#[test]
fn the_commands_for_the_person_on_call_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let guides = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides");
    let text =
        ["incidents.md", "support.md"].map(|guide| fs::read_to_string(guides.join(guide)).unwrap()).concat();
    let commands: Vec<&str> =
        text.lines().filter_map(|line| line.trim_start().strip_prefix("wicketgate ")).collect();
    assert!(commands.len() > 20);
    for command in commands {
        let plain = command.split(['#', '>']).next().unwrap();
        let arguments: Vec<&str> = plain.split_whitespace().chain(["--help"]).collect();
        let (code, out, err) = wicketgate(folder.path(), &arguments);
        assert!(code == 0 && out.contains("Usage: wicketgate"), "{command}: {err}");
    }
}

#[test]
fn a_password_in_a_wrong_argument_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = wicketgate(folder.path(), &["doctor", "https://jo:secret@gate.example.com/"]);
    assert_eq!(code, 2);
    assert!(err.contains("'https://jo:******@gate.example.com/' for '[URL]': it holds a user name"), "{err}");
}

#[test]
fn init_writes_over_nothing_unless_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.yaml");
    fs::write(&path, "mine").unwrap();
    let (code, _, err) = wicketgate(folder.path(), &["init", "own.yaml"]);
    assert_eq!(code, 1);
    assert!(err.contains("own.yaml is there already; --force writes over it"), "{err}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(wicketgate(folder.path(), &["init", "--force", "own.yaml"]).0, 0);
    assert_eq!(wicketgate(folder.path(), &["check", "--config", "own.yaml"]).0, 0);
    assert_eq!(wicketgate(folder.path(), &["init", "no/such/folder.yaml"]).0, 1);
}

#[test]
fn a_bad_configuration_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let check = |config: &str| wicketgate(folder.path(), &["check", "--config", config]);
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("empty.yaml"), "").unwrap();
    fs::write(folder.path().join("latin1.yaml"), b"# \xe9\n").unwrap();
    fs::write(folder.path().join("huge.yaml"), "# huge\n".repeat(200_000)).unwrap();
    fs::write(folder.path().join("wrong.yaml"), "listener: []\nlog: {level: loud}\n").unwrap();
    for (config, words) in [
        ("missing.yaml", "cannot read missing.yaml: there is no such file"),
        ("folder", "cannot read folder: it is a directory"),
        ("empty.yaml", "this file holds nothing"),
        ("latin1.yaml", "line 1 is not UTF-8"),
        ("huge.yaml", "it is longer than 1024 KiB"),
        ("wrong.yaml", "did you mean `listeners`?"),
        ("wrong.yaml", "--> wrong.yaml:2:14"),
    ] {
        let (code, out, err) = check(config);
        assert_eq!((code, out.as_str()), (2, ""), "{config}");
        assert!(err.contains(words), "{config}: {err}");
        assert!(!err.contains('\u{1b}'), "no colours where no terminal is");
    }
    let (code, _, err) = wicketgate(folder.path(), &["check"]);
    assert_eq!(code, 2);
    assert!(err.contains("wicketgate.yaml: there is no such file"), "{err}");
}

#[test]
fn what_rules_find_in_a_request_is_explained() {
    let folder = started();
    let path = folder.path().join("wicketgate.yaml");
    let starter = fs::read_to_string(&path).unwrap();
    let rule = r#"SecRule ARGS|REQUEST_HEADERS "@contains evil" "id:7,phase:2,deny,severity:CRITICAL,msg:'evil',tag:'attack-rce'""#;
    fs::write(folder.path().join("rules.conf"), rule).unwrap();
    let routes = "  - name: everything\n    upstream: backend\n";
    let explain = |mode: &str, arguments: &[&str]| {
        let judged = format!("{routes}    admission: {{crs: {{rules: rules.conf{mode}}}}}\n");
        fs::write(&path, starter.replace(routes, &judged)).unwrap();
        let (code, out, err) = wicketgate(folder.path(), &[&["check", "--explain"], arguments].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        out.split_once("\nroute: everything\n").unwrap().1.to_owned()
    };
    let finding = "crs: rule 7 finds rce in ARGS:q; severity critical: evil\n";
    let attack = "ws://localhost/?q=an+evil+one";
    assert_eq!(
        explain("", &[attack]),
        format!("{finding}crs: 403 Forbidden: rule 7 refuses the request\nthen: 403 Forbidden\n")
    );
    assert_eq!(
        explain(", mode: observe", &[attack]),
        format!(
            "{finding}crs: it goes on: the rules only observe\nthen: upstream backend gets /?q=an+evil+one\n"
        )
    );
    assert_eq!(
        explain("", &["ws://localhost/", "--header", "X-Kind: evil"]),
        "crs: rule 7 finds rce in REQUEST_HEADERS:x-kind; severity critical: evil\n\
         crs: 403 Forbidden: rule 7 refuses the request\nthen: 403 Forbidden\n"
    );
    assert_eq!(explain("", &["ws://localhost/"]), "crs: it goes on\nthen: upstream backend gets /\n");
}

#[test]
fn the_route_of_a_url_is_explained() {
    let folder = started();
    let path = folder.path().join("wicketgate.yaml");
    let starter = fs::read_to_string(&path).unwrap();
    let routes = "  - name: everything\n    upstream: backend\n";
    let more = "  - name: chat\n    match: {host: \"*.example.com\", path: /chat/*, headers: {x-env: canary}}\n    upstream: backend\n    rewrite: {strip_prefix: /chat}\n  - name: old\n    match: {host: old.example}\n    redirect: {to: \"https://{host}{path_and_query}\"}\n";
    let narrowed = routes.replace("    upstream", "    match: {methods: GET}\n    upstream");
    fs::write(&path, starter.replace(routes, &format!("{narrowed}{more}"))).unwrap();
    let explain = |arguments: &[&str]| {
        let (code, out, err) = wicketgate(folder.path(), &[&["check", "--explain"], arguments].concat());
        assert!(err.is_empty() || code == 1, "{err}");
        (code, out + &err)
    };
    let (code, out) = explain(&["wss://A.example.com:443/x/../chat/1?q"]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(
        out,
        "GET a.example.com/chat/1\n  \
         old         old.example/*         no: another host\n  \
         chat        *.example.com/chat/*  no: the header `x-env` is not as asked\n  \
         everything  */*                   taken\n\
         route: everything\n\
         then: upstream backend gets /chat/1?q\n"
    );
    let (code, out) = explain(&["wss://a.example.com/chat/1", "--header", "X-Env: canary"]);
    assert!(code == 0 && out.contains("\nroute: chat\nthen: upstream backend gets /1\n"), "{out}");
    let (code, out) = explain(&["https://b.example/", "--method", "POST"]);
    assert!(code == 1 && out.ends_with("\nroute: none\nthen: 404 Not Found\n"), "{out}");
    let (code, out) = explain(&["http://old.example/a?b"]);
    assert!(
        code == 0 && out.ends_with("\nthen: 308 Permanent Redirect to https://old.example/a?b\n"),
        "{out}"
    );
    for (url, words) in [
        ("/chat", "names no host"),
        ("ws://a/%2e%2e/b", "climbs above its root"),
        ("ws://a/b%2fc", "an encoded slash"),
        ("ws://user@a/", "a character that no host name has"),
        ("not a url", "is no URL"),
    ] {
        let (code, out) = explain(&[url]);
        assert!(code == 1 && out.contains(words), "{url}: {out}");
    }
}

#[test]
fn strict_ends_with_1_where_something_is_weak() {
    let folder = started();
    assert_eq!(wicketgate(folder.path(), &["check", "--strict"]).0, 0);
    let path = folder.path().join("wicketgate.yaml");
    let starter = fs::read_to_string(&path).unwrap();
    fs::write(&path, starter.replace("bind: 127.0.0.1:8080", "bind: 0.0.0.0:8080")).unwrap();
    let (code, out, err) = wicketgate(folder.path(), &["check"]);
    assert!(code == 0 && out.contains("0 errors, 1 warning"), "{out}");
    assert!(err.contains("one client may take all 20000 connections"), "{err}");
    assert_eq!(wicketgate(folder.path(), &["check", "--strict"]).0, 1);
    assert_eq!(wicketgate(folder.path(), &["check", "--strict", "--explain", "http://a.example/"]).0, 1);
}

#[test]
fn a_profile_is_told_line_by_line() {
    let folder = started();
    for profile in ["asvs", "owasp", "pci", "stig"] {
        let arguments = ["check", "--profile", profile];
        let (code, out, err) = wicketgate(folder.path(), &arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{profile}");
        assert!(out.contains("not a certification") && out.contains("wicketgate.yaml:"), "{out}");
        assert_eq!(wicketgate(folder.path(), &[&arguments[..], &["--strict"]].concat()).0, 1, "{profile}");
        let (code, out, _) = wicketgate(folder.path(), &[&arguments[..], &["--format", "json"]].concat());
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(code == 0 && json["requirements"].as_array().unwrap().len() >= 4, "{out}");
    }
    assert_eq!(wicketgate(folder.path(), &["check", "--profile", "iso"]).0, 2);
    assert_eq!(wicketgate(folder.path(), &["check", "--format", "json"]).0, 2);
}

#[test]
fn the_schema_knows_every_key_and_the_reference_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, _) = wicketgate(folder.path(), &["schema"]);
    assert_eq!(code, 0);
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let (code, reference, _) = wicketgate(folder.path(), &["reference"]);
    assert_eq!(code, 0);
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(reference.contains(&format!("## `{key}`")), "{key}");
    }
    assert!(reference.contains("| `drain.timeout` | time | `30s` |"), "{reference}");
    let rows = reference.lines().filter(|line| line.starts_with("| `"));
    let silent: Vec<_> = rows.filter(|row| row.ends_with("|  |")).collect();
    assert!(silent.is_empty(), "keys without a word about them: {silent:#?}");
}

#[test]
fn shells_take_the_completions() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, says) in [
        ("bash", "complete -F _wicketgate"),
        ("zsh", "#compdef wicketgate"),
        ("fish", "complete -c wicketgate"),
    ] {
        let (code, script, _) = wicketgate(folder.path(), &["completions", shell]);
        assert!(code == 0 && script.contains(says) && script.contains("test-policy"), "{shell}");
        fs::write(folder.path().join(shell), script).unwrap();
    }
    let mut bash = Command::new("bash");
    assert!(bash.arg("-n").arg(folder.path().join("bash")).status().unwrap().success());
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(wicketgate(folder.path(), &["man", "pages"]).0, 0);
    let (_, help, _) = wicketgate(folder.path(), &["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<_> = commands.take_while(|line| !line.is_empty()).collect();
    assert!(commands.len() > 10, "{help}");
    let commands = commands.iter().filter_map(|line| line.split_whitespace().next());
    for command in commands.filter(|command| *command != "help") {
        let page = folder.path().join(format!("pages/wicketgate-{command}.1"));
        let page = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH DESCRIPTION"), "{command}");
    }
    // A folder that cannot be made is named.
    fs::write(folder.path().join("file"), "").unwrap();
    let (code, _, err) = wicketgate(folder.path(), &["man", "file/pages"]);
    assert!(code == 1 && err.contains("file/pages cannot be made"), "{err}");
}

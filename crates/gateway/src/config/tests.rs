//! Tests of the configuration as a whole: what is said about bad files, word for word, and what bounds hold.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use wicketgate_config::Severity;

use super::{Config, Report, Style, load, parse};
use crate::route::Facts;
use crate::route::config::Action;

/// The least that a configuration needs, to which tests add what they are about.
const LISTENER: &str = "listeners: [{name: l, bind: \"127.0.0.1:0\"}]\n";
const UPSTREAM: &str = "upstreams: [{name: u, targets: [\"ws://127.0.0.1:9000\"]}]\n";

fn lookup(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("hunter2".to_owned()),
        "NUMBER" => Some("8".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<(Config, Report), Report> {
    parse("test.yaml", text, &lookup)
}

/// What is said about a text that has errors, one line each.
fn errors(text: &str) -> Vec<String> {
    let report = match read(text) {
        Ok((_, report)) | Err(report) => report,
    };
    report.problems().filter(|p| p.severity == Severity::Error).map(|p| report.line(p)).collect()
}

fn with_routes(routes: &str) -> String {
    format!("{LISTENER}{UPSTREAM}routes:\n{routes}")
}

/// Every `golden/NAME.yaml` says exactly what stands in `golden/NAME.txt`. With `UPDATE_GOLDEN=1` the texts are
/// written anew, to be read before they are committed.
#[test]
fn bad_files_are_explained_word_for_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/golden");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        seen += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let report = match parse(name, &fs::read_to_string(&path).unwrap(), &lookup) {
            Ok((_, report)) | Err(report) => report,
        };
        let said = report.render(Style::Plain);
        assert!(!said.contains("hunter2"), "{name} shows a secret");
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        assert_eq!(said, fs::read_to_string(&expected).unwrap(), "{name}");
    }
    assert!(seen >= 5, "the golden files are gone");
}

#[test]
fn a_small_file_is_complete() {
    let (config, report) = read(&with_routes("  - {name: r, upstream: u}\n")).unwrap();
    assert_eq!((report.errors(), report.warnings()), (0, 0), "{}", report.render(Style::Plain));
    assert_eq!((config.listeners.len(), config.upstreams.len(), config.routes.len()), (1, 1, 1));
    assert_eq!(config.drain.timeout, Duration::from_secs(30));
    assert!(config.admin.is_none() && config.runtime.threads >= 1 && config.limits.connections > 0);
}

#[test]
fn a_route_with_every_key_is_read() {
    let text = with_routes(
        r#"
  - name: full
    match:
      host: [A.example., "*.b.example"]
      path: [/ws, /ws/*]
      methods: [POST, GET]
      headers: {X-Env: canary, x-debug: {present: false}, x-n: 5}
      subprotocol: [v2, v1]
    upstream: u
    rewrite: {strip_prefix: /ws/, add_prefix: /v2}
    request_headers: {set: {x-route: "{route}"}, remove: [x-forged]}
    response_headers: {remove: server}
    websocket: on
    http: on
    max_request_body: 1MiB
  - {name: sessions, match: {path: /s}, upstream: u, http: off}
"#,
    );
    let (config, _) = read(&text).map_err(|report| report.render(Style::Plain)).unwrap();
    let Action::Proxy(proxy) = &config.routes[0].action else { panic!("it goes to an upstream") };
    assert_eq!(&*proxy.upstream, "u");
    assert_eq!(proxy.rewrite.path("/ws/a"), "/v2/a");
    assert!(
        proxy.websocket.is_some() && !proxy.request_headers.is_empty() && !proxy.response_headers.is_empty()
    );
    let http = proxy.http.as_ref().unwrap();
    assert_eq!(http.max_request_body, 1 << 20);
    let conditions = &config.routes[0].matching.conditions;
    assert_eq!(conditions.methods, [Method::GET, Method::POST]);
    assert_eq!(
        conditions.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["x-debug", "x-env", "x-n"]
    );
    let Action::Proxy(sessions) = &config.routes[1].action else { panic!("it goes to an upstream") };
    assert!(sessions.http.is_none() && sessions.websocket.is_some());
    let none = HeaderMap::new();
    let table = config.route_table();
    let found = |host, path| {
        let facts = Facts { host, path, method: &Method::GET, headers: &none };
        table.find(&facts).map(|route| route.name.to_string())
    };
    assert_eq!(found(Some("a.example"), "/ws"), None, "the conditions do not hold");
    assert_eq!(found(None, "/s").as_deref(), Some("sessions"));
}

#[test]
fn nothing_is_no_configuration() {
    for text in ["", "\n", "# only a comment\n", "---\n", "---\n...\n"] {
        assert_eq!(errors(text).len(), 1, "{text:?}: {:?}", errors(text));
    }
    for text in ["[]", "text", "5", "a: b: c", "\t- x", "{", "'", "&a", "*a", "!!binary x"] {
        assert!(!errors(text).is_empty(), "{text:?}");
    }
}

#[test]
fn one_unreadable_value_gives_one_error_and_hides_no_other() {
    let text = with_routes(
        "  - {name: a, upstream: [], http: 7}\n  - {name: b, upstream: nope}\n  - {upstream: u}\n",
    );
    let errors = errors(&text);
    assert_eq!(
        errors,
        [
            "test.yaml:4:25: a list does not fit here (give a text)",
            "test.yaml:4:35: `7` does not fit here (give `on` or `off`)",
            "test.yaml:5:25: there is no upstream `nope` (there are `u`)",
            "test.yaml:6:5: the key `name` is missing (add `name:`)",
        ]
    );
}

#[test]
fn references_to_what_could_not_be_read_are_no_errors() {
    let text = "listeners: [{name: l, bind: \"127.0.0.1:0\", nonsense: 1}]\nupstreams: [{name: u, nonsense: 1}]\nroutes: [{name: r, upstream: u}]";
    let errors = errors(text);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors.iter().all(|error| error.contains("there is no key `nonsense` here")), "{errors:?}");
}

#[test]
fn variables_fill_values_and_stay_out_of_messages() {
    let text =
        format!("{}drain: {{timeout: \"${{NUMBER}}s\"}}\n", with_routes("  - {name: r, upstream: u}\n"));
    assert_eq!(read(&text).unwrap().0.drain.timeout, Duration::from_secs(8));
    for bad in [
        "drain: {timeout: \"${SECRET}\"}",
        "log: {level: \"${SECRET}\"}",
        "log: {access: \"${SECRET}\"}",
        "runtime: {threads: \"${SECRET}\"}",
        "admin: {bind: \"${SECRET}\"}",
        "routes: [{name: \"a ${SECRET}\", upstream: \"x${SECRET}\", websocket: \"${SECRET}\"}]",
        "routes: [{name: r, respond: {status: 200, content_type: \"${SECRET}\\n\"}}]",
        "routes: [{name: r, match: {path: \"${SECRET}\", host: \"${SECRET}/\", methods: \"a/${SECRET}\"}}]",
    ] {
        let errors = errors(bad);
        assert!(errors.iter().any(|error| error.contains("${SECRET}")), "{bad}: {errors:?}");
        assert!(!errors.iter().any(|error| error.contains("hunter2")), "{bad}: {errors:?}");
    }
    assert!(errors("${NUMBER}: 1")[0].contains("there is no key `${NUMBER}` here"), "keys are not filled in");
}

#[test]
fn anchors_and_merges_are_understood() {
    let text = with_routes(
        "  - &base\n    name: a\n    upstream: u\n    request_headers: &t {remove: [x-a]}\n    match: {path: /a}\n  \
         - <<: *base\n    name: b\n    match: {path: /b}\n    response_headers: *t\n",
    );
    let (config, _) = read(&text).map_err(|report| report.render(Style::Plain)).unwrap();
    assert_eq!(config.routes[1].name.as_ref(), "b");
    assert_eq!(errors("x: &a [*a]").len(), 1);
    assert_eq!(errors(&with_routes("  - <<: 5\n    name: a\n    upstream: u\n")).len(), 1);
}

/// What grows with a bomb takes days; what does not takes this long at most on a machine with much else to do.
const QUICKLY: Duration = Duration::from_secs(60);

/// Alias bombs, deep nesting and long texts are refused quickly, without the memory that they ask for.
#[test]
fn hostile_documents_are_bounded() {
    let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let below = format!("*a{},", level - 1).repeat(10);
        laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(900_000), "*a,".repeat(5_000));
    let mut tower = String::from("a0: &a0 {x: 1}\n");
    for level in 1..40 {
        tower.push_str(&format!("a{level}: &a{level} {{x: *a{}}}\n", level - 1));
    }
    let merges = format!(
        "a: &a {{{}}}\nb: {{<<: [{}]}}\n",
        (0..500).map(|n| format!("k{n}: 1, ")).collect::<String>(),
        "*a,".repeat(190)
    );
    let many_faults = format!("routes:\n{}", "  - {nope: 1, nope2: 2}\n".repeat(20_000));
    for (name, text) in [
        ("laughs", laughs),
        ("long", long),
        ("tower", tower),
        ("merges", merges),
        ("many faults", many_faults),
        ("flow", "[".repeat(100_000)),
        ("maps", "{a: ".repeat(100_000)),
        ("dashes", "- ".repeat(100_000)),
        ("indents", (0..500).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
        ("keys", format!("{{{}}}", (0..80_000).map(|n| format!("k{n}: 1,")).collect::<String>())),
        ("quotes", "\"\\u0041".repeat(100_000)),
        ("anchors", (0..50_000).map(|n| format!("- &a{n} x\n")).collect()),
    ] {
        let start = Instant::now();
        let errors = errors(&text);
        assert!(!errors.is_empty(), "{name}");
        assert!(start.elapsed() < QUICKLY, "{name} took {:?}: {}", start.elapsed(), errors[0]);
    }
}

#[test]
fn includes_are_read_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    write("main.yaml", &format!("include: [conf.d/*.yaml, more.yaml]\n{LISTENER}"));
    write("conf.d/b.yaml", "routes: [{name: b, upstream: u, match: {path: /b}}]\n");
    write("conf.d/a.yaml", "routes: [{name: a, upstream: u, match: {path: /a}}]\n");
    write("conf.d/.hidden.yaml", "nonsense");
    write("conf.d/note.txt", "nonsense");
    write("more.yaml", &format!("include: conf.d/../deep.yaml\n{UPSTREAM}"));
    write("deep.yaml", "routes: [{name: c, upstream: u, match: {path: /c}}]\n");
    let (config, report) = load(&folder.path().join("main.yaml")).unwrap();
    let names: Vec<_> = config.routes.iter().map(|route| route.name.to_string()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(report.files().count(), 5);
    assert!(report.folders().iter().any(|path| path.ends_with("conf.d")));

    let said = |main: &str| {
        write("main.yaml", main);
        match load(&folder.path().join("main.yaml")) {
            Ok(_) => String::new(),
            Err(report) => report.render(Style::Plain),
        }
    };
    write("self.yaml", "include: self.yaml");
    write("loop.yaml", "include: main.yaml");
    write("part.yaml", "admin: {}\n");
    write("bad.yaml", "routes: [\n");
    for (include, words) in [
        ("none.yaml", "there is no such file"),
        ("nowhere/*.yaml", "there is no such file"),
        ("\"*/a.yaml\"", "`*` stands in a folder's name"),
        ("conf.d", "it is a directory"),
        ("..", "this names no file"),
        ("self.yaml", "is included a second time"),
        ("loop.yaml", "is included a second time"),
        ("[conf.d/a.yaml, ./conf.d/a.yaml]", "is included a second time"),
        ("part.yaml", "there is no key `admin` here"),
        ("bad.yaml", "this is no YAML"),
    ] {
        let said =
            said(&format!("include: {include}\n{LISTENER}{UPSTREAM}routes: [{{name: r, upstream: u}}]"));
        assert!(said.contains(words), "{include}: {said}");
        assert_eq!(said.matches("error: ").count(), 1, "{include}: {said}");
    }
    for depth in 0..10 {
        write(&format!("d{depth}.yaml"), &format!("include: d{}.yaml", depth + 1));
    }
    assert!(said(&format!("include: d0.yaml\n{LISTENER}")).contains("more than 8 deep"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    let said = |words: &str| {
        let report = load(&path).unwrap_err();
        let said = report.render(Style::Plain);
        assert!(said.contains(words) && said.contains("x.yaml"), "{said}");
        assert_eq!(report.errors(), 1, "{said}");
    };
    said("there is no such file");
    fs::write(&path, "").unwrap();
    said("this file holds nothing");
    fs::write(&path, b"a: 1\nb: \xff\n").unwrap();
    said("line 2 is not UTF-8");
    fs::write(&path, "# x\n".repeat(300_000)).unwrap();
    said("it is longer than 1024 KiB");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    said("it is a directory");
}

/// A value for every shape that a key may ask for, so that each key gets the wrong one sometimes.
const VALUES: [&str; 12] = [
    "x",
    "5",
    "-1",
    "on",
    "[]",
    "[x, {y: z}]",
    "{}",
    "{x: 1}",
    "{present: 1}",
    "~",
    "${NONE}",
    "{consistent_hash: {x: 1}}",
];

const KEYS: [&str; 16] = [
    "name",
    "match",
    "host",
    "headers",
    "x-a",
    "upstream",
    "redirect",
    "to",
    "respond",
    "status",
    "rewrite",
    "set",
    "websocket",
    "http",
    "timeouts",
    "balance",
];

proptest::proptest! {
    /// However wrong a file is, every finding is made once.
    #[test]
    fn nothing_is_said_twice(
        route in proptest::collection::btree_map(proptest::sample::select(&KEYS[..]), proptest::sample::select(&VALUES[..]), 0..6),
        inner in proptest::collection::btree_map(proptest::sample::select(&KEYS[..]), proptest::sample::select(&VALUES[..]), 0..6),
        outer in proptest::sample::select(&KEYS[1..]),
        list in proptest::sample::select(vec!["routes", "upstreams"]),
    ) {
        let map = |map: &std::collections::BTreeMap<&str, &str>| map.iter().map(|(k, v)| format!("{k}: {v}, ")).collect::<String>();
        let text = format!("{LISTENER}{list}: [{{name: n, {outer}: {{{}}}}}, {{{}}}]", map(&inner), map(&route));
        let mut errors = errors(&text);
        let all = errors.len();
        errors.dedup();
        proptest::prop_assert_eq!(all, errors.len(), "{}: {:?}", text, errors);
        proptest::prop_assert!(!errors.iter().any(|error| error.contains("too many")), "{}: {:?}", text, errors);
    }

    #[test]
    fn no_text_panics(text in "([a-z]{1,3}: |- |\n|  |\\{|\\}|\\[|\\]|,|\\$\\{|\\}|&a |\\*a|'|\"|#|on|5|<<: |routes:|é|\t){0,40}") {
        crate::fuzz::config(text.as_bytes());
        crate::fuzz::config(with_routes(&text).as_bytes());
    }
}

/// Whatever begins with `dangerous_` and is in force is warned of; a new word takes a new line here.
#[test]
fn every_dangerous_word_is_warned_of() {
    let jwt = |keys: &str| {
        format!(
            "authentication: [{{name: a, jwt: {{issuer: \"https://a.example\", keys: discovery, {keys}}}}}]\n"
        )
    };
    let clients = |word: &str| {
        format!("listeners: [{{bind: \"127.0.0.1:0\", tls: {{client_certificates: {{{word}: true}}}}}}]\n")
    };
    let mut texts = vec![
        ("dangerous_any_audience", jwt("dangerous_any_audience: true")),
        ("dangerous_allow_no_expiry", jwt("audience: a, dangerous_allow_no_expiry: true")),
        ("dangerous_allow_http", jwt("audience: a, fetch: {dangerous_allow_http: true}")),
        ("dangerous_allow_remote", "admin: {bind: \"0.0.0.0:1\", dangerous_allow_remote: true}\n".into()),
        (
            "dangerous_accept_any_certificate",
            "upstreams: [{name: u, targets: [\"wss://a.example\"], tls: {dangerous_accept_any_certificate: true}}]\n"
                .into(),
        ),
    ];
    let syslog =
        "audit: {sinks: [{name: s, syslog: {to: \"tcp://siem.example\", dangerous_allow_plain: true}}]}\n";
    texts.push(("dangerous_allow_plain", syslog.into()));
    for word in ["dangerous_accept_unknown_revocation", "dangerous_accept_expired_crl"] {
        texts.push((word, clients(word)));
    }
    for (format, word) in [
        ("wamp", "dangerous_patterns"),
        ("graphql-ws", "dangerous_persisted"),
        ("socket.io", "dangerous_upgrades"),
    ] {
        texts.push((word, format!("policies: [{{name: p, format: {{{format}: {{{word}: true}}}}}}]\n")));
    }
    for (word, text) in &texts {
        let warnings = |text: &str| match read(text) {
            Ok((_, report)) | Err(report) => report.warnings(),
        };
        let without = text.replace(&format!("{word}: true"), &format!("{word}: false"));
        assert_eq!(warnings(text), warnings(&without) + 1, "{word}");
    }
    let mut words = std::collections::BTreeSet::new();
    dangers(&super::schema(), &mut words);
    assert_eq!(words, texts.iter().map(|(word, _)| (*word).to_owned()).collect());
}

fn dangers(schema: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(members) => {
            found.extend(members.keys().filter(|key| key.starts_with("dangerous_")).cloned());
            members.values().for_each(|value| dangers(value, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| dangers(value, found)),
        _ => {}
    }
}

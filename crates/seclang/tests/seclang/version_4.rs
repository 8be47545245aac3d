//! Rules in the form of the Core Rule Set's version 4, written for this test: its levels, scores, early blocking, plugins, and
//! what its rules are made of. No registry that the tests reach has its files.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use wicketgate_seclang::{
    Argument, Budget, Effect, End, Exclusions, Head, Outcome, Request, RuleSet, Scratch,
};

const SETUP: &str = r#"
SecDefaultAction "phase:1,log,auditlog,pass"
SecDefaultAction "phase:2,log,auditlog,pass"
SecAction "id:900990,phase:1,pass,t:none,nolog,setvar:tx.crs_setup_version=4200"
"#;

const INITIALIZATION: &str = r#"
SecComponentSignature "RULES/4.0.0"
SecRule &TX:crs_setup_version "@eq 0" "id:1001,phase:1,deny,status:500,log,auditlog,msg:'no setup',severity:'CRITICAL'"
SecRule &TX:inbound_anomaly_score_threshold "@eq 0" \
    "id:1100,phase:1,pass,nolog,tag:'RULES',ver:'RULES/4.0.0',setvar:'tx.inbound_anomaly_score_threshold=5'"
SecRule &TX:early_blocking "@eq 0" "id:1115,phase:1,pass,nolog,tag:'RULES',setvar:'tx.early_blocking=0'"
SecRule &TX:blocking_paranoia_level "@eq 0" "id:1120,phase:1,pass,nolog,tag:'RULES',setvar:'tx.blocking_paranoia_level=1'"
SecRule &TX:detection_paranoia_level "@eq 0" \
    "id:1125,phase:1,pass,nolog,tag:'RULES',setvar:'tx.detection_paranoia_level=%{TX.blocking_paranoia_level}'"
SecRule &TX:critical_anomaly_score "@eq 0" "id:1140,phase:1,pass,nolog,tag:'RULES',setvar:'tx.critical_anomaly_score=5'"
SecRule &TX:restricted_headers_basic "@eq 0" \
    "id:1165,phase:1,pass,nolog,tag:'RULES',setvar:'tx.restricted_headers_basic=/content-encoding/ /proxy/ /x-http-method/'"
SecAction "id:1200,phase:1,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=0',\
    setvar:'tx.inbound_anomaly_score_pl1=0',setvar:'tx.inbound_anomaly_score_pl2=0'"
SecRule REQBODY_PROCESSOR "!@rx (?:URLENCODED|MULTIPART|XML|JSON)" \
    "id:1340,phase:1,pass,nolog,noauditlog,msg:'body',tag:'RULES',ctl:forceRequestBodyVariable=On"
SecRule TX:detection_paranoia_level "@lt %{tx.blocking_paranoia_level}" \
    "id:1500,phase:1,deny,status:500,t:none,log,msg:'levels',tag:'RULES'"
"#;

const ATTACKS: &str = r#"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 1" "id:2011,phase:1,pass,nolog,skipAfter:END-REQUEST-902-ATTACKS"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 1" "id:2012,phase:2,pass,nolog,skipAfter:END-REQUEST-902-ATTACKS"
SecRule REQUEST_HEADERS_NAMES "@rx ^.*$" \
    "id:2450,phase:1,block,capture,t:none,t:lowercase,msg:'a restricted header (%{MATCHED_VAR})',tag:'attack-protocol',\
    setvar:'tx.header_name_2450_%{tx.0}=/%{tx.0}/',chain"
    SecRule TX:/^header_name_2450_/ "@within %{tx.restricted_headers_basic}" \
        "setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer|ARGS_NAMES|ARGS|XML:/* "@detectSQLi" \
    "id:2100,phase:2,block,capture,t:none,t:utf8toUnicode,t:urlDecodeUni,t:removeNulls,msg:'SQL',\
    logdata:'Matched Data: %{TX.0} found within %{MATCHED_VAR_NAME}: %{MATCHED_VAR}',tag:'attack-sqli',tag:'paranoia-level/1',\
    tag:'capec/1000/152/248/66',severity:'CRITICAL',multiMatch,setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule REQUEST_FILENAME|ARGS|REQUEST_BODY|FILES|FILES_NAMES|MULTIPART_PART_HEADERS|XML:/*|XML://@* "@pmFromFile artifacts.data" \
    "id:2200,phase:2,block,capture,t:none,t:escapeSeqDecode,t:cmdLine,t:normalizePathWin,msg:'a file',tag:'attack-lfi',\
    severity:'CRITICAL',setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule ARGS "@rx PATTERN" \
    "id:2230,phase:2,block,capture,t:none,msg:'a command',tag:'attack-rce',severity:'CRITICAL',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 2" "id:2013,phase:1,pass,nolog,skipAfter:END-REQUEST-902-ATTACKS"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 2" "id:2014,phase:2,pass,nolog,skipAfter:END-REQUEST-902-ATTACKS"
SecRule ARGS "@rx (?i)\bsuspicious\b" \
    "id:2301,phase:2,block,t:none,msg:'a word',tag:'paranoia-level/2',setvar:'tx.inbound_anomaly_score_pl2=+%{tx.critical_anomaly_score}'"
SecMarker "END-REQUEST-902-ATTACKS"
"#;

const EVALUATION: &str = r#"
SecRule TX:BLOCKING_PARANOIA_LEVEL "@ge 1" \
    "id:3052,phase:1,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=+%{tx.inbound_anomaly_score_pl1}'"
SecAction "id:3059,phase:2,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=0'"
SecRule TX:BLOCKING_PARANOIA_LEVEL "@ge 1" \
    "id:3060,phase:2,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=+%{tx.inbound_anomaly_score_pl1}'"
SecRule TX:BLOCKING_PARANOIA_LEVEL "@ge 2" \
    "id:3061,phase:2,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=+%{tx.inbound_anomaly_score_pl2}'"
SecMarker "BEGIN-REQUEST-BLOCKING-EVAL"
SecRule TX:BLOCKING_INBOUND_ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" \
    "id:3111,phase:1,deny,t:none,msg:'over in phase 1 (Total Score: %{TX.BLOCKING_INBOUND_ANOMALY_SCORE})',chain"
    SecRule TX:EARLY_BLOCKING "@eq 1"
SecRule TX:BLOCKING_INBOUND_ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" \
    "id:3110,phase:2,deny,t:none,msg:'over (Total Score: %{TX.BLOCKING_INBOUND_ANOMALY_SCORE})',tag:'anomaly-evaluation'"
"#;

/// A plugin: it may be switched off, and takes a value from the rules of a tag.
const PLUGIN_CONFIG: &str = r#"
SecAction "id:9500010,phase:1,nolog,pass,t:none,setvar:'tx.editor-plugin_enabled=1'"
"#;
const PLUGIN_BEFORE: &str = r#"
SecRule TX:editor-plugin_enabled "@eq 0" "id:9500099,phase:1,pass,nolog,ctl:ruleRemoveById=9500100-9500199"
SecRule REQUEST_FILENAME "@beginsWith /edit" \
    "id:9500100,phase:1,pass,t:none,nolog,ctl:ruleRemoveTargetByTag=attack-sqli;ARGS:text,ctl:ruleRemoveTargetById=2200;ARGS:/^file_/"
"#;

/// Words whose letters may stand apart, as version 4 writes those of shells: patterns of many thousand characters.
fn pattern() -> String {
    const BETWEEN: &str = r#"[\"'\)\[\x5c]*(?:(?:(?:\|\||&&)[\s\x0b]*)?\$[!#\(\*\-0-9\?@_a-\{]*)?\x5c?"#;
    let words = [
        "busybox", "command", "curl", "ifconfig", "netcat", "passwd", "python", "uname", "wget", "whoami",
        "7z", "nc",
    ];
    let mut pattern = String::from(r"(?i)(?:^|[\n\r;=`\{]|\|\|?|&&?|\$(?:\(\(?|[\[\{]))[\s\x0b]*(?:");
    for (number, word) in words.iter().enumerate() {
        if number > 0 {
            pattern.push('|');
        }
        for (at, letter) in word.chars().enumerate() {
            let _ = write!(pattern, "{}{letter}", if at > 0 { BETWEEN } else { "" });
        }
    }
    pattern + r"(?:[\-\.0-9A-Z_a-z][\s\x0b]*){0,10})\b"
}

fn written(folder: &Path) -> Vec<PathBuf> {
    for name in ["rules", "plugins"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let attacks = ATTACKS.replace("PATTERN", &pattern());
    for (name, text) in [
        ("crs-setup.conf", SETUP),
        ("rules/REQUEST-901-INITIALIZATION.conf", INITIALIZATION),
        ("rules/REQUEST-902-ATTACKS.conf", &attacks),
        ("rules/REQUEST-949-EVALUATION.conf", EVALUATION),
        ("rules/artifacts.data", "# files\n/etc/shadow\n.ssh/id_rsa\n"),
        ("plugins/editor-config.conf", PLUGIN_CONFIG),
        ("plugins/editor-before.conf", PLUGIN_BEFORE),
        ("plugins/empty-after.conf", "# Plugins without rules have files as well.\n"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let order = [
        "crs-setup.conf",
        "plugins/*-config.conf",
        "plugins/*-before.conf",
        "rules/*.conf",
        "plugins/*-after.conf",
    ];
    order.iter().map(|pattern| folder.join(pattern)).collect()
}

struct Loaded {
    set: RuleSet,
    _folder: tempfile::TempDir,
}

impl Loaded {
    fn new(given: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let set = RuleSet::load(&written(folder.path()), given).unwrap();
        Self { set, _folder: folder }
    }

    /// What is found in a request, and the rule that refuses it.
    fn asked(&self, uri: &str, headers: &[(&[u8], &[u8])]) -> (Vec<u64>, Option<u64>) {
        let head =
            Head { method: b"GET", uri: uri.as_bytes(), protocol: b"HTTP/1.1", headers, address: None };
        let bounds = (100, Budget::default());
        let outcome = self.set.ask(&head, &Exclusions::default(), bounds, &mut Scratch::default());
        self.told(&outcome.unwrap())
    }

    /// The same of a message.
    fn judged(&self, text: &str) -> (Vec<u64>, Option<u64>) {
        let arguments = [Argument::new(b"text", text.as_bytes())];
        let request = Request {
            method: b"POST",
            uri: b"/",
            protocol: b"HTTP/1.1",
            arguments: &arguments,
            body: text.as_bytes(),
            processor: b"JSON",
            ..Request::default()
        };
        let mut scratch = Scratch::default();
        let baseline = self.set.baseline(&request, None, &mut scratch);
        self.told(&self.set.judge(&baseline, &request, Budget::default(), &mut scratch))
    }

    fn told(&self, outcome: &Outcome) -> (Vec<u64>, Option<u64>) {
        let id = |rule: usize| self.set.rule(rule).unwrap().id;
        let refused = match outcome.end {
            End::Passed => None,
            End::Refused(rule) => Some(id(rule)),
            End::OverBudget => panic!("it took too much"),
        };
        (outcome.found.iter().map(|found| id(found.rule)).collect(), refused)
    }
}

#[test]
fn all_of_it_is_asked() {
    let loaded = Loaded::new(&[]);
    let notes: Vec<String> = loaded.set.notes().iter().map(ToString::to_string).collect();
    assert!(loaded.set.notes().iter().all(|note| note.effect == Effect::Elsewhere), "{notes:#?}");
}

#[test]
fn scores_and_levels_of_version_4_decide() {
    let sql = "1' UNION SELECT name, password FROM users--";
    let loaded = Loaded::new(&[]);
    assert_eq!(loaded.judged("a menu to select from"), (vec![], None));
    assert_eq!(loaded.judged(sql), (vec![2100, 3110], Some(3110)));
    assert_eq!(loaded.judged("cat $'\\x2fetc\\x2fshadow'"), (vec![2200, 3110], Some(3110)));
    assert_eq!(loaded.judged("; w\"h\"o$@ami"), (vec![2230, 3110], Some(3110)));
    assert_eq!(loaded.judged("something suspicious"), (vec![], None));
    let levels = [("blocking_paranoia_level", "1"), ("detection_paranoia_level", "2")];
    assert_eq!(Loaded::new(&levels).judged("something suspicious"), (vec![2301], None));
    let levels = [("blocking_paranoia_level", "2"), ("detection_paranoia_level", "2")];
    assert_eq!(Loaded::new(&levels).judged("something suspicious"), (vec![2301, 3110], Some(3110)));
    let levels = [("blocking_paranoia_level", "2"), ("detection_paranoia_level", "1")];
    assert_eq!(Loaded::new(&levels).judged("nothing"), (vec![1500], Some(1500)));
    assert_eq!(Loaded::new(&[("inbound_anomaly_score_threshold", "6")]).judged(sql), (vec![2100], None));
}

#[test]
fn requests_may_be_refused_early_and_plugins_take_values_out() {
    let header: &[(&[u8], &[u8])] = &[(b"Host", b"localhost"), (b"X-HTTP-Method", b"PUT")];
    let loaded = Loaded::new(&[]);
    assert_eq!(loaded.asked("/", header), (vec![2450, 3110], Some(3110)));
    assert_eq!(Loaded::new(&[("early_blocking", "1")]).asked("/", header), (vec![2450, 3111], Some(3111)));
    let query = "?text=1'+UNION+SELECT+name,+password+FROM+users--";
    assert_eq!(loaded.asked(&format!("/chat{query}"), &[]), (vec![2100, 3110], Some(3110)));
    assert_eq!(loaded.asked(&format!("/edit{query}"), &[]), (vec![], None));
    assert_eq!(loaded.asked("/edit?file_1=/etc/shadow", &[]), (vec![], None));
    assert_eq!(loaded.asked("/edit?file=/etc/shadow", &[]), (vec![2200, 3110], Some(3110)));
    let off = Loaded::new(&[("editor-plugin_enabled", "0")]);
    assert_eq!(off.asked(&format!("/edit{query}"), &[]), (vec![2100, 3110], Some(3110)));
}

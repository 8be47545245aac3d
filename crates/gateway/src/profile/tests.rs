//! Every row of every profile, on a configuration that meets it and on one that does not.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wicketgate_config::Report;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::tls::Authority;

use super::requirement::Decided;
use super::{Assessment, Profile, Verdict};
use crate::config::{Config, parse};

/// Nothing is asked of anybody.
const OPEN: &str = "
listeners: [{name: edge, bind: \"0.0.0.0:80\"}]
upstreams:
  - {name: u, targets: [\"wss://10.0.0.5\"], tls: {dangerous_accept_any_certificate: true}}
routes: [{name: all, upstream: u}]
log: {audit: off}
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/profile/golden")
}

fn strong() -> (Config, Report, Dir) {
    let authority = Authority::new().unwrap();
    let dir = Dir::new().unwrap();
    let issued = authority.issue(&["chat.example.com"]).unwrap();
    dir.write("chat.example.com.pem", &issued.certificate).unwrap();
    let key = dir.write("chat.example.com.key", &issued.key).unwrap();
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    for name in ["devices-ca.pem", "backend-ca.pem"] {
        fs::copy(authority.ca_file(), dir.join(name)).unwrap();
    }
    dir.write("devices.crl", authority.revocations(&[], true).unwrap()).unwrap();
    dir.write("revoked", "").unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hardened/wicketgate.yaml");
    let at = dir.path().display().to_string();
    let lookup = |name: &str| (name == "CERTIFICATES").then(|| at.clone());
    let (config, report) = parse("strong.yaml", &fs::read_to_string(path).unwrap(), &lookup)
        .map_err(|report| report.render(crate::config::Style::Plain))
        .unwrap();
    (config, report, dir)
}

fn read(name: &str, text: &str) -> (Config, Report) {
    parse(name, text, &|_| None).map_err(|report| report.render(crate::config::Style::Plain)).unwrap()
}

fn weak() -> (Config, Report) {
    read("weak.yaml", &fs::read_to_string(folder().join("weak.yaml")).unwrap())
}

fn verdicts(assessment: &Assessment) -> Vec<(&'static str, Verdict)> {
    assessment.requirements.iter().map(|row| (row.id, row.verdict)).collect()
}

#[test]
fn every_row_can_be_met_and_not_met() {
    let (strong, strong_report, _dir) = strong();
    let (weak, weak_report) = weak();
    let (open, open_report) = read("open.yaml", OPEN);
    for profile in Profile::ALL {
        let good = verdicts(&profile.assess(&strong, &strong_report));
        let bad = verdicts(&profile.assess(&weak, &weak_report));
        let none = verdicts(&profile.assess(&open, &open_report));
        for (((requirement, good), bad), none) in profile.requirements().iter().zip(good).zip(bad).zip(none) {
            match requirement.decided {
                Decided::By(_) => {
                    assert_eq!(good.1, Verdict::Met, "{profile:?} {}", requirement.id);
                    assert!([bad.1, none.1].contains(&Verdict::NotMet), "{profile:?} {}", requirement.id);
                }
                Decided::Always(_) => assert_eq!([good.1, bad.1, none.1], [Verdict::Met; 3]),
                Decided::Outside(_) => assert_eq!([good.1, bad.1, none.1], [Verdict::Outside; 3]),
            }
        }
    }
}

/// With `UPDATE_GOLDEN=1` the texts are written anew, to be read before they are committed.
#[test]
fn assessments_are_shown_word_for_word() {
    let (strong, strong_report, _dir) = strong();
    let (weak, weak_report) = weak();
    for profile in Profile::ALL {
        for (name, config, report) in [("strong", &strong, &strong_report), ("weak", &weak, &weak_report)] {
            let said = format!("{}\n", profile.assess(config, report));
            let path = folder().join(format!("{name}-{profile:?}.txt").to_lowercase());
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&path, &said).unwrap();
            }
            assert_eq!(said, fs::read_to_string(&path).unwrap(), "{}", path.display());
        }
    }
}

#[test]
fn a_hardened_configuration_meets_all_and_has_no_warning() {
    let (config, report, _dir) = strong();
    assert_eq!(report.warnings(), 0, "{}", report.render(crate::config::Style::Plain));
    for profile in Profile::ALL {
        assert!(profile.assess(&config, &report).is_met(), "{profile:?}");
    }
    let (config, report) = weak();
    assert!(Profile::ALL.iter().all(|profile| !profile.assess(&config, &report).is_met()));
}

#[test]
fn some_routes_are_not_all() {
    let both = "
listeners: [{name: local, bind: \"127.0.0.1:0\"}]
upstreams: [{name: u, targets: [\"ws://127.0.0.1:9000\"]}]
routes:
  - {name: a, match: {path: /a}, upstream: u, websocket: {idle_timeout: 15m}}
  - {name: b, match: {path: /b}, upstream: u, websocket: {idle_timeout: 16m}}
  - {name: c, match: {path: /c}, upstream: u, websocket: off}
";
    let (config, report) = read("both.yaml", both);
    let assessment = Profile::Pci.assess(&config, &report);
    let row = assessment.requirements.iter().find(|row| row.id == "8.2.8").unwrap();
    assert_eq!(row.verdict, Verdict::Partly);
    let found: Vec<_> = row.settings.iter().map(|s| (s.path.as_str(), s.holds, s.line)).collect();
    assert_eq!(
        found,
        [
            ("routes[0].websocket.idle_timeout", true, Some(5)),
            ("routes[1].websocket.idle_timeout", false, Some(6))
        ]
    );
    let json = serde_json::to_value(&assessment).unwrap();
    let row = json["requirements"].as_array().unwrap().iter().find(|row| row["id"] == "8.2.8").unwrap();
    assert_eq!(
        (row["verdict"].as_str(), row["settings"][1]["file"].as_str()),
        (Some("partly"), Some("both.yaml"))
    );
}

#[test]
fn no_two_rows_share_an_id() {
    for profile in Profile::ALL {
        let mut seen = HashSet::new();
        assert!(profile.requirements().iter().all(|row| seen.insert(row.id)), "{profile:?}");
    }
}

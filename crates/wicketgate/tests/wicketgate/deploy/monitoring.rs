//! Alert rules and the dashboard: Prometheus takes them, and they speak of metrics that there are.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wicketgate_testkit::dir::Dir;

use super::{read, root};

fn promtool(arguments: &[&str], folder: &Path) {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The metrics that a text names, as they are documented: the series of a histogram go by its name.
fn metrics(text: &str) -> BTreeSet<&str> {
    let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    names
        .filter(|name| name.starts_with("wicketgate_"))
        .map(|name| name.trim_end_matches("_bucket"))
        .collect()
}

/// Every expression of the dashboard, its variables in place of which something stands.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/wicketgate.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets
        .map(|target| target["expr"].as_str().unwrap())
        .map(|text| text.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$route", ".*"))
        .collect()
}

#[test]
fn the_alert_rules_are_valid_and_fire_when_they_should() {
    let folder = root().join("deploy/prometheus");
    promtool(&["check", "rules", "alerts.yaml"], &folder);
    promtool(&["test", "rules", "alerts_test.yaml"], &folder);
}

#[test]
fn every_alert_is_tested_and_has_its_words_in_the_guide() {
    let (rules, tests) = (read("deploy/prometheus/alerts.yaml"), read("deploy/prometheus/alerts_test.yaml"));
    let guide = read("docs/guides/monitoring.md");
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is not tested");
        assert!(guide.contains(&format!("\n### {alert}\n")), "{alert} is not in the guide");
        assert!(rules.contains(&format!("runbook: monitoring.md#{}\n", alert.to_lowercase())), "{alert}");
    }
}

#[test]
fn the_dashboard_asks_what_prometheus_understands() {
    let expressions = expressions();
    assert!(expressions.len() > 30);
    let mut rules = String::from("groups: [{name: dashboard, rules: [\n");
    for (number, expression) in expressions.iter().enumerate() {
        let expression = Value::from(expression.as_str());
        writeln!(rules, "{{record: 'panel:{number}', expr: {expression}}},").unwrap();
    }
    rules.push_str("]}]\n");
    let dir = Dir::new().unwrap();
    dir.write("rules.yaml", rules).unwrap();
    promtool(&["check", "rules", "rules.yaml"], dir.path());
}

#[test]
fn alerts_and_dashboard_know_no_metric_that_there_is_not_and_the_dashboard_all_that_there_are() {
    let reference = read("docs/reference/metrics.md");
    let (known, dashboard) = (metrics(&reference), expressions().join("\n"));
    for text in [&dashboard, &read("deploy/prometheus/alerts.yaml")] {
        let unknown: Vec<_> = metrics(text).difference(&known).copied().collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
    let unseen: Vec<_> = known.difference(&metrics(&dashboard)).copied().collect();
    assert!(unseen.is_empty(), "the dashboard does not show {unseen:?}");
}

//! `wicketgate doctor` on ways as they are, right and wrong.

mod inside;
mod meddler;
mod path;

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use super::{BINARY, Site, text};

/// What the doctor has said: its exit code, the JSON document, and the same for people.
struct Examined {
    code: i32,
    json: Value,
    people: String,
}

impl Examined {
    /// Examines a URL, once for machines and once for people.
    fn of(url: &str, arguments: &[&str]) -> Self {
        let run = |more: &[&str]| {
            let mut command = Command::new(BINARY);
            let output = command.arg("doctor").arg(url).args(arguments).args(more).output().unwrap();
            (output.status.code().unwrap(), text(&output))
        };
        let (code, json) = run(&["--json"]);
        let json: Value = serde_json::from_str(&json).unwrap_or_else(|_| panic!("no JSON: {json}"));
        let (same, people) = run(&[]);
        assert_eq!(code, same, "{people}");
        assert_eq!(json["schema"], 1);
        Self { code, json, people }
    }

    fn plain(addr: SocketAddr) -> Self {
        Self::of(&format!("http://{addr}/relay"), &[])
    }

    /// Examines a way to the site's gateway with the identity of an endpoint.
    fn inside(site: &Site, endpoint: &str, addr: SocketAddr, arguments: &[&str]) -> Self {
        let identity = site.path(endpoint);
        // Keys of an agent's file, which are none of the doctor's.
        let config =
            format!("gateway: {}\nidentity: {}\nservices: {{}}\n", site.plain(addr), identity.display());
        let config = site.dir.write(format!("{endpoint}-doctor.yaml"), config).unwrap();
        let url = format!("http://{addr}/relay");
        Self::of(&url, &[&["--config", config.to_str().unwrap()], arguments].concat())
    }

    fn finding(&self, id: &str) -> &Value {
        let findings = self.json["findings"].as_array().unwrap();
        findings
            .iter()
            .find(|finding| finding["id"] == id)
            .unwrap_or_else(|| panic!("no {id}: {}", self.people))
    }

    fn seen(&self, id: &str) -> &str {
        self.finding(id)["seen"].as_str().unwrap()
    }

    /// It warns by this finding, and by no other.
    fn warns(&self, id: &str, seen: &str) {
        assert_eq!((self.code, &self.json["verdict"]), (1, &Value::from("warn")), "{}", self.people);
        assert_eq!(self.finding(id)["severity"], "warn", "{}", self.people);
        assert!(self.seen(id).contains(seen), "{}", self.people);
        assert_eq!(self.people.lines().filter(|line| line.starts_with("warn")).count(), 1, "{}", self.people);
    }

    /// It fails by this finding, for which the first remedy is this.
    fn fails(&self, id: &str, product: Option<&str>, change: &str) {
        assert_eq!((self.code, &self.json["verdict"]), (2, &Value::from("fail")), "{}", self.people);
        let finding = self.finding(id);
        assert_eq!(finding["severity"], "fail", "{}", self.people);
        let remedy = &finding["remedies"][0];
        assert_eq!(remedy["product"].as_str(), product, "{}", self.people);
        assert!(remedy["change"].as_str().unwrap().contains(change), "{}", self.people);
        assert!(self.people.lines().any(|line| line.starts_with("FAIL  ")), "{}", self.people);
        assert!(self.people.contains(remedy["change"].as_str().unwrap()), "{}", self.people);
        assert!(self.people.contains(remedy["guide"].as_str().unwrap()), "{}", self.people);
    }

    fn passes(&self) {
        assert_eq!((self.code, &self.json["verdict"]), (0, &Value::from("pass")), "{}", self.people);
    }
}

//! What a running process cannot follow: settings that are read once, when it starts.

use super::Config;

impl Config {
    /// The settings in which `next` differs from this configuration and that only a restart puts in force.
    pub fn needing_restart(&self, next: &Self) -> Vec<&'static str> {
        let console = match (&self.console, &next.console) {
            (Some(console), Some(next)) => console.needs_restart(next),
            (console, next) => console.is_some() != next.is_some(),
        };
        let changed = [
            ("runtime.threads", self.runtime.threads != next.runtime.threads),
            ("runtime.handover", self.runtime.handover != next.runtime.handover),
            ("admin", self.admin != next.admin),
            ("console", console),
            ("log", self.log != next.log),
            ("audit", self.audit != next.audit),
            ("telemetry", self.telemetry != next.telemetry),
            ("limits.connections", self.limits.connections != next.limits.connections),
            ("limits.pictures", self.limits.pictures != next.limits.pictures),
            ("limits.tracked", self.limits.tracked != next.limits.tracked),
        ];
        changed.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::config::parse;

    fn config(more: &str) -> super::Config {
        let text = format!(
            "listeners: [{{name: l, bind: 127.0.0.1:1}}]\nroutes: [{{name: r, respond: {{status: 200}}}}]\n{more}"
        );
        parse("test.yaml", &text, &|_: &str| None).unwrap().0
    }

    #[test]
    fn only_what_is_read_at_the_start_needs_a_restart() {
        let first = config("");
        for (more, expected) in [
            ("drain: {timeout: 5s}", &[][..]),
            ("limits: {assembly_memory: 1MiB}", &[]),
            ("limits: {connections: 7}", &["limits.connections"]),
            ("limits: {sessions: 7, tracked: {prefixes: 128}}", &["limits.tracked"]),
            ("limits: {pictures: {threads: 1}}", &["limits.pictures"]),
            ("admin: {bind: 127.0.0.1:2}", &["admin"]),
            ("log: {format: text, level: debug}\nruntime: {threads: 99}", &["runtime.threads", "log"]),
            ("audit: {sinks: [{name: a, lines: stdout}]}", &["audit"]),
            ("telemetry: {otlp: {url: 'http://127.0.0.1:1'}, traces: on}", &["telemetry"]),
            ("runtime: {handover: /run/x.sock}", &["runtime.handover"]),
        ] {
            assert_eq!(first.needing_restart(&config(more)), expected, "{more}");
        }
    }
}

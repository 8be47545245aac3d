//! The commands, one file each.

mod agent;
mod audit;
mod ca;
mod capture;
mod check;
mod completions;
mod configuration;
mod connect;
mod console;
mod demo;
mod doctor;
mod endpoint;
mod init;
mod join;
mod key;
mod learn;
mod man;
mod operator;
mod reference;
mod relay;
mod revoke;
mod run;
mod schema;
mod sessions;
mod status;
mod successor;
mod support;
mod table;
mod test_policy;
mod throughput;
mod top;
mod watermark;
mod way;

use std::process::ExitCode;

use clap::Subcommand;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a commented configuration to start from.
    Init(init::Init),
    /// Find everything that is wrong with a configuration, and tell which route a URL takes or whose requirements it meets.
    ///
    /// Exit code 0: the configuration can be used; 1: no route takes the URL, or with --strict there is a warning or a
    /// requirement that is not met; 2: it cannot be used.
    Check(check::Check),
    /// Serve.
    Run(run::Run),
    /// Make, list and revoke API keys.
    Key(key::Key),
    /// Make users of the console.
    Console(console::Console),
    /// Try it: a chat room, the gateway before it with a certificate made on the spot, and a page that talks through it.
    Demo(demo::Demo),
    /// Say whether the running gateway serves.
    ///
    /// Exit code 0: it does; 1: it drains, cannot write its audit store, or does not answer; 2: the configuration cannot be used.
    Status(status::Status),
    /// Show what goes through the running gateway, as it does.
    Top(top::Top),
    /// Collect what whoever helps you has to know into an archive, without secrets.
    SupportBundle(support::SupportBundle),
    /// List the live sessions of the running gateway, or end some.
    Sessions(sessions::Sessions),
    /// Revoke a credential or a subject: the running gateway refuses it from now on, and ends its sessions.
    Revoke(revoke::Revoke),
    /// Tell what the policy of a route makes of messages, without traffic.
    ///
    /// Exit code 1: something came out otherwise than a case expects; 2: the configuration cannot be used.
    TestPolicy(test_policy::TestPolicy),
    /// Find invisible marks in pictures, and make keys for them.
    Watermark(watermark::Watermark),
    /// Capture messages of the running gateway to learn from, their secrets covered.
    Capture(capture::Capture),
    /// Make a policy of captured messages, for you to review.
    ///
    /// Exit code 1: some of the messages would not pass it.
    Learn(learn::Learn),
    /// Ask, follow, verify or export the audit store.
    Audit(audit::Audit),
    /// List the agents, clients and private sessions of the running gateway, or end some.
    Relay(relay::Relay),
    /// Let clients in to services of this machine.
    Agent(agent::Agent),
    /// Join a site by a one-time token of its authority: the key is made on this machine, and stays on it.
    Join(join::Join),
    /// Reach a service of an agent.
    Connect(connect::Connect),
    /// Look at the way from here to a gateway's route, and tell what to change on it, by name of the product.
    ///
    /// Exit code 0: all is as it should be; 1: sessions work, and less well than they could; 2: no session comes about, or none
    /// lasts.
    Doctor(doctor::Doctor),
    /// The authority of your site, for agents, clients and gateways.
    Ca(ca::Ca),
    /// Print the JSON Schema of a configuration, for editors.
    Schema(schema::Schema),
    /// Print what completes commands and options in your shell.
    ///
    /// bash: wicketgate completions bash > ~/.local/share/bash-completion/completions/wicketgate
    Completions(completions::Completions),
    /// Write manual pages, one for each command.
    Man(man::Man),
    /// Print a reference in Markdown.
    #[command(hide = true)]
    Reference(reference::Reference),
}

impl Command {
    /// Runs it. An error is one that no configuration can mend, such as a full disk.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Init(init) => init.run(),
            Self::Check(check) => check.run(),
            Self::Run(run) => run.run(),
            Self::Key(key) => key.run(),
            Self::Console(console) => console.run(),
            Self::Demo(demo) => demo.run(),
            Self::Status(status) => status.run(),
            Self::Top(top) => top.run(),
            Self::SupportBundle(bundle) => bundle.run(),
            Self::Sessions(sessions) => sessions.run(),
            Self::Revoke(revoke) => revoke.run(),
            Self::TestPolicy(test) => test.run(),
            Self::Watermark(watermark) => watermark.run(),
            Self::Capture(capture) => capture.run(),
            Self::Learn(learn) => learn.run(),
            Self::Audit(audit) => audit.run(),
            Self::Relay(relay) => relay.run(),
            Self::Agent(agent) => agent.run(),
            Self::Join(join) => join.run(),
            Self::Connect(connect) => connect.run(),
            Self::Doctor(doctor) => doctor.run(),
            Self::Ca(ca) => ca.run(),
            Self::Schema(schema) => schema.run(),
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
            Self::Reference(reference) => reference.run(),
        }
    }
}

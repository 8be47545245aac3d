//! `wicketgate ca`: the site's own certificate authority for agents, clients and gateways.

mod serve;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use wicketgate_config::Time;
use wicketgate_relay::authority::{AUTHORITY_LIFETIME, Authority, Issued, PARTY_LIFETIME, serial_of};
use wicketgate_relay::enrolment::tokens::Tokens;
use wicketgate_relay::name::Role;

use super::configuration::plural;

/// The authority's files in its folder.
const CERTIFICATE: &str = "authority.pem";
const KEY: &str = "authority.key";

/// The site's own certificate authority.
#[derive(Args)]
pub(crate) struct Ca {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make the authority. Its key signs every agent, client and gateway: keep it where none of them can read it.
    Init {
        /// The site: a name in lower case, such as the domain that you own.
        site: String,
        /// The folder to make it in.
        #[arg(long, default_value = "ca", value_name = "FOLDER")]
        authority: PathBuf,
        /// How long it serves, as in 3650d.
        #[arg(long, value_name = "TIME")]
        expires: Option<Time>,
    },
    /// Make a certificate and a key for an agent, a client or a gateway, in a folder to be brought to it.
    Issue {
        /// agent, client or gateway.
        role: Role,
        /// Its name: letters, digits, `-`, `_` and `.`.
        name: String,
        /// The folder of the authority.
        #[arg(long, default_value = "ca", value_name = "FOLDER")]
        authority: PathBuf,
        /// The folder to write to; by default, one of the party's name.
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
        /// How long it serves, as in 365d.
        #[arg(long, value_name = "TIME")]
        expires: Option<Time>,
    },
    /// Make a one-time token, by which an agent or client joins by itself: `wicketgate join URL --token TOKEN` on its machine, while
    /// `wicketgate ca serve` runs here. Whoever has it can take the name: hand it over like a password.
    Token {
        /// agent or client.
        role: Role,
        /// Its name: letters, digits, `-`, `_` and `.`.
        name: String,
        /// The folder of the authority.
        #[arg(long, default_value = "ca", value_name = "FOLDER")]
        authority: PathBuf,
        /// How long the token serves, as in 1h; at most 30d.
        #[arg(long, value_name = "TIME", default_value = "1h")]
        expires: Time,
    },
    /// Let agents and clients join that have a token: dial out to a gateway, and issue certificates to those that it passes on.
    Serve(serve::Serve),
    /// Revoke certificates: the list of all that are, to be put where gateways read it (`relay.revocations.list`).
    Revoke {
        /// Their serial numbers, as `wicketgate ca issue` and `wicketgate relay endpoints` show them; or files that hold the
        /// certificates.
        #[arg(required = true, value_name = "SERIAL|FILE")]
        certificates: Vec<String>,
        /// The folder of the authority.
        #[arg(long, default_value = "ca", value_name = "FOLDER")]
        authority: PathBuf,
        /// The list, which is added to; by default, revoked.pem in the folder of the authority.
        #[arg(long, value_name = "FILE")]
        list: Option<PathBuf>,
    },
}

/// The longest that a token serves.
const MAX_TOKEN: Duration = Duration::from_secs(30 * 86_400);
/// The longest list that is read, in bytes.
const MAX_LIST: u64 = 256 << 10;

impl Ca {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Init { site, authority, expires } => {
                let lifetime = expires.map_or(AUTHORITY_LIFETIME, |Time(time)| time);
                init(&site, &authority, Authority::create(&site, lifetime)?)
            }
            Action::Issue { role: Role::Authority, .. } => {
                bail!("an authority needs no certificate of its own: `wicketgate ca serve` makes one")
            }
            Action::Issue { role, name, authority, out, expires } => {
                let issuer = open(&authority)?;
                let issued = issuer.issue(role, &name, expires.map_or(PARTY_LIFETIME, |Time(time)| time))?;
                let out = out.unwrap_or_else(|| PathBuf::from(&name));
                deliver(&authority, &out, &issued)?;
                println!(
                    "{}: spiffe://{}/{}/{name}, serial {}",
                    out.display(),
                    issuer.site(),
                    role.label(),
                    issued.serial
                );
                Ok(ExitCode::SUCCESS)
            }
            Action::Token { role, name, authority, expires: Time(lifetime) } => {
                if lifetime.is_zero() || lifetime > MAX_TOKEN {
                    bail!("a token serves for 1s to 30d");
                }
                let tokens = Tokens::of(&authority);
                let token = tokens.create(&open(&authority)?, role, &name, lifetime)?;
                // Alone on standard output, for programs.
                println!("{}", *token.reveal());
                eprintln!("a token for {}/{name}, once: wicketgate join URL --token TOKEN", role.label());
                Ok(ExitCode::SUCCESS)
            }
            Action::Serve(serve) => serve.run(),
            Action::Revoke { certificates, authority, list } => {
                let issuer = open(&authority)?;
                let list = list.unwrap_or_else(|| authority.join("revoked.pem"));
                let before = match list.exists() {
                    true => Some(
                        wicketgate_config::file::read(&list, MAX_LIST)
                            .with_context(|| format!("{} cannot be read", list.display()))?,
                    ),
                    false => None,
                };
                let serials =
                    certificates.iter().map(|named| serial(named)).collect::<anyhow::Result<_>>()?;
                let revoked = issuer
                    .revoke(before.as_deref(), serials)
                    .with_context(|| format!("{} cannot be added to", list.display()))?;
                write(&list, &revoked.pem)?;
                println!("{}: {} revoked", list.display(), plural(revoked.count, "certificate"));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// The serial number of a certificate, which is given by itself or by a file that holds it.
fn serial(named: &str) -> anyhow::Result<String> {
    if Path::new(named).exists() {
        return serial_of(&fs::read_to_string(named)?)
            .with_context(|| format!("{named} holds no certificate"));
    }
    let digits = named.to_ascii_lowercase().replace(':', "");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() || digits.len() > 40 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        bail!("`{named}` is neither a serial number in hexadecimal digits nor a file");
    }
    Ok(digits.to_owned())
}

fn init(site: &str, folder: &Path, made: Issued) -> anyhow::Result<ExitCode> {
    if folder.join(KEY).exists() {
        bail!(
            "{} holds an authority already: what it has signed would be worth nothing with another",
            folder.display()
        );
    }
    make_folder(folder)?;
    write_key(&folder.join(KEY), &made.key)?;
    write(&folder.join(CERTIFICATE), &made.certificate)?;
    println!("{}: the authority of {site}", folder.display());
    println!("next: wicketgate ca issue gateway NAME, then one for each agent and client");
    Ok(ExitCode::SUCCESS)
}

fn open(folder: &Path) -> anyhow::Result<Authority> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).with_context(|| {
            format!("{} cannot be read: `wicketgate ca init SITE` makes an authority", path.display())
        })
    };
    Ok(Authority::open(&read(CERTIFICATE)?, &read(KEY)?)?)
}

fn deliver(authority: &Path, out: &Path, issued: &Issued) -> anyhow::Result<()> {
    make_folder(out)?;
    let certificate = fs::read_to_string(authority.join(CERTIFICATE))?;
    write_key(&out.join("key.pem"), &issued.key)?;
    write(&out.join("certificate.pem"), &issued.certificate)?;
    write(&out.join("authority.pem"), &certificate)
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("{} cannot be made", folder.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Writes a key that nobody else may read, in place of none.
fn write_key(path: &Path, text: &str) -> anyhow::Result<()> {
    let file: std::io::Result<File> = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| {
        format!(
            "{} cannot be written: a key is put in place of no other; move that away first",
            path.display()
        )
    })?;
    Ok(file.write_all(text.as_bytes())?)
}

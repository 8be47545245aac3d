//! `wicketgate console`: users of the console, as lines for the configuration.

use std::io::{IsTerminal, Read, Write, stderr, stdin, stdout};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use wicketgate_config::Secret;

/// What to do with whom.
#[derive(Args)]
pub(crate) struct Console {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Ask for a password, and print the lines for `console.users` of the configuration.
    ///
    /// Where standard input is no terminal, the password is its first line. With --totp the URI for an authenticator goes to standard error.
    User(User),
}

#[derive(Args)]
struct User {
    /// The name to sign in with.
    name: String,
    /// What the user may do.
    #[arg(long, default_value = "viewer")]
    role: Role,
    /// Make a secret of one-time passwords too: signing in then takes a code of an authenticator.
    #[arg(long)]
    totp: bool,
}

/// What a user may do.
#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// See.
    Viewer,
    /// See, end sessions, and revoke.
    Operator,
    /// All of that, and see, check and reload the configuration.
    Admin,
}

/// The shortest password, in characters, as NIST SP 800-63B-4 has it where it may stand alone.
const MIN_PASSWORD: usize = 15;
/// The same beside a second factor.
const MIN_WITH_TOTP: usize = 8;
/// The longest password, in bytes.
const MAX_PASSWORD: usize = 1024;

impl Console {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Action::User(user) = self.action;
        user.make()
    }
}

impl User {
    fn make(self) -> anyhow::Result<ExitCode> {
        let is_good = self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b));
        if !is_good || self.name.is_empty() || self.name.len() > 64 {
            bail!("a name has 1 to 64 letters, digits, `-`, `_`, `.` and `@`");
        }
        let password = password()?;
        let least = if self.totp { MIN_WITH_TOTP } else { MIN_PASSWORD };
        if password.reveal().chars().count() < least || password.reveal().len() > MAX_PASSWORD {
            bail!("a password has {least} characters at least, and {MAX_PASSWORD} bytes at most");
        }
        let hash = wicketgate_console::hash(&password).context("the password cannot be hashed")?;
        let role = match self.role {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        };
        let mut lines = format!("- name: {}\n  role: {role}\n  password: {{value: \"{hash}\"}}\n", self.name);
        if self.totp {
            let secret = totp_rs::Secret::Raw(rand::random::<[u8; 20]>().to_vec()).to_encoded().to_string();
            lines.push_str(&format!("  totp: {{value: {secret}}}\n"));
            let name = &self.name;
            writeln!(stderr(), "otpauth://totp/Wicketgate:{name}?secret={secret}&issuer=Wicketgate")?;
        }
        write!(stdout(), "{lines}")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn password() -> anyhow::Result<Secret> {
    if stdin().is_terminal() {
        let first = Secret::new(rpassword::prompt_password("Password: ")?);
        if first != Secret::new(rpassword::prompt_password("Once more: ")?) {
            bail!("these are two passwords");
        }
        return Ok(first);
    }
    let mut text = String::new();
    stdin().take(MAX_PASSWORD as u64 + 2).read_to_string(&mut text).context("the password cannot be read")?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

//! Varnish: its program in VCL and how it is run.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Alpn, Plan};

pub(super) fn command(plan: &Plan<'_>) -> Result<Command> {
    let Plan { hop, dir, listen, .. } = plan;
    ensure!(hop.identity.is_none() && hop.upstream.trusted.is_none(), "Varnish speaks no TLS");
    ensure!(hop.alpn == Alpn::Http1 && hop.upstream.alpn == Alpn::Http1, "Varnish is run for HTTP/1.1 only");
    ensure!(hop.upstream.proxy_header.is_none(), "Varnish is run without a PROXY header");
    ensure!(hop.buffer_bytes.is_none(), "Varnish's buffer of a pipe is not settable");
    let program = dir.write("hop.vcl", program(plan))?;
    let mut command = Command::new(&plan.program);
    // In jails it wants a user of its own that may not enter the test's folder.
    command.args(["-F", "-j", "none", "-s", "malloc,16m", "-a", &listen.to_string()]);
    command.arg("-n").arg(dir.join("varnish")).arg("-f").arg(program);
    command.args(["-p", &format!("thread_pools={}", hop.workers)]);
    if let Some(idle) = hop.idle {
        command.args(["-p", &format!("pipe_timeout={}", idle.as_secs())]);
    }
    Ok(command)
}

/// What Varnish's documentation has of WebSockets, and nothing is kept.
fn program(plan: &Plan<'_>) -> String {
    let upstream = plan.hop.upstream.addr;
    format!(
        r#"vcl 4.1;
backend upstream {{ .host = "{}"; .port = "{}"; }}
sub vcl_recv {{
  if (req.http.Upgrade ~ "(?i)websocket") {{ return (pipe); }}
  return (pass);
}}
sub vcl_pipe {{
  if (req.http.Upgrade) {{
    set bereq.http.Upgrade = req.http.Upgrade;
    set bereq.http.Connection = req.http.Connection;
  }}
}}
"#,
        upstream.ip(),
        upstream.port()
    )
}

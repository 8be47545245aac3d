//! HAProxy: its configuration and how it is run, in HTTP and in TCP mode.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Alpn, Plan, ProxyHeader, lines};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Http,
    Tcp,
}

pub(super) fn command(plan: &Plan<'_>, mode: Mode) -> Result<Command> {
    let hop = plan.hop;
    if mode == Mode::Tcp {
        ensure!(hop.alpn == Alpn::Http1 && hop.upstream.alpn == Alpn::Http1, "TCP mode knows no HTTP/2");
    }
    let config = plan.dir.write("haproxy.cfg", hop.edited(config(plan, mode))?)?;
    let mut command = Command::new(&plan.program);
    command.arg("-db").arg("-f").arg(config);
    Ok(command)
}

fn config(plan: &Plan<'_>, mode: Mode) -> String {
    let Plan { hop, listen, .. } = plan;
    // Debian's /etc/haproxy/haproxy.cfg; HAProxy itself knows no end where none is said.
    let timeouts = match hop.idle.map(|idle| idle.as_millis()) {
        Some(idle) => {
            format!("  timeout client {idle}ms\n  timeout server {idle}ms\n  timeout tunnel {idle}ms")
        }
        None => "  timeout client 50s\n  timeout server 50s".to_owned(),
    };
    let buffers = hop.buffer_bytes.map(|bytes| format!("  tune.bufsize {bytes}")).unwrap_or_default();
    let mode_line = match mode {
        Mode::Http => {
            "  mode http\n  option forwardfor\n  http-request set-header X-Forwarded-Proto https if { ssl_fc }"
        }
        Mode::Tcp => "  mode tcp",
    };
    lines([
        "global",
        &format!("  maxconn {}", plan.sessions()),
        // Servers on the test's own machine; what OpenSSL refuses by default stays refused.
        "  ssl-server-verify required",
        &format!("  nbthread {}", hop.workers),
        &buffers,
        "listen hop",
        mode_line,
        &format!("  bind {listen}{}", bind_words(plan)),
        "  timeout connect 5s",
        &timeouts,
        &format!("  server upstream {}{}", hop.upstream.addr, server_words(plan, mode)),
    ])
}

fn bind_words(plan: &Plan<'_>) -> String {
    match (&plan.hop.identity, plan.hop.alpn) {
        (None, Alpn::Http1) => String::new(),
        (None, Alpn::Http2) => " proto h2".to_owned(),
        (Some(identity), alpn) => {
            let offered = if alpn == Alpn::Http2 { "h2,http/1.1" } else { "http/1.1" };
            format!(" ssl crt {} alpn {offered} ssl-min-ver TLSv1.2", identity.combined_file.display())
        }
    }
}

fn server_words(plan: &Plan<'_>, mode: Mode) -> String {
    let upstream = &plan.hop.upstream;
    let mut words = String::new();
    if let Some(ca) = &upstream.trusted {
        words.push_str(&format!(
            " ssl verify required verifyhost localhost sni str(localhost) ca-file {}",
            ca.display()
        ));
    }
    words.push_str(match (mode, upstream.alpn, &upstream.trusted) {
        (Mode::Tcp, ..) | (Mode::Http, Alpn::Http1, None) => "",
        (Mode::Http, Alpn::Http1, Some(_)) => " alpn http/1.1",
        (Mode::Http, Alpn::Http2, Some(_)) => " alpn h2 ws h2",
        (Mode::Http, Alpn::Http2, None) => " proto h2 ws h2",
    });
    words.push_str(match upstream.proxy_header {
        None => "",
        Some(ProxyHeader::V1) => " send-proxy",
        Some(ProxyHeader::V2) => " send-proxy-v2",
    });
    words
}

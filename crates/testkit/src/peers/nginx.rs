//! nginx: its configuration and how it is run, with ModSecurity or without.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::{Alpn, Plan};

/// Debian's package libnginx-mod-http-modsecurity.
const MODSECURITY: &str = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so";
/// The OWASP Core Rule Set as Debian's package modsecurity-crs has it, and it refuses what it finds.
const CORE_RULE_SET: &str = "SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecAuditEngine Off
Include /etc/modsecurity/crs/crs-setup.conf
Include /usr/share/modsecurity-crs/rules/*.conf
";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    None,
    CoreRuleSet,
}

pub(super) fn command(plan: &Plan<'_>, rules: Rules) -> Result<Command> {
    let Plan { hop, dir, .. } = plan;
    ensure!(hop.upstream.alpn == Alpn::Http1, "nginx speaks HTTP/1.1 to its upstreams");
    ensure!(hop.upstream.proxy_header.is_none(), "nginx's HTTP module sends no PROXY header");
    let modsecurity = match rules {
        Rules::None => Modsecurity::default(),
        Rules::CoreRuleSet => {
            ensure!(Path::new(MODSECURITY).exists(), "{MODSECURITY} is not there: run `cargo xtask peers`");
            let rules = dir.write("rules.conf", CORE_RULE_SET)?;
            Modsecurity {
                load: format!("load_module {MODSECURITY};"),
                on: format!("modsecurity on; modsecurity_rules_file {};", rules.display()),
            }
        }
    };
    let config = dir.write("nginx.conf", hop.edited(config(plan, &modsecurity))?)?;
    let mut command = Command::new(&plan.program);
    command.arg("-c").arg(config).arg("-p").arg(dir.path()).args(["-e", "stderr"]);
    Ok(command)
}

/// What is said of the module, and where.
#[derive(Default)]
struct Modsecurity {
    load: String,
    on: String,
}

fn config(plan: &Plan<'_>, modsecurity: &Modsecurity) -> String {
    let Plan { hop, listen, .. } = plan;
    let tls = match &hop.identity {
        Some(identity) => format!(
            "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;",
            identity.certificate_file.display(),
            identity.key_file.display()
        ),
        None => String::new(),
    };
    let listen_words = match (&hop.identity, hop.alpn) {
        (None, Alpn::Http1) => "",
        (None, Alpn::Http2) => " http2",
        (Some(_), Alpn::Http1) => " ssl",
        (Some(_), Alpn::Http2) => " ssl http2",
    };
    // With one listening socket for all, the first worker to wake takes most of the connections.
    let balanced = if hop.workers > 1 { " reuseport" } else { "" };
    let (scheme, trust) = match &hop.upstream.trusted {
        Some(ca) => (
            "https",
            format!(
                "proxy_ssl_verify on; proxy_ssl_trusted_certificate {}; proxy_ssl_name localhost; proxy_ssl_server_name on;",
                ca.display()
            ),
        ),
        None => ("http", String::new()),
    };
    let buffers = match hop.buffer_bytes {
        Some(bytes) => format!(
            "proxy_buffer_size {bytes}; proxy_buffers 8 {bytes}; proxy_busy_buffers_size {};",
            2 * bytes
        ),
        None => String::new(),
    };
    let timeouts = match hop.idle.map(|idle| idle.as_secs()) {
        Some(idle) => format!("proxy_read_timeout {idle}s; proxy_send_timeout {idle}s;"),
        None => String::new(),
    };
    // A worker of a master that is root would be `nobody`, who may not enter the test's folder.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "{load} daemon off; {user} pid nginx.pid; error_log stderr warn; worker_processes {workers}; worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream backend {{ server {upstream}; keepalive 64; }}
  server {{
    listen {listen}{listen_words}{balanced}; {tls} client_max_body_size 0; {modsecurity}
    location / {{
      proxy_pass {scheme}://backend; proxy_http_version 1.1; {trust}
      proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      {timeouts} proxy_request_buffering off; {buffers}
    }}
  }}
}}
",
        workers = hop.workers,
        files = plan.open_files,
        connections = 2 * plan.sessions(),
        upstream = hop.upstream.addr,
        load = modsecurity.load,
        modsecurity = modsecurity.on,
    )
}

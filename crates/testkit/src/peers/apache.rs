//! Apache httpd: its configuration and how it is run.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Alpn, Plan, lines};

/// Where Debian's package apache2-bin has them.
const MODULES: &str = "/usr/lib/apache2/modules";
/// Those that a reverse proxy needs.
const WANTED: [&str; 7] =
    ["mpm_event", "authz_core", "headers", "proxy", "proxy_http", "socache_shmcb", "ssl"];
/// Threads of a worker process: that many connections it carries.
const THREADS: u16 = 64;

pub(super) fn command(plan: &Plan<'_>) -> Result<Command> {
    let hop = plan.hop;
    ensure!(hop.alpn == Alpn::Http1 && hop.upstream.alpn == Alpn::Http1, "Apache is run for HTTP/1.1 only");
    ensure!(hop.upstream.proxy_header.is_none(), "Apache sends no PROXY header");
    let config = plan.dir.write("httpd.conf", config(plan))?;
    let mut command = Command::new(&plan.program);
    command.arg("-d").arg(plan.dir.path()).arg("-f").arg(config).arg("-DFOREGROUND");
    Ok(command)
}

fn config(plan: &Plan<'_>) -> String {
    let Plan { hop, dir, listen, .. } = plan;
    let modules =
        WANTED.map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n")).into_iter();
    let modules: String = modules.collect();
    // It refuses to serve as root.
    let user = if rustix::process::geteuid().is_root() { "User www-data\nGroup www-data" } else { "" };
    let tls = match &hop.identity {
        Some(identity) => format!(
            "SSLEngine on\nSSLCertificateFile {}\nSSLCertificateKeyFile {}\nRequestHeader set X-Forwarded-Proto https",
            identity.certificate_file.display(),
            identity.key_file.display()
        ),
        None => String::new(),
    };
    let (url, trust) = match &hop.upstream.trusted {
        Some(ca) => (
            format!("https://localhost:{}/", hop.upstream.addr.port()),
            format!("SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyCACertificateFile {}", ca.display()),
        ),
        None => (format!("http://{}/", hop.upstream.addr), String::new()),
    };
    let buffers = match hop.buffer_bytes {
        Some(bytes) => format!("ReadBufferSize {bytes}\nProxyIOBufferSize {bytes}"),
        None => String::new(),
    };
    let timeouts = match hop.idle.map(|idle| idle.as_secs()) {
        Some(idle) => format!("Timeout {idle}\nProxyTimeout {idle}"),
        None => String::new(),
    };
    lines([
        &*modules,
        &format!("PidFile {}", dir.join("httpd.pid").display()),
        "ErrorLog /dev/stderr\nLogLevel warn\nServerName localhost",
        user,
        &format!("StartServers {0}\nServerLimit {0}\nThreadsPerChild {THREADS}", hop.workers),
        &format!("MaxRequestWorkers {}", hop.workers * THREADS),
        &format!("Listen {listen}"),
        tls.as_str(),
        &trust,
        &timeouts,
        &buffers,
        "ProxyPreserveHost on",
        &format!("ProxyPass / {url} upgrade=websocket"),
    ])
}

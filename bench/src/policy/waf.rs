//! The same messages before libmodsecurity with the OWASP Core Rule Set, as Debian has both: in nginx, as the body of a request.
//!
//! What nginx itself and HTTP cost is taken away: the same requests are measured without the module.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};

use super::guard::HOSTILE;
use super::messages::{chat, filled};
use super::steps::{judge_any, policy};

/// How long requests are counted.
const TURN: Duration = Duration::from_secs(2);
const RULES: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 1048576
SecAuditEngine Off
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
Include /etc/modsecurity/crs/crs-setup.conf
Include /usr/share/modsecurity-crs/rules/*.conf
"#;
/// What a static file answers to a POST: the request went through everything before.
const PASSED: u16 = 405;
const REFUSED: u16 = 403;

/// Measures ordinary and hostile messages, and gives the table.
pub(super) fn run() -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    let start = |rules| {
        runtime
            .block_on(Nginx::start(rules))
            .context("nginx with libmodsecurity (Debian: libnginx-mod-http-modsecurity, modsecurity-crs)")
    };
    let (plain, guarded) = (start(false)?, start(true)?);
    let judged = policy("{guard: {}}")?;
    let mut text = String::from(
        "| message | bytes | JSON and guard, ns | libmodsecurity with CRS, ns | times |\n|---|---:|---:|---:|---:|\n",
    );
    let ordinary = [256, 1024].map(|size| ("JSON of a chat", chat(size), false));
    let hostile =
        HOSTILE.map(|(what, line)| (what, json!({"type": "message", "text": filled(line, 256)}), true));
    for (what, message, is_hostile) in ordinary.into_iter().chain(hostile) {
        let message = message.to_string();
        let own = judge_any(&judged, message.as_bytes())?;
        let (without, status) = plain.cost(&message)?;
        ensure!(status == PASSED, "nginx alone answers {status}");
        let (with, status) = guarded.cost(&message)?;
        ensure!(is_hostile || status == PASSED, "an ordinary message is answered {status}");
        let theirs = with - without;
        let answer = if status == REFUSED { ", refused by CRS" } else { "" };
        let what = if is_hostile { format!("hostile: {what}{answer}") } else { what.to_owned() };
        writeln!(text, "| {what} | {} | {own:.0} | {theirs:.0} | {:.0} |", message.len(), theirs / own)?;
    }
    Ok(text)
}

struct Nginx {
    process: Process,
    port: Port,
    _folder: Dir,
}

impl Nginx {
    async fn start(rules: bool) -> Result<Self> {
        let (folder, port) = (Dir::new()?, Port::free()?);
        let rules_file = folder.write("rules.conf", RULES)?;
        let (module, on) = match rules {
            true => (
                "load_module /usr/lib/nginx/modules/ngx_http_modsecurity_module.so;",
                format!("modsecurity on; modsecurity_rules_file {};", rules_file.display()),
            ),
            false => ("", String::new()),
        };
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "{module} daemon off; {user} pid nginx.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{ listen {}; root {}; {on} }}
}}
",
            port.addr(),
            folder.path().display()
        );
        folder.write("message", "")?;
        let config = folder.write("nginx.conf", config)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(config).arg("-p").arg(folder.path()).args(["-e", "stderr"]);
        let process = Process::spawn(command, Ready::port(port.addr())).await?;
        Ok(Self { process, port, _folder: folder })
    }

    /// CPU time of a request with this message, in nanoseconds, and its answer.
    fn cost(&self, message: &str) -> Result<(f64, u16)> {
        let request = format!(
            "POST /message HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{message}",
            message.len()
        );
        let mut stream = TcpStream::connect(self.port.addr())?;
        stream.set_nodelay(true)?;
        let status = answer(&mut stream, &request)?;
        let (start, before, mut count) = (Instant::now(), self.process.usage()?, 0);
        while start.elapsed() < TURN {
            ensure!(answer(&mut stream, &request)? == status, "the answer changed");
            count += 1;
        }
        let used = (self.process.usage()? - before).cpu();
        Ok((used.as_nanos() as f64 / f64::from(count), status))
    }
}

/// Sends a request, and reads its whole answer.
fn answer(stream: &mut TcpStream, request: &str) -> Result<u16> {
    stream.write_all(request.as_bytes())?;
    let (mut got, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "nginx closed the connection");
        got.extend_from_slice(&piece[..count]);
        let Some(head) = got.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&got[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("an answer without a length")?.trim().parse()?;
        if got.len() >= head + 4 + length {
            return text.split(' ').nth(1).context("a status")?.parse().context("a status");
        }
    }
}

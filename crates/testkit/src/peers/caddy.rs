//! Caddy: its JSON configuration and how it is run.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Alpn, Plan, ProxyHeader};

pub(super) fn command(plan: &Plan<'_>) -> Result<Command> {
    ensure!(plan.hop.upstream.alpn == Alpn::Http1, "Caddy upgrades to WebSocket over HTTP/1.1 only");
    let config = plan.dir.write("caddy.json", config(plan).to_string())?;
    let mut command = Command::new(&plan.program);
    command.args(["run", "--config"]).arg(config);
    // Caddy keeps state below these; Go starts as many threads as it is told.
    for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(name, plan.dir.path());
    }
    command.env("GOMAXPROCS", plan.hop.workers.to_string());
    // Go's HTTP/2 server does not offer extended CONNECT (RFC 8441) unless told.
    command.env("GODEBUG", "http2xconnect=1");
    Ok(command)
}

fn config(plan: &Plan<'_>) -> Value {
    let Plan { hop, listen, .. } = plan;
    let mut transport = json!({"protocol": "http", "versions": ["1.1"]});
    if let Some(ca) = &hop.upstream.trusted {
        transport["tls"] = json!({"server_name": "localhost", "ca": {"provider": "file", "pem_files": [ca]}});
    }
    if let Some(header) = hop.upstream.proxy_header {
        transport["proxy_protocol"] = json!(match header {
            ProxyHeader::V1 => "v1",
            ProxyHeader::V2 => "v2",
        });
    }
    if let Some(bytes) = hop.buffer_bytes {
        transport["read_buffer_size"] = json!(bytes);
        transport["write_buffer_size"] = json!(bytes);
    }
    let protocols = match (hop.alpn, &hop.identity) {
        (Alpn::Http1, _) => json!(["h1"]),
        (Alpn::Http2, Some(_)) => json!(["h1", "h2"]),
        (Alpn::Http2, None) => json!(["h1", "h2c"]),
    };
    let mut server = json!({
        "listen": [listen.to_string()],
        "protocols": protocols,
        "automatic_https": {"disable": true},
        "routes": [{"handle": [{
            "handler": "reverse_proxy",
            "upstreams": [{"dial": hop.upstream.addr.to_string()}],
            "transport": transport,
            // Without these a WebSocket outlives the server that is asked to end.
            "stream_close_delay": "0s",
        }]}],
    });
    let mut apps = json!({});
    if let Some(identity) = &hop.identity {
        server["tls_connection_policies"] = json!([{}]);
        apps["tls"] = json!({"certificates": {"load_files": [
            {"certificate": identity.certificate_file, "key": identity.key_file}
        ]}});
    }
    apps["http"] = json!({"grace_period": "1s", "servers": {"hop": server}});
    json!({
        "admin": {"disabled": true, "config": {"persist": false}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": apps,
    })
}

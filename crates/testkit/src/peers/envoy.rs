//! Envoy: its configuration (JSON, which it takes as YAML) and how it is run.

use std::{net::SocketAddr, path::Path, process::Command};

use anyhow::Result;
use serde_json::{Value, json};

use super::{Alpn, Plan, ProxyHeader};
use crate::tls::Identity;

const TYPES: &str = "type.googleapis.com/envoy.extensions";

pub(super) fn command(plan: &Plan<'_>) -> Result<Command> {
    let config = plan.dir.write("envoy.yaml", config(plan).to_string())?;
    let mut command = Command::new(&plan.program);
    command.arg("-c").arg(config).arg("--concurrency").arg(plan.hop.workers.to_string());
    command.args(["--disable-hot-restart", "--log-level", "warn"]);
    Ok(command)
}

fn config(plan: &Plan<'_>) -> Value {
    let Plan { hop, listen, .. } = plan;
    let mut manager = json!({
        "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "hop",
        "codec_type": if hop.alpn == Alpn::Http2 { "AUTO" } else { "HTTP1" },
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http2_protocol_options": {"allow_connect": true},
        "use_remote_address": true,
        "http_filters": [{
            "name": "router",
            "typed_config": {"@type": format!("{TYPES}.filters.http.router.v3.Router")},
        }],
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [
                {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}},
            ],
        }]},
    });
    if let Some(idle) = hop.idle {
        manager["stream_idle_timeout"] = json!(format!("{}s", idle.as_secs()));
    }
    let mut chain = json!({"filters": [{"name": "http", "typed_config": manager}]});
    if let Some(identity) = &hop.identity {
        chain["transport_socket"] = downstream_tls(identity, hop.alpn);
    }
    let mut listener = json!({"name": "hop", "address": address(*listen), "filter_chains": [chain]});
    let mut cluster = cluster(plan);
    if let Some(bytes) = hop.buffer_bytes {
        listener["per_connection_buffer_limit_bytes"] = json!(bytes);
        cluster["per_connection_buffer_limit_bytes"] = json!(bytes);
    }
    json!({"static_resources": {"listeners": [listener], "clusters": [cluster]}})
}

fn cluster(plan: &Plan<'_>) -> Value {
    let upstream = &plan.hop.upstream;
    let protocol = match upstream.alpn {
        Alpn::Http1 => json!({"http_protocol_options": {}}),
        Alpn::Http2 => json!({"http2_protocol_options": {"allow_connect": true}}),
    };
    let mut cluster = json!({
        "name": "upstream",
        "type": "STATIC",
        "connect_timeout": "5s",
        // The defaults stop at 1,024 connections.
        "circuit_breakers": {"thresholds": [
            {"max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536}
        ]},
        "load_assignment": {"cluster_name": "upstream", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(upstream.addr)}}]}
        ]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": format!("{TYPES}.upstreams.http.v3.HttpProtocolOptions"),
            "explicit_http_config": protocol,
        }},
    });
    let socket = match &upstream.trusted {
        Some(ca) => upstream_tls(ca, upstream.alpn),
        None => json!({
            "name": "envoy.transport_sockets.raw_buffer",
            "typed_config": {"@type": format!("{TYPES}.transport_sockets.raw_buffer.v3.RawBuffer")},
        }),
    };
    cluster["transport_socket"] = match upstream.proxy_header {
        None => socket,
        Some(header) => json!({
            "name": "envoy.transport_sockets.upstream_proxy_protocol",
            "typed_config": {
                "@type": format!("{TYPES}.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport"),
                "config": {"version": match header { ProxyHeader::V1 => "V1", ProxyHeader::V2 => "V2" }},
                "transport_socket": socket,
            },
        }),
    };
    cluster
}

fn upstream_tls(ca: &Path, alpn: Alpn) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("{TYPES}.transport_sockets.tls.v3.UpstreamTlsContext"),
            "sni": "localhost",
            "common_tls_context": {
                "alpn_protocols": [if alpn == Alpn::Http2 { "h2" } else { "http/1.1" }],
                "validation_context": {"trusted_ca": {"filename": ca}},
            },
        },
    })
}

fn downstream_tls(identity: &Identity, alpn: Alpn) -> Value {
    let offered = if alpn == Alpn::Http2 { json!(["h2", "http/1.1"]) } else { json!(["http/1.1"]) };
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"),
            "common_tls_context": {
                "alpn_protocols": offered,
                "tls_certificates": [{
                    "certificate_chain": {"filename": identity.certificate_file},
                    "private_key": {"filename": identity.key_file},
                }],
            },
        },
    })
}

fn address(addr: SocketAddr) -> Value {
    json!({"socket_address": {"address": addr.ip().to_string(), "port_value": addr.port()}})
}

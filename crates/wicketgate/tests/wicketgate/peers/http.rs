//! Plain HTTP in all its forms through the gateway: streamed bodies, trailers, 100-continue, HEAD, 304, events; every
//! version and transport on the client's side with every one on the upstream's.

use super::{
    Front,
    clients::{backend, command, succeeds},
};

#[tokio::test]
async fn every_version_to_every_version() {
    let front = Front::new();
    let (backend, ports) = backend(&front, "http_backend.js").await;
    let ca = front.authority.ca_file();
    let ca = ca.display();
    let mut rest = String::from("log: {access: off}\nupstreams:\n");
    let mut routes = String::from("routes:\n");
    let names = ["h1", "h1-tls", "h2", "h2-tls"];
    for (name, port) in names.iter().zip(&ports) {
        let scheme = if name.ends_with("tls") { "https" } else { "http" };
        let tls = if scheme == "https" { format!(", tls: {{ca: {ca}}}") } else { String::new() };
        let protocol = if name.starts_with("h2") { "h2" } else { "http/1.1" };
        rest += &format!(
            "  - {{name: {name}, protocol: {protocol}, targets: [\"{scheme}://localhost:{port}\"]{tls}}}\n"
        );
        routes += &format!(
            "  - {{name: {name}, match: {{path: /{name}/*}}, rewrite: {{strip_prefix: /{name}}}, upstream: {name}, max_request_body: 32MiB}}\n"
        );
    }
    let gateway = front.start(&(rest + &routes)).await;
    let (plain, secure) = (front.plain.addr(), front.secure.addr());
    let clients = [("http", plain, 1), ("https", secure, 1), ("http", plain, 2), ("https", secure, 2)];
    let job = |(scheme, addr, version), name: &str| {
        format!("{{\"url\": \"{scheme}://{addr}\", \"version\": {version}, \"prefix\": \"/{name}\"}}")
    };
    let jobs: Vec<String> =
        clients.into_iter().flat_map(|client| names.map(|name| job(client, name))).collect();
    let mut client = command(&front, "http_client.js");
    client.arg(format!("[{}]", jobs.join(",")));
    succeeds(client, "plain HTTP").await;
    drop((gateway, backend));
}

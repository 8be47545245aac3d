//! `wicketgate init`, `check` and `run`, one after the other, before a real backend.

use std::{path::Path, process::Command};

use wicketgate_testkit::{
    dir::Dir,
    ports::Port,
    process::{Process, Ready},
    raw::{Endpoint, RawClient},
};

use super::{
    BINARY, Front,
    clients::{backend, command, succeeds},
};

fn wicketgate(folder: &Path, word: &str) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).arg(word);
    command
}

async fn asked(admin: &Endpoint, path: &str) -> (u16, String) {
    let mut operator = RawClient::connect(admin).await.unwrap();
    operator.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let (head, body) = operator.response().await.unwrap();
    (head.status().unwrap(), String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn the_starter_serves_a_real_backend() {
    let (front, folder) = (Front::new(), Dir::new().unwrap());
    let (backend, ports) = backend(&front, "echo_websockets.py").await;
    let (listener, admin) = (Port::free().unwrap(), Port::free().unwrap());
    assert!(wicketgate(folder.path(), "init").status().unwrap().success());
    // The starter's own ports may be in use where the tests run.
    let starter = std::fs::read_to_string(folder.join("wicketgate.yaml")).unwrap();
    let own = [
        ("127.0.0.1:8080", listener.addr().to_string()),
        ("127.0.0.1:9000", format!("127.0.0.1:{}", ports[0])),
        ("127.0.0.1:9090", admin.addr().to_string()),
    ];
    let config = own.iter().fold(starter, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    folder.write("wicketgate.yaml", config).unwrap();
    assert!(wicketgate(folder.path(), "check").status().unwrap().success());
    let ready = Ready::Ports(vec![listener.addr(), admin.addr()]);
    let gateway = Process::spawn(wicketgate(folder.path(), "run"), ready).await.unwrap();

    let mut client = command(&front, "client_websockets.py");
    client.arg(format!("[{{\"url\": \"ws://{}/chat\", \"deflate\": true}}]", listener.addr()));
    succeeds(client, "a client of the starter").await;

    let admin = Endpoint::plain(admin.addr());
    assert_eq!(asked(&admin, "/healthz").await.0, 200);
    assert_eq!(asked(&admin, "/readyz").await.0, 200);
    let (status, metrics) = asked(&admin, "/metrics").await;
    assert!(status == 200 && metrics.contains("everything"), "{metrics}");
    let output = gateway.output();
    assert!(output.contains("kind=\"session\"") && output.contains("/chat"), "{output}");
    assert!(gateway.stop().await.unwrap().success());
    drop(backend);
}

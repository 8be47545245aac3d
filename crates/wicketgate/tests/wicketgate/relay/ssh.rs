//! The example: ssh and scp through nginx that ends TLS, and the gateway killed in the middle of a file.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};

use super::BINARY;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_carries_ssh_and_a_file_whose_gateway_is_killed() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/relay/try.sh");
    let [gateway, wall, sshd] = [(); 3].map(|()| Port::free().unwrap());
    let size = if std::env::var_os("WICKETGATE_TEST_ALL").is_some() { "1024" } else { "64" };
    let mut command = Command::new(example);
    command.env("WICKETGATE", BINARY).env("SIZE_MIB", size);
    for (name, port) in [("GATEWAY", &gateway), ("WALL", &wall), ("SSHD", &sshd)] {
        command.env(name, port.addr().port().to_string());
    }
    let example =
        Process::spawn_within(command, Ready::Line("the checksum holds".into()), Duration::from_secs(300));
    let (status, said) = example.await.unwrap().finish(Duration::from_secs(30)).await.unwrap();
    assert!(
        status.success() && said.contains("ssh works") && said.contains("resumed over websocket"),
        "{said}"
    );
}

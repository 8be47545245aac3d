//! Rules that apply at some times: who is in when one ends is out.

use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use wicketgate_testkit::process::Process;

use super::{PATIENCE, Site, echo};

/// How late a session may end.
const LATE: Duration = Duration::from_secs(2);

/// `HH:MM:SS` by UTC, and how long until then: at least this many seconds from now.
fn soon(seconds: u64) -> (String, Duration) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let end = now.as_secs() + seconds + 1;
    let second = end % 86_400;
    let text = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    (text, Duration::from_secs(end) - now)
}

/// A time of every day that has begun, and ends at this moment.
fn window(end: &str) -> String {
    // Of the day before, too, where it has just begun.
    let (start, _) = soon(43_200);
    format!("times: \"{start}-{end}\", timezone: UTC")
}

/// Sees that a connection carries bytes, and that it ends when the window does.
async fn ends(address: std::net::SocketAddr, in_: Duration, client: &Process) {
    let end = Instant::now() + in_;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    timeout(PATIENCE, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(&back, b"hello");
    let over = timeout(PATIENCE, stream.read(&mut back)).await.unwrap();
    assert!(matches!(over, Ok(0) | Err(_)));
    let now = Instant::now();
    assert!(now >= end, "{:?} too early: {}", end - now, client.output());
    assert!(now < end + LATE, "{:?} too late: {}", now - end, client.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_time_of_its_rule_at_the_gateway() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (end, left) = soon(6);
    let begun = Instant::now();
    let access = format!("access: [{{clients: alice, agents: office, services: echo, {}}}]", window(&end));
    let _gateway = site.start_with(&access).await;
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    ends(address, left.saturating_sub(begun.elapsed()), &client).await;
    client.line("forbidden", PATIENCE).await.unwrap();
    let told = site.refused("alice", "office", "echo");
    assert!(told.contains("or none for this time"), "{told}");
    assert_eq!(agent.lines_with("invited"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_time_of_its_rule_at_the_agent() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let (end, left) = soon(6);
    let begun = Instant::now();
    let agent = format!(
        "services: {{echo: {service}}}\naccess: [{{clients: alice, services: echo, {}}}]",
        window(&end)
    );
    let _agent = site.agent_with(&way, &agent).await;
    let (client, address) = site.client(&way, "echo").await;
    ends(address, left.saturating_sub(begun.elapsed()), &client).await;
    client.line("forbidden", PATIENCE).await.unwrap();
    // The gateway opens a session, and the agent no stream in it.
    let (client, address) = site.client(&way, "echo").await;
    assert!(super::refusals::refuses(address).await);
    client.line("the agent does not let alice reach `echo`", PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_begins_with_its_time_and_without_a_restart() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (start, left) = soon(4);
    let begun = Instant::now();
    let (end, _) = soon(43_200);
    let access = format!(
        "access: [{{clients: alice, agents: office, services: echo, times: \"{start}-{end}\", timezone: UTC}}]"
    );
    let _gateway = site.start_with(&access).await;
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    let told = site.refused("alice", "office", "echo");
    assert!(told.contains("or none for this time"), "{told}");
    tokio::time::sleep(left.saturating_sub(begun.elapsed()) + Duration::from_millis(10)).await;
    let (_client, address) = site.client(&way, "echo").await;
    super::echoes(address, 1000, 1).await;
}

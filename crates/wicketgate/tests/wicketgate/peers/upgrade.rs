//! An upgrade by SIGUSR2 with live sessions: whoever need not end does not, and whoever comes is served.

use std::time::Duration;

use tokio::sync::watch;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::process::{Signal, raise_open_files};
use wicketgate_testkit::raw::EchoBackend;

use super::load::{Fate, Load};
use super::reload::visit;
use super::{BINARY, Front, all, one_route};

/// Between two messages of one session: 2,000 send 2,000 a second.
const PACE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_ends_no_session_that_need_not_end_and_refuses_nobody() {
    // How many are open, and how long they may take to go.
    let (count, drain) =
        if all("an upgrade with 2,000 sessions in place of 200") { (2_000, 30) } else { (200, 16) };
    let (front, backend, folder) = (Front::new(), EchoBackend::start().await.unwrap(), Dir::new().unwrap());
    let config = front.config(&one_route(backend.addr().unwrap(), ""));
    let handover = folder.join("handover");
    let config =
        format!("{config}runtime: {{handover: {}}}\ndrain: {{timeout: {drain}s}}\n", handover.display());
    raise_open_files().unwrap();
    let gateway = Gateway::start(BINARY, &config, front.ready()).await.unwrap();
    let open = async |count| {
        let mut load = Load::none().pace(PACE);
        for _ in 0..count {
            load.open(&front.ws(), "/keep").await;
        }
        load
    };
    // What is offered to a successor follows a reload.
    for _ in 0..3 {
        gateway.reload(&config, "configuration reloaded").await.unwrap();
    }
    let (leave, stay) = (open(count / 2).await, open(count / 2).await);
    let (enough, stop) = watch::channel(false);
    let visits = tokio::spawn(visit(front.ws(), front.wss(), stop));

    gateway.process().signal(Signal::USR2).unwrap();
    gateway.log("a new process serves now").await.unwrap();
    // For the first half of the drain time nobody is told anything.
    leave.round().await;
    stay.round().await;
    assert!(backend.open_sessions() >= count, "{} of {count}", backend.open_sessions());
    leave.finish().await.all(count / 2, Fate::Finished);
    gateway.log(&format!("s left sessions={}", count / 2)).await.unwrap();
    // Then whoever is left, not all at once.
    let fates = stay.ended().await;
    fates.all(count / 2, Fate::Closed(1012));
    assert!(fates.spread() > Duration::from_secs(1), "{:?}", fates.spread());
    gateway.log("drained").await.unwrap();
    // They come again, and nobody was refused meanwhile.
    let again = open(count / 2).await;
    again.round().await;
    enough.send_replace(true);
    assert!(visits.await.unwrap() > 10);
    again.finish().await.all(count / 2, Fate::Finished);
}

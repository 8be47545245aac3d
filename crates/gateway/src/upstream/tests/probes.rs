//! Probes, ejection, and what happens when nobody is left.

use std::sync::atomic::AtomicBool;

use tokio::io::AsyncWriteExt;
use wicketgate_config::Toggle;

use super::*;
use crate::upstream::config::AllUnhealthy;
use crate::upstream::health::config::{ProbeKind, RawActive, RawPassive};

/// A server that is well as long as `well` says so, for probes of both kinds; it tells what a probe's WebSocket said last.
async fn patient(well: &Arc<AtomicBool>) -> (Server, tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
    let (sender, said) = tokio::sync::mpsc::unbounded_channel();
    let well = well.clone();
    let server = Server::new(move |mut stream, _| {
        let (well, sender) = (well.clone(), sender.clone());
        async move {
            let head = read_head(&mut stream).await;
            assert!(head.starts_with("GET /healthz HTTP/1.1\r\n"), "{head}");
            let answer = match (well.load(SeqCst), header(&head, "upgrade")) {
                (true, Some(_)) => switching(&head, ""),
                (true, None) => "HTTP/1.1 204 No Content\r\n\r\n".into(),
                (false, _) => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".into(),
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            if answer.starts_with("HTTP/1.1 101") {
                let mut frame = vec![0; 8];
                stream.read_exact(&mut frame).await.unwrap();
                sender.send(frame).unwrap();
            }
        }
    })
    .await;
    (server, said)
}

fn after(failures: u32) -> Toggle<RawPassive> {
    Toggle::On(RawPassive { failures: At::nowhere(failures), ..RawPassive::default() })
}

fn probing(kind: ProbeKind) -> RawActive {
    RawActive {
        kind,
        path: At::nowhere("/healthz".into()),
        interval: ms(5),
        timeout: ms(5000),
        healthy_after: At::nowhere(2),
        unhealthy_after: At::nowhere(2),
        ..RawActive::default()
    }
}

#[tokio::test]
async fn probes_of_both_kinds_find_out() {
    for kind in [ProbeKind::Http, ProbeKind::Websocket] {
        let well = Arc::new(AtomicBool::new(true));
        let (server, mut said) = patient(&well).await;
        let upstream = upstream(&[server.url()], |raw| raw.health.active = Some(probing(kind)));
        let target = upstream.targets()[0].clone();
        eventually(|| server.accepted() > 2).await;
        assert!(target.is_healthy());
        well.store(false, SeqCst);
        eventually(|| !target.is_healthy()).await;
        assert!(target.counters().failed_probes.load(SeqCst) >= 2);
        let error = open(&upstream).await.err().unwrap();
        assert_eq!((error.label(), error.status().as_u16()), ("no_healthy_target", 503));
        well.store(true, SeqCst);
        eventually(|| target.is_healthy()).await;
        if kind == ProbeKind::Websocket {
            let frame = soon(said.recv()).await.unwrap();
            let [opcode, length, a, b, _, _, high, low] = frame[..] else { panic!("{frame:?}") };
            assert_eq!((opcode, length, u16::from_be_bytes([high ^ a, low ^ b])), (0x88, 0x82, 1000));
        }
    }
}

#[tokio::test]
async fn a_probe_that_gets_no_answer_has_failed() {
    let server = Server::new(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream.read_u8().await;
    })
    .await;
    let active = RawActive { timeout: ms(20), ..probing(ProbeKind::Http) };
    let upstream = upstream(&[server.url()], |raw| raw.health.active = Some(active));
    eventually(|| !upstream.targets()[0].is_healthy()).await;
}

#[tokio::test]
async fn probes_end_with_the_upstream() {
    let well = Arc::new(AtomicBool::new(true));
    let (server, _said) = patient(&well).await;
    let upstream = upstream(&[server.url()], |raw| raw.health.active = Some(probing(ProbeKind::Http)));
    eventually(|| server.accepted() > 1).await;
    let target = Arc::downgrade(&upstream.targets()[0]);
    drop(upstream);
    eventually(|| target.strong_count() == 0).await;
}

#[tokio::test]
async fn failures_in_a_row_eject_and_time_heals() {
    let down = closed_url();
    let server = Server::new(|mut stream, _| async move {
        let head = read_head(&mut stream).await;
        stream.write_all(switching(&head, "").as_bytes()).await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let upstream = upstream(&[down, server.url()], |raw| {
        raw.health.passive =
            Toggle::On(RawPassive { ejection: ms(300), failures: At::nowhere(3), ..RawPassive::default() });
    });
    let ejected = upstream.targets()[0].clone();
    for _ in 0..5 {
        open_websocket(&upstream).await;
    }
    assert!(!ejected.is_healthy());
    let failures = ejected.counters().failures.load(SeqCst);
    assert_eq!((failures, ejected.counters().ejections.load(SeqCst)), (3, 1));
    open_websocket(&upstream).await;
    assert_eq!(ejected.counters().failures.load(SeqCst), failures, "an ejected target was tried");
    eventually(|| ejected.is_healthy()).await;
}

#[tokio::test]
async fn no_more_are_ejected_than_allowed() {
    let urls = [closed_url(), closed_url(), closed_url()];
    let three = upstream(&urls, |raw| raw.health.passive = after(1));
    for _ in 0..6 {
        assert_eq!(open(&three).await.err().unwrap().label(), "refused");
    }
    assert_eq!(three.targets().iter().filter(|target| !target.is_healthy()).count(), 1);
    let alone = upstream(&urls[..1], |raw| raw.health.passive = after(1));
    for _ in 0..3 {
        assert_eq!(open(&alone).await.err().unwrap().label(), "refused");
    }
}

#[tokio::test]
async fn a_5xx_counts_only_where_configured() {
    let server = Server::new(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ =
            stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    })
    .await;
    for count_5xx in [false, true] {
        let upstream = upstream(&[server.url()], |raw| {
            raw.health.passive = Toggle::On(RawPassive {
                failures: At::nowhere(2),
                max_ejected_percent: At::nowhere(100),
                count_5xx,
                ..RawPassive::default()
            });
        });
        for _ in 0..2 {
            let response = soon(upstream.send_any(get("/"), Affinity::none())).await.unwrap();
            assert_eq!(response.status(), 500);
        }
        assert_eq!(upstream.targets()[0].is_healthy(), !count_5xx);
    }
}

#[tokio::test]
async fn where_all_are_unhealthy_the_configuration_decides() {
    let url = closed_url();
    for (policy, label) in [(AllUnhealthy::Refuse, "no_healthy_target"), (AllUnhealthy::TryAny, "refused")] {
        let upstream = upstream(std::slice::from_ref(&url), |raw| {
            raw.health.active = Some(probing(ProbeKind::Http));
            raw.all_unhealthy = policy;
        });
        eventually(|| !upstream.targets()[0].is_healthy()).await;
        assert_eq!(open(&upstream).await.err().unwrap().label(), label);
    }
}

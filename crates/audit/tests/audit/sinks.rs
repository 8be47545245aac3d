//! Sinks: what receivers of syslog and OpenTelemetry get, and that a slow or dead one holds up nobody.

use std::convert::Infallible;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use wicketgate_audit::{Audit, AuditConfig, Durability, Event, RawAudit, RawOtlp, RawSink, RawSyslog, Who};
use wicketgate_config::{At, Item, Place, Problems, Size, Time};
use wicketgate_testkit::tls::Authority;

use crate::child::store;

const PATIENCE: Duration = Duration::from_secs(20);

fn whole<T>(value: T) -> Item<T> {
    Item { value, place: Place::UNKNOWN, whole: true }
}

fn syslog(name: &str, to: &str, ca: Option<PathBuf>) -> Item<RawSink> {
    let syslog = RawSyslog {
        to: At::nowhere(to.into()),
        ca: ca.map(At::nowhere),
        timeout: At::nowhere(Time::secs(2)),
        ..RawSyslog::default()
    };
    whole(RawSink { name: At::nowhere(name.into()), syslog: Some(whole(syslog)), ..RawSink::default() })
}

fn start(sinks: Vec<Item<RawSink>>) -> Audit {
    Audit::start(config(sinks)).unwrap()
}

fn config(sinks: Vec<Item<RawSink>>) -> AuditConfig {
    let mut problems = Problems::default();
    let config = RawAudit { sinks, ..RawAudit::default() }.check(&mut problems);
    let said: Vec<_> = problems.iter().map(|problem| &problem.what).collect();
    assert!(said.is_empty(), "{said:?}");
    config
}

fn refused(audit: &Audit, session: u64) {
    let who = Who { session: Some(session), subject: Some("ann \u{e9}\n"), ..Who::default() };
    audit.log(&Event::Refused { reason: "origin", status: Some(403) }, &who);
}

/// Reads one message with counted octets.
fn counted(from: &mut impl BufRead) -> Option<String> {
    let mut count = Vec::new();
    from.read_until(b' ', &mut count).ok()?;
    let count: usize = String::from_utf8(count).ok()?.trim_end().parse().ok()?;
    let mut message = vec![0; count];
    from.read_exact(&mut message).ok()?;
    String::from_utf8(message).ok()
}

/// A receiver that takes so many messages of each connection, then ends it.
fn receiver(tls: Option<Arc<ServerConfig>>, each: usize) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (sender, received)) = (listener.local_addr().unwrap(), channel());
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut stream: Box<dyn BufRead> = match &tls {
                None => Box::new(BufReader::new(stream)),
                Some(tls) => {
                    let connection = ServerConnection::new(tls.clone()).unwrap();
                    Box::new(BufReader::new(StreamOwned::new(connection, stream)))
                }
            };
            for _ in 0..each {
                let Some(message) = counted(&mut stream) else { break };
                let _ = sender.send(message);
            }
        }
    });
    (address, received)
}

fn sessions(messages: &[String]) -> Vec<u64> {
    let number = |message: &String| {
        let json: Value = serde_json::from_str(&message[message.find('{')?..]).ok()?;
        json["session"].as_u64()
    };
    messages.iter().filter_map(number).collect()
}

#[test]
fn syslog_by_tls_has_the_form_of_rfc_5424() {
    let authority = Authority::new().unwrap();
    let identity = authority.issue(&["localhost"]).unwrap();
    let (address, received) = receiver(Some(identity.server(&[]).unwrap()), usize::MAX);
    let to = format!("tls://localhost:{}", address.port());
    let audit = start(vec![syslog("siem", &to, Some(authority.ca_file()))]);
    (0..10).for_each(|session| refused(&audit, session));
    let messages: Vec<String> = (0..10).map(|_| received.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(sessions(&messages), (0..10).collect::<Vec<_>>());
    let parts: Vec<&str> = messages[0].splitn(8, ' ').collect();
    let [version, at, _host, app, process, id, data, json] = parts[..] else { panic!("{}", messages[0]) };
    assert_eq!((version, app, id, data), ("<108>1", "wicketgate", "admission.refused", "-"));
    assert!(at.len() == 27 && at.ends_with('Z') && process.len() == 12, "{at} {process}");
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!(
        (&json["subject"], &json["status"], &json["process"]),
        (&"ann é\n".into(), &403.into(), &process.into())
    );
    assert!(!messages[0].contains('\n'));
    audit.close(Duration::from_secs(5));
    assert_eq!((audit.places()[0].written, audit.places()[0].dropped), (10, 0));
}

#[test]
fn a_receiver_that_is_not_who_we_trust_gets_nothing() {
    let (mine, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let (address, received) = receiver(Some(other.issue(&["localhost"]).unwrap().server(&[]).unwrap()), 1);
    let to = format!("tls://localhost:{}", address.port());
    let audit = start(vec![syslog("siem", &to, Some(mine.ca_file()))]);
    refused(&audit, 1);
    audit.close(Duration::from_millis(500));
    assert!(received.try_recv().is_err());
    let place = &audit.places()[0];
    assert!(place.is_failing && place.dropped == 1 && place.written == 0, "{place:?}");
}

#[test]
fn syslog_by_tcp_goes_on_after_the_receiver_has_ended_the_connection() {
    let (address, received) = receiver(None, 3);
    let audit = start(vec![syslog("siem", &format!("tcp://{address}"), None)]);
    let mut seen = Vec::new();
    for session in 0..9 {
        refused(&audit, session);
        seen.push(received.recv_timeout(PATIENCE).unwrap());
    }
    assert_eq!(sessions(&seen), (0..9).collect::<Vec<_>>());
}

#[test]
fn syslog_by_udp_is_one_datagram_a_record() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let audit = start(vec![syslog("siem", &format!("udp://{}", socket.local_addr().unwrap()), None)]);
    refused(&audit, 7);
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(message.starts_with("<108>1 ") && sessions(&[message]) == [7]);
}

/// A collector that answers with these statuses, then with 200; gives what it was sent with a 200.
fn collector(statuses: Vec<u16>) -> (SocketAddr, Arc<Mutex<Vec<Value>>>, Receiver<String>) {
    let (seen, statuses) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::new(Mutex::new(statuses)));
    let (sender, asked) = channel();
    let (given, address) = channel();
    let taken = seen.clone();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            given.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (taken, statuses, sender) = (taken.clone(), statuses.clone(), sender.clone());
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (taken, statuses, sender) = (taken.clone(), statuses.clone(), sender.clone());
                    async move {
                        let head = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let next = statuses.lock().unwrap().pop();
                        let mut response = Response::new(Full::new(Bytes::from("{}")));
                        match next {
                            Some(status) => *response.status_mut() = status.try_into().unwrap(),
                            None => taken.lock().unwrap().push(serde_json::from_slice(&body).unwrap()),
                        }
                        let _ = sender.send(head);
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
                );
            }
        });
    });
    (address.recv().unwrap(), seen, asked)
}

fn otlp(url: &str) -> Item<RawSink> {
    let headers = vec![(At::nowhere("x-token".into()), wicketgate_admission::Secret::new("s3cret"))];
    let otlp = RawOtlp {
        url: At::nowhere(url.into()),
        headers: wicketgate_config::Table(headers),
        timeout: At::nowhere(Time::secs(2)),
        ..RawOtlp::default()
    };
    whole(RawSink { name: At::nowhere("otel".into()), otlp: Some(whole(otlp)), ..RawSink::default() })
}

fn logs(requests: &[Value]) -> Vec<Value> {
    let records = |request: &Value| {
        request["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone()
    };
    requests.iter().flat_map(records).collect()
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn otlp_logs_are_sent_again_after_a_503_and_each_arrives_once() {
    let (address, seen, asked) = collector(vec![503, 429]);
    let audit = start(vec![otlp(&format!("http://{address}/v1/logs"))]);
    (0..600).for_each(|session| refused(&audit, session));
    eventually("all arrive", || logs(&seen.lock().unwrap()).len() == 600);
    let head = asked.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("POST /v1/logs") && head.contains("application/json"), "{head}");
    let seen = seen.lock().unwrap();
    let resource = seen[0]["resourceLogs"][0]["resource"]["attributes"].to_string();
    assert!(
        resource.contains(r#"{"key":"service.name","value":{"stringValue":"wicketgate"}}"#),
        "{resource}"
    );
    let logs = logs(&seen);
    let log = &logs[599];
    let attribute = |name: &str| {
        let all = log["attributes"].as_array().unwrap();
        all.iter().find(|attribute| attribute["key"] == name).map(|attribute| attribute["value"].clone())
    };
    assert_eq!(log["body"]["stringValue"], "admission.refused");
    assert_eq!(log["severityText"], "WARN");
    assert_eq!(log["timeUnixNano"].as_str().unwrap().len(), 19);
    assert_eq!(attribute("wicketgate.session"), Some(serde_json::json!({ "intValue": "599" })));
    assert_eq!(attribute("wicketgate.subject"), Some(serde_json::json!({ "stringValue": "ann é\n" })));
}

#[test]
fn what_a_collector_refuses_for_good_is_dropped_and_counted() {
    let (address, seen, _asked) = collector(vec![400]);
    let audit = start(vec![otlp(&format!("http://{address}/v1/logs"))]);
    refused(&audit, 1);
    eventually("it is dropped", || audit.places()[0].dropped == 1);
    refused(&audit, 2);
    eventually("the next arrives", || logs(&seen.lock().unwrap()).len() == 1);
    // The collector has it before its answer is read.
    eventually("it is counted", || audit.places()[0].written == 1);
    let place = &audit.places()[0];
    assert_eq!((place.dropped, place.is_failing), (1, false));
}

#[test]
fn a_dead_and_a_silent_sink_hold_up_nobody() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Takes connections and reads nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, received) = receiver(None, usize::MAX);
    let dir = tempfile::tempdir().unwrap();
    let small = |mut sink: Item<RawSink>| {
        sink.value.queue = At::nowhere(Size(64 << 10));
        sink
    };
    let audit = Audit::start(AuditConfig {
        store: Some(store(&dir.path().join("audit.db"), Durability::Guaranteed)),
        ..config(vec![
            small(syslog("dead", &format!("tcp://{dead}"), None)),
            small(syslog("silent", &format!("tls://{}", silent.local_addr().unwrap()), None)),
            small(otlp(&format!("http://{dead}/v1/logs"))),
            syslog("good", &format!("tcp://{address}"), None),
        ])
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let started = Instant::now();
    for session in 0..500 {
        let who = Who { session: Some(session), ..Who::default() };
        runtime.block_on(audit.wait(&Event::Admitted, &who));
    }
    let messages: Vec<String> = (0..500).map(|_| received.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(sessions(&messages), (0..500).collect::<Vec<_>>());
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    for place in audit.places() {
        let is_good = ["store", "good"].contains(&place.name.as_str());
        assert_eq!(place.dropped == 0, is_good, "{place:?}");
        assert!(place.waiting <= 1 << 20, "{place:?}");
    }
    let started = Instant::now();
    audit.close(Duration::from_millis(500));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn a_sink_that_comes_back_says_how_many_it_has_missed() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let mut sink = syslog("late", &format!("tcp://{address}"), None);
    sink.value.queue = At::nowhere(Size(64 << 10));
    let audit = start(vec![sink]);
    (0..1_000).for_each(|session| refused(&audit, session));
    assert!(audit.places()[0].dropped > 0);
    let listener = TcpListener::bind(address).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut stream: BufReader<TcpStream> = BufReader::new(stream);
    let (mut got, mut missed) = (0, 0);
    while got + missed < 1_000 {
        if audit.places()[0].waiting == 0 {
            // What is missed is told with the next record that has room.
            refused(&audit, 1_000);
        }
        let message = counted(&mut stream).unwrap();
        let json: Value = serde_json::from_str(&message[message.find('{').unwrap()..]).unwrap();
        match json["event"].as_str() {
            Some("audit.lost") => missed += json["count"].as_u64().unwrap(),
            _ => got += u64::from(json["session"] != 1_000),
        }
    }
    assert_eq!((got + missed, audit.places()[0].dropped), (1_000, missed));
}

#[test]
fn lines_go_on_in_a_new_file_after_the_old_one_was_put_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let lines = At::nowhere(path.display().to_string());
    let sink = RawSink { name: At::nowhere("file".into()), lines: Some(lines), ..RawSink::default() };
    let audit = start(vec![whole(sink)]);
    refused(&audit, 1);
    eventually("one is written", || audit.places()[0].written == 1);
    fs::rename(&path, path.with_extension("1")).unwrap();
    audit.reopen();
    refused(&audit, 2);
    audit.close(Duration::from_secs(5));
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    assert!(
        read(path.with_extension("1")).contains("\"session\":1")
            && read(path.clone()).contains("\"session\":2")
    );
    let line: Value = serde_json::from_str(read(path).trim_end()).unwrap();
    assert_eq!((&line["event"], &line["serial"]), (&"admission.refused".into(), &1.into()));
}

//! What breaks a protocol: it is refused with its code, nothing of it reaches the other side, and the next honest client is served.

use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{
    Answer, Ended, Endpoint, Frame, RawClient, Recorded, RecordingBackend, Upgrade, opcode,
};

use super::BINARY;

/// Who says something, the client or the server.
#[derive(Clone, Debug)]
enum Said {
    Client(Frame),
    Server(Frame),
}

use Said::{Client, Server};

fn client(text: &str) -> Said {
    Client(Frame::text(text))
}

fn server(text: &str) -> Said {
    Server(Frame::text(text))
}

fn bytes(bytes: &[u8]) -> Said {
    Client(Frame::binary(bytes))
}

/// A gateway with a policy of one format, and the backend behind it, which says what a test has it say.
struct Stage {
    backend: RecordingBackend,
    _gateway: Gateway,
    port: Port,
    serial: usize,
}

impl Stage {
    async fn start(format: &str, more: &str) -> Self {
        let backend = RecordingBackend::answering(|_| Answer::Accept).await.unwrap();
        let port = Port::free().unwrap();
        let config = format!(
            "listeners: [{{bind: {addr}}}]
upstreams: [{{name: backend, targets: ['ws://{backend}'], health: {{passive: off}}}}]
policies: [{{name: pack, format: {format}, to_upstream: [], to_client: []{more}}}]
routes: [{{name: all, upstream: backend, policy: pack, websocket: {{mode: messages}}}}]
drain: {{timeout: 0s}}
",
            addr = port.addr(),
            backend = backend.addr().unwrap()
        );
        let gateway = Gateway::start(BINARY, &config, Ready::port(port.addr())).await.unwrap();
        Self { backend, _gateway: gateway, port, serial: 0 }
    }

    /// A session in which all this was said, each when the one before had come to the other side.
    async fn session(&mut self, said: &[Said]) -> (RawClient, usize) {
        self.serial += 1;
        let target = format!("/session?{}", self.serial);
        let mut session = RawClient::connect(&Endpoint::plain(self.port.addr())).await.unwrap();
        session.upgrade(&Upgrade::new(&target)).await.unwrap();
        let (number, _) = self.backend.requested(&target).await.unwrap();
        let mut count = 0;
        for said in said {
            match said {
                Client(frame) => {
                    session.send_frame(&frame.clone().masked(KEY)).await.unwrap();
                    count += 1;
                    let has_come = |recorded: &Recorded| {
                        recorded.target().as_deref() == Some(&target) && recorded.frames().len() >= count
                    };
                    let (_, recorded) = self.backend.until("what the client says", has_come).await.unwrap();
                    assert_eq!(recorded.frames().last().unwrap().payload, frame.payload);
                }
                Server(frame) => {
                    self.backend.send_frame(number, frame).unwrap();
                    let came = session.next_frame().await.unwrap().unwrap();
                    assert_eq!(came.payload, frame.payload, "{said:?}");
                }
            }
        }
        (session, number)
    }

    /// Behind what is allowed, the attack ends the session with this code, and reaches nobody.
    async fn refuses(&mut self, allowed: &[Said], attack: &[Said], code: u16) {
        let (mut session, number) = self.session(allowed).await;
        let target = format!("/session?{}", self.serial);
        let mut frames = Vec::new();
        for said in attack {
            match said {
                Client(frame) => frames.extend(frame.clone().masked(KEY).bytes()),
                Server(frame) => self.backend.send_frame(number, frame).unwrap(),
            }
        }
        let by_server = matches!(attack.last(), Some(Server(_)));
        if !frames.is_empty() {
            session.send_and_read(&frames).await.ok();
        }
        // The next message says whether something of it came.
        if by_server {
            let frame = session.next_frame().await.unwrap().unwrap();
            assert_eq!(frame.opcode, opcode::CLOSE, "{attack:?}: {}", frame.payload.escape_ascii());
            assert_eq!(frame.close_code(), Some(1011), "{attack:?}");
        } else {
            assert_eq!(session.ended().await.unwrap(), Ended::Closed(Some(code)), "{attack:?}");
        }
        drop(session);
        let is_over = |recorded: &Recorded| {
            recorded.target().as_deref() == Some(&target)
                && (recorded.ended || recorded.frames().iter().any(|frame| frame.opcode == opcode::CLOSE))
        };
        let (_, recorded) = self.backend.until("the end of the session", is_over).await.unwrap();
        let came = recorded.frames().into_iter().filter(|frame| frame.opcode < opcode::CLOSE).count();
        let lawful = allowed.iter().filter(|said| matches!(said, Client(_))).count();
        assert_eq!(came, lawful, "{attack:?}");
        if by_server {
            let closed = recorded.frames().into_iter().find_map(|frame| frame.close_code());
            assert_eq!(closed, Some(code), "{attack:?}");
        }
    }

    /// All this is refused, one attack a session, and then an honest client is served.
    async fn proves(&mut self, honest: &[Said], attacks: &[(usize, Vec<Said>, u16)]) {
        for (after, attack, code) in attacks {
            self.refuses(&honest[..*after], attack, *code).await;
            self.session(honest).await;
        }
    }
}

/// The masking key of clients' frames.
const KEY: [u8; 4] = [7, 1, 2, 3];

/// These clients negotiate no subprotocol.
const ANY: &str = ", subprotocols: ['']";

#[tokio::test]
async fn json_rpc() {
    let mut stage =
        Stage::start("{json-rpc: {methods: ['chat.*']}}", ", bounds: {packets: 3, pending: 2}").await;
    let call = |id: u32| format!(r#"{{"jsonrpc":"2.0","method":"chat.say","id":{id}}}"#);
    let honest = [client(&call(1)), server(r#"{"jsonrpc":"2.0","result":1,"id":1}"#), client(&call(1))];
    let attacks = [
        (0, vec![client(r#"{"jsonrpc":"2.0","method":"root","id":1}"#)], 1008),
        (0, vec![client(&format!(r#"[{},{{"jsonrpc":"2.0","method":"root"}}]"#, call(1)))], 1008),
        (0, vec![client(&format!("[{0},{0}]", call(1)))], 1008),
        (0, vec![client("[]")], 1007),
        (0, vec![client(r#"{"jsonrpc":"2.0","method":"chat.a","method":"root"}"#)], 1007),
        (1, vec![client(&call(1))], 1008),
        (0, vec![client(r#"{"jsonrpc":"2.0","result":1,"id":1}"#)], 1008),
        (0, vec![server(r#"{"jsonrpc":"2.0","result":1,"id":1}"#)], 1008),
        (0, vec![server(r#"{"jsonrpc":"2.0","method":"ask","id":1}"#)], 1008),
        (0, vec![bytes(call(1).as_bytes())], 1003),
    ];
    stage.proves(&honest, &attacks).await;
}

#[tokio::test]
async fn graphql() {
    let ask = |id: u32, query: &str| {
        format!(r#"{{"type":"subscribe","id":"{id}","payload":{{"query":"{query}"}}}}"#)
    };
    let honest = [
        client(r#"{"type":"connection_init"}"#),
        server(r#"{"type":"connection_ack"}"#),
        client(&ask(1, "{a}")),
        server(r#"{"type":"next","id":"1","payload":{"data":{}}}"#),
        server(r#"{"type":"complete","id":"1"}"#),
    ];
    let mut attacks = vec![
        (0, vec![client(&ask(1, "{a}"))], 4401),
        (1, vec![client(&ask(1, "{a}"))], 4401),
        (1, vec![client(r#"{"type":"connection_init"}"#)], 4429),
        (0, vec![server(r#"{"type":"connection_ack"}"#)], 1008),
        (3, vec![client(&ask(1, "{a}"))], 4409),
        (2, vec![server(r#"{"type":"next","id":"9","payload":{"data":{}}}"#)], 1008),
        (2, vec![client(&ask(1, "{__schema{types{name}}}"))], 1008),
        (2, vec![client(&ask(1, "{a"))], 4400),
        (2, vec![client(&ask(1, "mutation {drop}"))], 1008),
        (2, vec![client(r#"{"type":"next","id":"1","payload":{}}"#)], 1008),
    ];
    let deep = ask(1, &format!("{}{}", "{a".repeat(5_000), "}".repeat(5_000)));
    attacks.push((2, vec![client(&deep)], 1008));
    let mut stage = Stage::start("{graphql-transport-ws: {operations: [query, subscription]}}", ANY).await;
    stage.proves(&honest, &attacks).await;
    // Without the subprotocol, the session does not speak what the policy judges.
    let mut stage = Stage::start("{graphql-transport-ws: {}}", "").await;
    stage.refuses(&[], &honest[..1], 1008).await;
    stage.refuses(&[], &[server(r#"{"type":"connection_ack"}"#)], 1008).await;
}

#[tokio::test]
async fn mqtt() {
    let connect = bytes(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a");
    let connack = Server(Frame::binary(*b"\x20\x02\x00\x00"));
    let good = b"\x30\x09\x00\x06hall/ax";
    let bad = b"\x30\x08\x00\x05otherx";
    let honest = [connect.clone(), connack.clone(), bytes(good), bytes(&good.repeat(3))];
    let mut attacks = vec![
        (0, vec![bytes(good)], 1008),
        (1, vec![bytes(good)], 1008),
        (1, vec![connect.clone()], 1008),
        (2, vec![connect], 1008),
        (2, vec![bytes(bad)], 1008),
        (2, vec![bytes(&[&good[..], bad].concat())], 1008),
        (2, vec![bytes(b"\x82\x06\x00\x01\x00\x01#\x00")], 1008),
        (2, vec![bytes(b"\x82\x0b\x00\x01\x00\x06$SYS/#\x00")], 1008),
        (2, vec![bytes(b"\x82\x06\x00\x00\x00\x01#\x00")], 1007),
        (2, vec![client("text")], 1003),
        (0, vec![connack], 1008),
        (2, vec![Server(Frame::binary(*b"\x82\x06\x00\x01\x00\x01#\x00"))], 1008),
        (2, vec![Server(Frame::binary(*b"\x40\x02\x00\x01"))], 1008),
        (2, vec![bytes(&good.repeat(200))], 1008),
        (2, vec![bytes(b"\x30\xff\xff\xff\xff\x01")], 1007),
    ];
    // In parts, of which none goes on before the whole was judged.
    for cut in 1..bad.len() {
        attacks.push((2, vec![bytes(&bad[..cut]), bytes(&bad[cut..])], 1008));
    }
    attacks.push((2, bad.iter().map(|byte| bytes(&[*byte])).collect(), 1008));
    let mut stage = Stage::start("{mqtt: {publish: ['hall/+'], subscribe: ['hall/#']}}", ANY).await;
    stage.proves(&honest, &attacks).await;
}

#[tokio::test]
async fn stomp() {
    let send = |destination: &str| format!("SEND\ndestination:{destination}\n\nx\0");
    let honest = [
        client("CONNECT\naccept-version:1.2\nhost:h\n\n\0"),
        server("CONNECTED\nversion:1.2\n\n\0\n"),
        client("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0"),
        server("MESSAGE\nsubscription:1\nmessage-id:1\ndestination:/topic/a\n\nx\0"),
        client("\n"),
        client(&send("/app/a")),
    ];
    let attacks = [
        (0, vec![client(&send("/app/a"))], 1008),
        (2, vec![client("CONNECT\naccept-version:1.2\nhost:h\n\n\0")], 1008),
        (2, vec![client(&send("/other"))], 1008),
        (2, vec![client(&(send("/app/a") + &send("/other")))], 1008),
        (2, vec![client(&format!("\n\n{}", send("/other")))], 1008),
        (2, vec![client("SEND\ndestination:/app/a\ndestination:/other\n\nx\0")], 1007),
        (2, vec![client("SEND\ndestination:/app/a\n\nx")], 1007),
        (2, vec![client("SUBSCRIBE\nid:1\ndestination:/topic/*\n\n\0")], 1008),
        (3, vec![client("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0")], 1008),
        (2, vec![server("MESSAGE\nsubscription:1\nmessage-id:1\ndestination:/topic/a\n\nx\0")], 1008),
        (2, vec![server("SEND\ndestination:/app/a\n\nx\0")], 1008),
        (2, vec![client("CONNECTED\nversion:1.2\n\n\0")], 1008),
    ];
    let mut stage = Stage::start("{stomp: {send: ['/app/*'], subscribe: [/topic/a]}}", ANY).await;
    stage.proves(&honest, &attacks).await;
}

#[tokio::test]
async fn socket_io() {
    let honest = [
        server(r#"0{"sid":"x"}"#),
        client("40"),
        server(r#"40{"sid":"y"}"#),
        client(r#"421["say","hi"]"#),
        server(r#"431["ok"]"#),
        client(r#"451-["say",{"_placeholder":true,"num":0}]"#),
        bytes(b"\x00\x01"),
    ];
    let attacks = [
        (0, vec![client("40")], 1008),
        (1, vec![client(r#"42["say"]"#)], 1008),
        (2, vec![client(r#"42["say"]"#)], 1008),
        (1, vec![client("40/admin,")], 1008),
        (3, vec![client(r#"42["drop"]"#)], 1008),
        (3, vec![client(r#"42["say"]{"#)], 1007),
        (3, vec![client(r#"42["disconnect"]"#)], 1008),
        (0, vec![client("2probe")], 1008),
        (3, vec![bytes(b"\x00")], 1008),
        (6, vec![client(r#"42["say"]"#)], 1008),
        (3, vec![server(r#"431["ok"]"#)], 1008),
        (1, vec![server(r#"0{"sid":"x"}"#)], 1008),
        (3, vec![client("2")], 1008),
    ];
    let mut stage = Stage::start("{socket.io: {events: [say]}}", "").await;
    stage.proves(&honest, &attacks).await;
}

#[tokio::test]
async fn ocpp() {
    let honest = [
        client(r#"[2,"1","BootNotification",{}]"#),
        server(r#"[3,"1",{"status":"Accepted"}]"#),
        server(r#"[2,"9","Reset",{"type":"Soft"}]"#),
        client(r#"[3,"9",{"status":"Accepted"}]"#),
    ];
    let attacks = [
        (0, vec![client(r#"[2,"1","Reset",{}]"#)], 1008),
        (0, vec![client(r#"[3,"1",{}]"#)], 1008),
        (1, vec![client(r#"[2,"1","Heartbeat",{}]"#)], 1008),
        (0, vec![client(r#"[2,"1","Heartbeat",{},{}]"#)], 1007),
        (0, vec![server(r#"[3,"1",{}]"#)], 1008),
        (0, vec![server(r#"[2,"1","UpdateFirmware",{}]"#)], 1008),
    ];
    let mut stage = Stage::start("{ocpp: {version: '1.6', system_actions: [Reset]}}", ANY).await;
    stage.proves(&honest, &attacks).await;
}

#[tokio::test]
async fn signalr() {
    let send = |target: &str| format!("{{\"type\":1,\"target\":\"{target}\",\"arguments\":[]}}\x1e");
    let honest = [
        client("{\"protocol\":\"json\",\"version\":1}\x1e"),
        server("{}\x1e"),
        client("{\"type\":1,\"invocationId\":\"1\",\"target\":\"Send\",\"arguments\":[]}\x1e"),
        server("{\"type\":3,\"invocationId\":\"1\"}\x1e"),
        client(&send("Send").repeat(2)),
    ];
    let attacks = [
        (0, vec![client(&send("Send"))], 1007),
        (1, vec![client(&send("Send"))], 1008),
        (0, vec![client(&format!("{{\"protocol\":\"json\",\"version\":1}}\x1e{}", send("Send")))], 1008),
        (0, vec![client("{\"protocol\":\"messagepack\",\"version\":1}\x1e")], 1008),
        (2, vec![client(&send("Delete"))], 1008),
        (2, vec![client(&(send("Send") + &send("Delete")))], 1008),
        (2, vec![client("{\"type\":6}")], 1007),
        (2, vec![bytes(send("Send").as_bytes())], 1003),
        (2, vec![server("{\"type\":3,\"invocationId\":\"1\"}\x1e")], 1008),
        (2, vec![server("{\"type\":4,\"invocationId\":\"1\",\"target\":\"x\",\"arguments\":[]}\x1e")], 1008),
    ];
    let mut stage = Stage::start("{signalr: {targets: [Send]}}", "").await;
    stage.proves(&honest, &attacks).await;
}

#[tokio::test]
async fn wamp() {
    let honest = [
        client(r#"[1,"site",{"roles":{}}]"#),
        server(r#"[2,1,{"roles":{}}]"#),
        client(r#"[48,1,{},"sum"]"#),
        server("[50,1,{}]"),
    ];
    let attacks = [
        (0, vec![client(r#"[48,1,{},"sum"]"#)], 1008),
        (0, vec![client(r#"[1,"other",{}]"#)], 1008),
        (2, vec![client(r#"[1,"site",{}]"#)], 1008),
        (3, vec![client(r#"[48,1,{},"sum"]"#)], 1008),
        (2, vec![client(r#"[48,1,{},"wamp.session.list"]"#)], 1008),
        (2, vec![client(r#"[64,1,{},"sum"]"#)], 1008),
        (2, vec![client(r#"[32,1,{"match":"prefix"},""]"#)], 1007),
        (2, vec![client(r#"[32,1,{"match":"prefix"},"a"]"#)], 1008),
        (2, vec![server("[50,1,{}]")], 1008),
        (2, vec![server(r#"[36,1,1,{}]"#)], 1008),
    ];
    let mut stage = Stage::start("{wamp: {realms: [site]}}", ANY).await;
    stage.proves(&honest, &attacks).await;
}

#[tokio::test]
async fn realtime() {
    let honest = [
        server(r#"{"type":"session.created","session":{}}"#),
        client(r#"{"type":"session.update","event_id":"1","session":{"voice":"x"}}"#),
        server(r#"{"type":"session.updated","session":{}}"#),
    ];
    let attacks = [
        (1, vec![client(r#"{"type":"session.update","session":{"instructions":"x"}}"#)], 1008),
        (2, vec![client(r#"{"type":"response.create","event_id":"1"}"#)], 1008),
        (1, vec![client(r#"{"type":"response.done"}"#)], 1008),
        (1, vec![client(r#"{"type":"response.create","type":"x"}"#)], 1007),
        (0, vec![server(r#"{"type":"response.done"}"#)], 1008),
        (1, vec![server(r#"{"type":"session.update","session":{}}"#)], 1008),
    ];
    let mut stage = Stage::start("{realtime: {fields: [voice]}}", "").await;
    stage.proves(&honest, &attacks).await;
}

//! The guide's example: over TLS, with a second factor, and the command that makes its users.

use std::io::Write;
use std::process::{Command, Stdio};

use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{EchoBackend, Endpoint, Head, RawClient};
use wicketgate_testkit::tls::Authority;

use super::{BINARY, EXAMPLE, FORM, PASSWORD, TOTP};
use crate::examples::{certificates, example};

async fn ask(to: &Endpoint, request: String) -> (Head, String) {
    let mut client = RawClient::connect(to).await.unwrap();
    client.send(request.as_bytes()).await.unwrap();
    let (head, body) = client.response().await.unwrap();
    (head, String::from_utf8_lossy(&body).into_owned())
}

fn code() -> String {
    let secret = totp_rs::Secret::Encoded(TOTP.into()).to_bytes().unwrap();
    totp_rs::TOTP::new(totp_rs::Algorithm::SHA1, 6, 1, 30, secret).unwrap().generate_current().unwrap()
}

#[tokio::test]
async fn the_example_serves_over_tls_to_whoever_has_both_factors() {
    let authority = Authority::new().unwrap();
    let (folder, _) = certificates(&authority);
    let backend = EchoBackend::start().await.unwrap();
    let (front, console) = (Port::free().unwrap(), Port::free().unwrap());
    let port = console.addr().port();
    let config = example("console")
        .replace("127.0.0.1:8080", &front.addr().to_string())
        .replace("127.0.0.1:9000", &backend.addr().unwrap().to_string())
        .replace("127.0.0.1:9443", &console.addr().to_string())
        .replace("example.com:9443", &format!("example.com:{port}"));
    let ready = Ready::Ports(vec![front.addr(), console.addr()]);
    let gateway = Gateway::start_with(BINARY, &config, ready, |command| {
        command.env("CERTIFICATES", folder.path());
    });
    let _gateway = gateway.await.unwrap();
    let tls = authority.client(&["http/1.1"]).unwrap();
    let endpoint = Endpoint::tls(console.addr(), tls).named("example.com");
    let host = format!("example.com:{port}");
    let sign_in = async |code: &str| {
        let form = format!("name=ann&password={}&code={code}", PASSWORD.replace(' ', "+"));
        let head = format!("POST /sign-in HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\n{FORM}\r\n");
        ask(&endpoint, format!("{head}Content-Length: {}\r\n\r\n{form}", form.len())).await.0
    };
    assert_eq!(sign_in("000000x").await.status().unwrap(), 403);
    let signed_in = sign_in(&code()).await;
    assert_eq!(signed_in.status().unwrap(), 303);
    assert!(signed_in.field("strict-transport-security").is_some());
    let cookie = signed_in.field("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let (_, page) =
        ask(&endpoint, format!("GET /certificates HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"))
            .await;
    assert!(page.contains("example.com.pem") && page.contains(" days"), "{page}");
    let token = EXAMPLE[2].1;
    let me = format!("GET /api/v1/me HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n");
    assert!(ask(&endpoint, me).await.1.contains("\"scope\":\"read\""));
    // Plain HTTP is not spoken there, and another name leads nowhere.
    let mut plain = RawClient::connect(&Endpoint::plain(console.addr())).await.unwrap();
    plain.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(plain.response().await.is_err());
    let (head, _) = ask(&endpoint, "GET /sign-in HTTP/1.1\r\nHost: chat.example.com\r\n\r\n".into()).await;
    assert_eq!(head.status().unwrap(), 421);
}

#[test]
fn a_user_is_made_by_command() {
    let make = |arguments: &[&str], password: &str| {
        let mut command = Command::new(BINARY);
        command.args(["console", "user"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (done, lines, said) = make(&["bob", "--role", "operator", "--totp"], PASSWORD);
    assert!(
        done && lines.contains("role: operator") && lines.contains("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{lines}"
    );
    let secret =
        lines.lines().find_map(|line| line.trim().strip_prefix("totp: {value: ")?.strip_suffix('}')).unwrap();
    assert!(
        said.contains(&format!("otpauth://totp/Wicketgate:bob?secret={secret}&issuer=Wicketgate")),
        "{said}"
    );
    assert!(!format!("{lines}{said}").contains(PASSWORD));
    for (arguments, password) in
        [(&["bob"][..], "short"), (&["b b"], PASSWORD), (&["bob"], &"a".repeat(2000))]
    {
        let (done, lines, said) = make(arguments, password);
        assert!(!done && lines.is_empty() && !said.is_empty(), "{arguments:?}: {said}");
    }
    // The lines are good for a configuration.
    let lines: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    let config = format!(
        "listeners: [{{name: l, bind: \"127.0.0.1:1\"}}]\nroutes: [{{name: r, respond: {{status: 200}}}}]\nconsole:\n  users:\n{lines}"
    );
    let dir = wicketgate_testkit::dir::Dir::new().unwrap();
    dir.write("wicketgate.yaml", config).unwrap();
    let (code, _, told) = crate::cli::wicketgate(dir.path(), &["check", "--strict"]);
    assert_eq!((code, told.as_str()), (0, ""));
}

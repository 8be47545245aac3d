//! Answers of gateways, middleboxes and others, judged.
#![allow(clippy::unwrap_used)]
use bytes::Bytes;
use http::Response;
use wicketgate_wire::handshake::Agreed;

use super::super::finding::Severity;
use super::*;

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let response = headers
        .iter()
        .fold(Response::builder().status(status), |head, (name, value)| head.header(*name, *value));
    let (parts, ()) = response.body(()).unwrap().into_parts();
    Answer {
        status: parts.status,
        version: Version::HTTP_11,
        headers: parts.headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn found(answer: Answer, agreed: Result<Agreed, AnswerError>) -> Finding {
    let upgrade = Upgrade { answer, agreed, sent: HeaderMap::new(), stream: None };
    judge(&Err("none".into()), &Ok(upgrade)).remove(0)
}

fn refusal(answer: Answer) -> Finding {
    let status = answer.status;
    found(answer, Err(AnswerError::Status(status)))
}

#[test]
fn each_refusal_is_told_from_the_others() {
    for (want, status, headers, body) in [
        (Check::WebsocketOff, 426, &[("server", "nginx")][..], ""),
        (Check::WebsocketOff, 400, &[], "Bad Request"),
        (Check::Cached, 426, &[("age", "12")], ""),
        (Check::Cached, 200, &[("x-cache", "Hit from cloudfront")], "<html>"),
        (Check::NotAGateway, 200, &[("age", "0"), ("x-cache", "MISS")], "<html>"),
        (Check::LoginPage, 302, &[("location", "https://idp.example.com/saml/login")], ""),
        (Check::NotAGateway, 301, &[("location", "https://www.example.com/")], ""),
        (Check::LoginPage, 401, &[("www-authenticate", "Basic")], ""),
        (Check::LoginPage, 200, &[], "<form><INPUT TYPE=\"PASSWORD\"></form>"),
        (Check::Blocked, 200, &[], "The requested URL was rejected. Your support ID is: 1"),
        (Check::Blocked, 403, &[], ""),
        (Check::HttpVersion, 505, &[], ""),
        (Check::NotAGateway, 502, &[], ""),
        (Check::NotAGateway, 404, &[], ""),
    ] {
        let finding = refusal(answer(status, headers, body));
        assert_eq!((finding.id, finding.severity), (want, Severity::Fail), "{status} {headers:?} {body}");
    }
}

#[test]
fn an_upgrade_is_judged_by_what_was_agreed_to() {
    let agreed = |subprotocol: Option<&str>| {
        Ok(Agreed {
            subprotocol: subprotocol.and_then(wicketgate_wire::handshake::Token::new),
            extensions: Vec::new(),
        })
    };
    assert_eq!(found(answer(101, &[], ""), agreed(Some(SUBPROTOCOL))).severity, Severity::Pass);
    assert_eq!(found(answer(101, &[], ""), agreed(None)).id, Check::NotAGateway);
    assert_eq!(found(answer(101, &[], ""), Err(AnswerError::Accept)).id, Check::HeadersStripped);
    let old = Answer { version: Version::HTTP_10, ..answer(426, &[], "") };
    assert_eq!(refusal(old).id, Check::HttpVersion);
}

#[test]
fn who_closes_at_the_word_upgrade_blocks() {
    let closed = judge(&Ok(answer(426, &[], "")), &Err("the connection was closed".into()));
    assert_eq!(closed[0].id, Check::Blocked);
    assert_eq!(judge(&Err("reset".into()), &Err("reset".into()))[0].id, Check::NotAGateway);
}

#[test]
fn clocks_are_compared_where_no_cache_has_answered() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let severity = |date: &str, more: &[(&'static str, &str)]| {
        let headers = answer(200, &[&[("date", date)], more].concat(), "").headers;
        clock(&headers, now).map(|finding| finding.severity)
    };
    assert_eq!(severity("Sun, 06 Nov 1994 08:49:37 GMT", &[]), Some(Severity::Pass));
    assert_eq!(severity("Sun, 06 Nov 1994 08:59:37 GMT", &[]), Some(Severity::Warn));
    assert_eq!(severity("Sun, 06 Nov 1994 08:29:37 GMT", &[]), Some(Severity::Warn));
    assert_eq!(severity("Sun, 06 Nov 1994 08:29:37 GMT", &[("age", "1200")]), None);
    assert_eq!(severity("yesterday", &[]), None);
}

#[test]
fn values_of_cookies_are_not_shown() {
    let told = answer(200, &[("set-cookie", "TS01=secret; path=/"), ("x", "\u{1}y")][..1], "").told();
    assert_eq!(told.headers, [("set-cookie".to_owned(), "TS01=***".to_owned())]);
}

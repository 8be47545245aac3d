//! Signing in at a real provider, npm's `oidc-provider`, in a browser; and whoever brings an answer that is not theirs.

use std::time::Duration;

use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::chromium;
use wicketgate_testkit::peers::oidc::OidcProvider;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{Endpoint, RawClient};
use wicketgate_testkit::tls::Authority;

use super::{BINARY, Site};
use crate::examples::{certificates, example};

const VISIT: Duration = Duration::from_secs(120);

/// ORIGIN is filled in.
const SCRIPT: &str = r##"
const begin = async (name) => {
  await page.goto(ORIGIN + "/sign-in");
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  await page.fill("[name=login]", name);
};
const who = async () => (await page.locator(".who").innerText()).replace(/\s+/g, " ");
await begin("ada");
await page.click("#login");
await page.waitForSelector("nav a[aria-current]");
console.log("signed in: " + (await who()));
console.log("may configure: " + (await page.getByRole("link", { name: "Configuration" }).count()));
await page.reload();
console.log("still: " + (await who()));
if (PICTURES) await page.screenshot({ path: `${PICTURES}/openid-1280.png` });
await page.getByRole("button", { name: "Sign out" }).click();
await page.getByRole("button", { name: "Yes, sign me out" }).click();
await page.waitForSelector("[href='/sign-in/openid']");
console.log("signed out, back at " + new URL(page.url()).pathname);
if (PICTURES) await page.screenshot({ path: `${PICTURES}/sign-in-openid.png` });
await begin("eve");
await page.click("#login");
console.log("stranger: " + (await page.locator("[role=alert]").textContent()));
// What comes back from the provider is kept from the console.
await context.clearCookies();
await begin("ada");
const next = async (answer) => new URL((await answer).headers().location, page.url()).href;
const login = context.request.post(page.url(), { form: { login: "ada" }, maxRedirects: 0 });
console.log("answer " + (await next(context.request.get(await next(login), { maxRedirects: 0 }))));
"##;

const OPENID: &str = r#"openid:
    issuer: ISSUER
    client_id: console
    client_secret: {value: SECRET}
    scopes: groups
    label: Example
    prompt: login
    logout: true
    roles: {claim: groups, viewer: staff, operator: [night-shift, day-shift], admin: root}
"#;

async fn site(provider: &OidcProvider) -> Site {
    let openid = OPENID.replace("ISSUER", &provider.issuer()).replace("SECRET", provider.client_secret());
    let site = Site::start(&openid).await;
    provider.allow_redirects(&[&format!("{}/sign-in/openid/callback", site.origin())]).await.unwrap();
    provider.set_groups("ada", &["staff", "day-shift"]).await.unwrap();
    provider.set_groups("eve", &["visitors"]).await.unwrap();
    site
}

/// A sign-in that was begun: its cookie, and its state.
async fn begun(site: &Site) -> (String, String) {
    let (head, body) = site.ask("GET", "/sign-in/openid", &[], "").await;
    assert_eq!(head.status().unwrap(), 303, "{body}");
    let set = head.field("set-cookie").unwrap();
    for part in
        ["__Host-wicketgate-openid=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age=600"]
    {
        assert!(set.contains(part), "{set}");
    }
    let location = head.field("location").unwrap();
    for part in
        ["response_type=code", "code_challenge_method=S256", "nonce=", "prompt=login", "scope=openid+groups"]
    {
        assert!(location.contains(part), "{location}");
    }
    let (_, state) = location.split_once("state=").unwrap();
    let state = state.split('&').next().unwrap().to_owned();
    (format!("Cookie: {}", set.split(';').next().unwrap()), state)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_provider_knows_may_what_a_claim_gives() {
    let provider = OidcProvider::start().await.unwrap();
    let site = site(&provider).await;
    let pictures = std::env::var("WICKETGATE_PICTURES").ok();
    let script = SCRIPT
        .replace("ORIGIN", &serde_json::to_string(&site.origin()).unwrap())
        .replace("PICTURES", &serde_json::to_string(&pictures).unwrap());
    let visit = chromium::visit(&script, false, VISIT).await.unwrap();
    let output = &visit.output;
    let log = provider.process().output();
    assert!(visit.status.success() && !output.contains("page error"), "{output}\n{log}");
    for line in [
        "signed in: ada operator Sign out",
        "may configure: 0",
        "still: ada operator Sign out",
        "signed out, back at /sign-in",
        "stranger: The provider knows you, and nothing gives you a role here.",
    ] {
        assert!(output.contains(line), "no {line:?}: {output}\n{log}");
    }
    let signed_in = site.audited("console.signed_in", 1).await;
    assert_eq!((&signed_in[0]["subject"], &signed_in[0]["method"]), (&"ada".into(), &"openid".into()));
    let refused = site.audited("console.refused", 1).await;
    assert_eq!((&refused[0]["subject"], &refused[0]["reason"]), (&"eve".into(), &"role".into()));

    // Ada's answer, in the hands of somebody else: without a cookie, with one of their own, and with their own state.
    let answer = output.lines().find_map(|line| line.strip_prefix("answer ")).unwrap();
    let path = answer.strip_prefix(&site.origin()).unwrap();
    let code = path.split_once("code=").unwrap().1.split('&').next().unwrap();
    let (cookie, state) = begun(&site).await;
    let ours = format!("/sign-in/openid/callback?code={code}&state={state}");
    let struck = "<script>alert(1)</script>";
    for (path, lines, reason) in [
        (path, vec![], "state"),
        (path, vec![cookie.clone()], "state"),
        (&*format!("{ours}x"), vec![cookie.clone()], "state"),
        (&format!("{ours}&iss=https://evil.example"), vec![cookie.clone()], "provider"),
        (
            &format!("/sign-in/openid/callback?error=%3Cscript%3Ealert(1)%3C/script%3E&state={state}"),
            vec![cookie.clone()],
            "provider",
        ),
        // Who began it is not who brings it: PKCE.
        (&ours, vec![cookie.clone()], "provider"),
    ] {
        let before = site.audited("console.refused", 0).await.len();
        let (head, body) = site.ask("GET", path, &lines, "").await;
        assert_eq!(head.status().unwrap(), 403, "{path}: {body}");
        assert!(!body.contains(struck) && !head.text().contains("__Host-wicketgate="), "{path}");
        let refused = site.audited("console.refused", before + 1).await;
        assert_eq!(refused[0]["reason"], reason, "{path}");
    }
    let (status, _) = site.api("read", "GET", "/api/v1/overview").await;
    assert_eq!(status, 200, "who may is served");
    // Nothing that could sign anybody in stands in a log.
    let log = site.gateway.process().output();
    assert!(!log.contains(code) && !log.contains(provider.client_secret()) && !log.contains("eyJ"), "{log}");
}

/// The example with this provider in place of its own, over plain HTTP on this machine.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_sends_browsers_to_its_provider() {
    let provider = OidcProvider::start().await.unwrap();
    let authority = Authority::new().unwrap();
    let (folder, _) = certificates(&authority);
    let (front, console) = (Port::free().unwrap(), Port::free().unwrap());
    let port = console.addr().port();
    let config = example("console-openid")
        .replace("127.0.0.1:8080", &front.addr().to_string())
        .replace("127.0.0.1:9443", &console.addr().to_string())
        .replace("https://id.example.com", &provider.issuer())
        .replace("client_id: wicketgate", "client_id: console")
        .replace("example.com:9443", &format!("example.com:{port}"));
    let ready = Ready::Ports(vec![front.addr(), console.addr()]);
    let gateway = Gateway::start_with(BINARY, &config, ready, |command| {
        command.env("CERTIFICATES", folder.path());
    });
    let _gateway = gateway.await.unwrap();
    let tls = authority.client(&["http/1.1"]).unwrap();
    let mut client =
        RawClient::connect(&Endpoint::tls(console.addr(), tls).named("example.com")).await.unwrap();
    client
        .send(format!("GET /sign-in/openid HTTP/1.1\r\nHost: example.com:{port}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let (head, _) = client.response().await.unwrap();
    let location = head.field("location").unwrap();
    assert!(location.starts_with(&provider.issuer()), "{location}");
    let back = format!("redirect_uri=https%3A%2F%2Fexample.com%3A{port}%2Fsign-in%2Fopenid%2Fcallback");
    assert!(location.contains(&back), "{location}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_keeps_nobody_else_out() {
    let provider = OidcProvider::start().await.unwrap();
    let site = site(&provider).await;
    let (cookie, state) = begun(&site).await;
    provider.down().await.unwrap();
    let path = format!("/sign-in/openid/callback?code=x&state={state}");
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(site.ask("GET", &path, std::slice::from_ref(&cookie), "").await.0.status().unwrap());
    }
    assert_eq!(statuses[0], 503);
    assert_eq!(statuses[11], 429, "{statuses:?}");
    let reasons = site.audited("console.refused", 12).await;
    assert!(reasons.iter().any(|record| record["reason"] == "unavailable"), "{reasons:?}");
    let (_, page) = site.ask("GET", "/sign-in", &[], "").await;
    assert!(page.contains("Sign in with Example") && page.contains("name=\"password\""), "{page}");
    assert_eq!(site.api("read", "GET", "/api/v1/me").await.0, 200);
}

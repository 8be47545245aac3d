//! Clients without a certificate, with one that is not theirs to use, and with one that was revoked.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use wicketgate_testkit::attack::AttackProof;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::raw::{Ended, Endpoint, RawClient, Upgrade};
use wicketgate_testkit::tls::{Authority, Identity};

use super::{Stage, UPSTREAM};

/// How long a changed file may take to be in force.
const PATIENCE: Duration = Duration::from_secs(10);

/// A gateway whose certificate `site` issued, and that takes clients of `devices`.
struct Site {
    stage: Stage,
    site: Authority,
    devices: Authority,
    honest: Identity,
    files: Dir,
    config: String,
}

impl Site {
    /// With these settings of `client_certificates`, in which `CRL` is the file of revocations, and these of the route.
    async fn start(clients: &str, route: &str) -> Self {
        let (site, devices) = (Authority::new().unwrap(), Authority::new().unwrap());
        let (own, honest) = (site.localhost().unwrap(), devices.issue(&["honest.device"]).unwrap());
        let files = Dir::new().unwrap();
        let crl = files.write("devices.crl", devices.revocations(&[], true).unwrap()).unwrap();
        let ca = files.write("devices.pem", std::fs::read(devices.ca_file()).unwrap()).unwrap();
        // The files' names may hold such words themselves.
        let clients = clients.replace("CA", "\0").replace("CRL", &format!("{crl:?}"));
        let clients = clients.replace('\0', &format!("{ca:?}"));
        let config = format!(
            "listeners:\n- name: site\n  bind: LISTEN\n  tls:\n    certificates: [{{cert: {:?}, key: {:?}}}]\n    \
             client_certificates: {{{clients}}}\n\
             authentication: [{{name: devices, certificate: {{subject: dns}}}}]\n\
             {UPSTREAM}routes: [{{name: all, upstream: backend{route}}}]\n",
            own.certificate_file, own.key_file
        );
        Self { stage: Stage::start(&config).await, site, devices, honest, files, config }
    }

    async fn reload(&self, config: &str) {
        let address = self.stage.ports[0].addr().to_string();
        let backend = self.stage.backend.addr().unwrap().to_string();
        let config = config.replace("LISTEN", &address).replace("BACKEND", &backend);
        self.stage.gateway.reload(&config, "configuration reloaded").await.unwrap();
    }

    fn endpoint(&self, client: Arc<ClientConfig>) -> Endpoint {
        Endpoint::tls(self.stage.ports[0].addr(), client)
    }

    fn client_as(&self, identity: &Identity) -> Arc<ClientConfig> {
        self.site.client_as(&["http/1.1"], identity).unwrap()
    }

    fn honest(&self) -> Endpoint {
        self.endpoint(self.client_as(&self.honest))
    }

    /// The client's handshake fails, or the connection ends before any answer; nothing reaches the backend, and the next
    /// honest client is served.
    async fn refuses(&self, attacker: &Endpoint) {
        let before = self.stage.backend.recorded().len();
        // In TLS 1.3 a client may believe that the handshake is done until the server's alert comes.
        if let Ok(mut client) = RawClient::connect(attacker).await {
            client.send(&Upgrade::new("/attack").bytes()).await.ok();
            assert_eq!(client.rest().await.unwrap().escape_ascii().to_string(), "");
        }
        self.serves_honest(before).await;
    }

    async fn serves_honest(&self, before: usize) {
        AttackProof::new(self.honest(), &self.stage.backend, "/").honest().await.unwrap();
        let recorded = self.stage.backend.recorded();
        assert_eq!(recorded.len(), before + 1);
        assert!(recorded.iter().all(|recorded| recorded.target().unwrap().starts_with("/?honest")));
    }

    /// Writes the list of revocations, and waits until it is in force.
    async fn revoke(&self, revoked: &[&Identity]) {
        let seen = self.stage.gateway.process().lines_with(REPLACED);
        self.files.write("devices.crl", self.devices.revocations(revoked, true).unwrap()).unwrap();
        self.stage.gateway.process().more_lines(REPLACED, seen, PATIENCE).await.unwrap();
    }
}

const REPLACED: &str = "authorities and revocations of client certificates replaced";

#[tokio::test]
async fn who_has_no_good_certificate_is_refused() {
    let site = Site::start("ca: CA, crl: CRL", "").await;
    let (stranger, namesake) = (Authority::new().unwrap(), Authority::new().unwrap());
    let attackers = [
        ("none", site.site.client(&["http/1.1"]).unwrap()),
        ("of another authority", site.client_as(&stranger.issue(&["honest.device"]).unwrap())),
        ("of an authority of the same name", site.client_as(&namesake.issue(&["device"]).unwrap())),
        ("of the gateway's own authority", site.client_as(&site.site.issue(&["device"]).unwrap())),
        ("expired", site.client_as(&site.devices.issue_expired(&["old.device"]).unwrap())),
    ];
    for (what, client) in attackers {
        eprintln!("certificate: {what}");
        site.refuses(&site.endpoint(client)).await;
    }
}

#[tokio::test]
async fn a_certificate_of_which_only_the_chain_is_known_is_refused() {
    let site = Site::start("ca: CA, crl: CRL", "").await;
    // The honest client's certificate, shown by somebody who has another key.
    let mut thief = site.honest.clone();
    thief.key = site.devices.issue(&["thief"]).unwrap().key;
    site.refuses(&site.endpoint(site.client_as(&thief))).await;
}

#[tokio::test]
async fn a_certificate_revoked_since_is_refused_also_with_a_ticket() {
    let site = Site::start("ca: CA, crl: CRL", "").await;
    let victim = site.devices.issue(&["lost.device"]).unwrap();
    // The configuration keeps what a server gives for resumption.
    let lost = site.endpoint(site.client_as(&victim));
    for _ in 0..2 {
        let mut client = RawClient::open(&lost, "/?honest=before").await.unwrap();
        client.echoes("before").await.unwrap();
        client.close(1000).await.unwrap();
    }
    site.revoke(&[&victim]).await;
    site.refuses(&lost).await;
    site.revoke(&[]).await;
    RawClient::open(&lost, "/?honest=again").await.unwrap().echoes("again").await.unwrap();
}

/// Of sessions that are open, a new list ends those of whom it revokes; neither does an overdue one, nor one of somebody else.
#[tokio::test]
async fn a_certificate_revoked_since_ends_its_sessions_and_no_others() {
    let site = Site::start("ca: CA, crl: CRL", "").await;
    let victim = site.devices.issue(&["lost.device"]).unwrap();
    let lost = site.endpoint(site.client_as(&victim));
    let (mut theirs, mut ours) = (
        RawClient::open(&lost, "/?honest=lost").await.unwrap(),
        RawClient::open(&site.honest(), "/?honest=kept").await.unwrap(),
    );
    let mut idle = RawClient::connect(&lost).await.unwrap();
    for list in [site.devices.revocations(&[], false).unwrap(), site.site.revocations(&[], true).unwrap()] {
        let seen = site.stage.gateway.process().lines_with(REPLACED);
        site.files.write("devices.crl", list).unwrap();
        site.stage.gateway.process().more_lines(REPLACED, seen, PATIENCE).await.unwrap();
        theirs.echoes("nothing is known of it").await.unwrap();
    }
    // Files are followed for sessions from before a reload, too.
    site.reload(&format!("{}# reloaded\n", site.config)).await;
    theirs.echoes("before").await.unwrap();
    site.revoke(&[&victim]).await;
    assert_eq!(theirs.ended().await.unwrap(), Ended::Closed(Some(1008)));
    site.stage.gateway.log("session.closed").await.unwrap();
    let before = site.stage.backend.recorded().len();
    // A connection whose handshake was before.
    idle.send(&Upgrade::new("/attack").bytes()).await.unwrap();
    assert_eq!(idle.head().await.unwrap().status().unwrap(), 401);
    site.serves_honest(before).await;
    ours.echoes("after").await.unwrap();
}

#[tokio::test]
async fn an_authority_that_is_trusted_no_more_ends_the_sessions_of_its_clients() {
    let site = Site::start("ca: CA", "").await;
    let mut client = RawClient::open(&site.honest(), "/?honest=before").await.unwrap();
    client.echoes("before").await.unwrap();
    let other = Authority::new().unwrap();
    site.files.write("devices.pem", std::fs::read(other.ca_file()).unwrap()).unwrap();
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1008)));
}

/// A ticket from the time when nobody was asked for a certificate opens nothing.
#[tokio::test]
async fn a_ticket_from_before_certificates_were_asked_for_is_worth_nothing() {
    let site = Site::start("mode: none", "").await;
    let anybody = site.endpoint(site.site.client(&["http/1.1"]).unwrap());
    let mut client = RawClient::open(&anybody, "/?honest=before").await.unwrap();
    client.echoes("before").await.unwrap();
    let ca = format!("ca: {:?}", site.files.join("devices.pem"));
    site.reload(&site.config.replace("mode: none", &ca)).await;
    site.refuses(&anybody).await;
    client.echoes("sessions that were open go on").await.unwrap();
}

#[tokio::test]
async fn an_expired_list_and_one_that_is_missing_refuse_everybody() {
    let site = Site::start("ca: CA, crl: CRL", "").await;
    let seen = site.stage.gateway.process().lines_with(REPLACED);
    site.files.write("devices.crl", site.devices.revocations(&[], false).unwrap()).unwrap();
    site.stage.gateway.process().more_lines(REPLACED, seen, PATIENCE).await.unwrap();
    site.stage.gateway.log("has expired").await.unwrap();
    assert_refused(&site.honest()).await;
    // A list of somebody else says nothing about this issuer.
    let seen = site.stage.gateway.process().lines_with(REPLACED);
    site.files.write("devices.crl", site.site.revocations(&[], true).unwrap()).unwrap();
    site.stage.gateway.process().more_lines(REPLACED, seen, PATIENCE).await.unwrap();
    assert_refused(&site.honest()).await;
    assert!(site.stage.backend.recorded().is_empty());
    site.revoke(&[]).await;
    site.serves_honest(0).await;
}

async fn assert_refused(endpoint: &Endpoint) {
    if let Ok(mut client) = RawClient::connect(endpoint).await {
        client.send(&Upgrade::new("/attack").bytes()).await.ok();
        assert_eq!(client.rest().await.unwrap().escape_ascii().to_string(), "");
    }
}

#[tokio::test]
async fn a_broken_file_keeps_what_was_there() {
    let site = Site::start("ca: CA, crl: CRL", "").await;
    let victim = site.devices.issue(&["lost.device"]).unwrap();
    site.revoke(&[&victim]).await;
    for (file, content) in [("devices.crl", "broken"), ("devices.pem", "")] {
        const KEPT: &str = "new authorities or revocations not usable, the old ones stay";
        let seen = site.stage.gateway.process().lines_with(KEPT);
        site.files.write(file, content).unwrap();
        site.stage.gateway.process().more_lines(KEPT, seen, PATIENCE).await.unwrap();
        site.refuses(&site.endpoint(site.client_as(&victim))).await;
    }
}

#[tokio::test]
async fn a_replaced_authority_is_followed_at_once() {
    let site = Site::start("ca: CA", "").await;
    let other = Authority::new().unwrap();
    let stranger = site.endpoint(site.client_as(&other.issue(&["other.device"]).unwrap()));
    site.refuses(&stranger).await;
    let both =
        [std::fs::read(site.devices.ca_file()).unwrap(), std::fs::read(other.ca_file()).unwrap()].concat();
    let seen = site.stage.gateway.process().lines_with(REPLACED);
    site.files.write("devices.pem", both).unwrap();
    site.stage.gateway.process().more_lines(REPLACED, seen, PATIENCE).await.unwrap();
    RawClient::open(&stranger, "/?honest=now").await.unwrap().echoes("now").await.unwrap();
}

#[tokio::test]
async fn where_certificates_are_optional_the_route_decides_and_a_bad_one_is_refused_all_the_same() {
    let route = ", admission: {authentication: {any: [devices]}}";
    let site = Site::start("mode: optional, ca: CA, crl: CRL", route).await;
    let nobody = site.endpoint(site.site.client(&["http/1.1"]).unwrap());
    let before = site.stage.backend.recorded().len();
    let mut client = RawClient::connect(&nobody).await.unwrap();
    client.send(&Upgrade::new("/attack").bytes()).await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 401);
    site.serves_honest(before).await;
    let stranger = Authority::new().unwrap().issue(&["honest.device"]).unwrap();
    site.refuses(&site.endpoint(site.client_as(&stranger))).await;
}

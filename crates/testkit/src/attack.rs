//! The three things an attack test has to show: it was rejected so, nothing of it was forwarded, the next honest client
//! was served.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};

use crate::raw::{Ended, Endpoint, Frame, RawClient, Recorded, RecordingBackend, Upgrade, opcode};

/// How the gateway turned an attack away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// With an HTTP status before there was a WebSocket.
    Status(u16),
    /// With a close code.
    Closed(u16),
    /// With the end of the connection and nothing else.
    Dropped,
}

/// A gateway under attack and the backend behind it, which must answer with [`crate::raw::Answer::Echo`].
///
/// The backend should see nothing but these clients: no health checks, no other tests.
#[derive(Debug)]
pub struct AttackProof<'a> {
    gateway: Endpoint,
    backend: &'a RecordingBackend,
    path: String,
    extensions: Option<String>,
    credential: Option<(String, String)>,
    honest: String,
}

impl<'a> AttackProof<'a> {
    /// A proof for the route at `path`.
    pub fn new(gateway: Endpoint, backend: &'a RecordingBackend, path: &str) -> Self {
        Self {
            gateway,
            backend,
            path: path.to_owned(),
            extensions: None,
            credential: None,
            honest: "honest".into(),
        }
    }

    /// The same with these WebSocket extensions offered by attacked sessions.
    pub fn offering(self, extensions: &str) -> Self {
        Self { extensions: Some(extensions.to_owned()), ..self }
    }

    /// The same with this header in the requests of honest clients.
    pub fn with_credential(self, name: &str, value: &str) -> Self {
        Self { credential: Some((name.to_owned(), value.to_owned())), ..self }
    }

    /// The same with this said by honest clients.
    pub fn saying(self, honest: &str) -> Self {
        Self { honest: honest.to_owned(), ..self }
    }

    /// Bytes in place of a request are answered with this status, and not forwarded.
    pub async fn bytes(&self, attack: &[u8], status: u16) -> Result<()> {
        self.request_rejected(attack, Rejected::Status(status)).await
    }

    /// A bent upgrade request is answered with this status, and not forwarded.
    pub async fn request(&self, attack: &Upgrade, status: u16) -> Result<()> {
        self.request_rejected(&attack.bytes(), Rejected::Status(status)).await
    }

    /// Bytes in place of a request, also of a TLS or PROXY protocol opening, end like this and are not forwarded.
    pub async fn request_rejected(&self, attack: &[u8], expected: Rejected) -> Result<()> {
        let before = self.backend.recorded();
        let mut client = RawClient::connect(&self.gateway).await?;
        // A gateway may turn it away before it was written whole.
        client.send(attack).await.ok();
        let rejected = response_or_end(&mut client).await?;
        ensure!(rejected == expected, "{rejected:?} instead of {expected:?}");
        let honest = self.honest().await?;
        let reached = growth(&before, &self.backend.recorded(), |target| target == honest);
        ensure!(reached.is_empty(), "the backend got {}", reached.escape_ascii());
        Ok(())
    }

    /// Frames on an open session close it with this code; none of their messages is forwarded.
    pub async fn frames(&self, attack: &[Frame], code: u16) -> Result<()> {
        let bytes: Vec<u8> = attack.iter().flat_map(Frame::bytes).collect();
        self.session(&bytes, Rejected::Closed(code), &[]).await
    }

    /// Bytes on an open session end it like this. Only the `lawful` data frames before the attack are forwarded, which may
    /// arrive in other fragments.
    pub async fn session(&self, attack: &[u8], expected: Rejected, lawful: &[Frame]) -> Result<()> {
        let target = self.target("attack");
        let mut upgrade = Upgrade::new(&target);
        if let Some(extensions) = &self.extensions {
            upgrade = upgrade.with("Sec-WebSocket-Extensions", extensions);
        }
        let mut client = RawClient::connect(&self.gateway).await?;
        client.upgrade(&upgrade).await?;
        client.send_and_read(attack).await.ok();
        let rejected = match client.ended().await? {
            Ended::Closed(code) => Rejected::Closed(code.context("a close frame without a code")?),
            Ended::Dropped => Rejected::Dropped,
        };
        ensure!(rejected == expected, "{rejected:?} instead of {expected:?}");
        let ended = |recorded: &Recorded| recorded.ended && recorded.target().as_deref() == Some(&target);
        let (_, recorded) = self.backend.until("the end of the attacked session", ended).await?;
        ensure!(
            forwarded(&recorded) == payloads(lawful),
            "the backend got {}",
            recorded.after.escape_ascii()
        );
        self.honest().await.map(drop)
    }

    /// An honest client is served, now. Gives the target it used.
    pub async fn honest(&self) -> Result<String> {
        let target = self.target("honest");
        let served = async {
            let mut upgrade = Upgrade::new(&target);
            if let Some((name, value)) = &self.credential {
                upgrade = upgrade.with(name, value);
            }
            let mut client = RawClient::connect(&self.gateway).await?;
            client.upgrade(&upgrade).await?;
            client.echoes(&self.honest).await?;
            let ended = client.close(1000).await?;
            ensure!(ended == Ended::Closed(Some(1000)), "its session ended with {ended:?}");
            Ok(())
        };
        served.await.context("the next honest client was not served")?;
        Ok(target)
    }

    fn target(&self, who: &str) -> String {
        // No two sessions share a target, whatever the number of proofs for one backend.
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        format!("{}?{who}={serial}", self.path)
    }
}

async fn response_or_end(client: &mut RawClient) -> Result<Rejected> {
    match client.head_or_end().await? {
        Some(head) => Ok(Rejected::Status(head.status()?)),
        None => Ok(Rejected::Dropped),
    }
}

/// The bytes that came to the backend between two looks, without connections whose growth is one request for a known target.
fn growth(before: &[Recorded], after: &[Recorded], known: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut grown = Vec::new();
    for (number, recorded) in after.iter().enumerate() {
        let old = before.get(number);
        let heads = recorded.heads.get(old.map_or(0, |old| old.heads.len())..).unwrap_or_default();
        let fresh = recorded.bytes.get(old.map_or(0, |old| old.bytes.len())..).unwrap_or_default();
        let honest = matches!(heads, [head] if known(&head.target()) && fresh.starts_with(&head.bytes));
        if !honest {
            grown.extend_from_slice(fresh);
        }
    }
    grown
}

/// The data that reached the backend, as far as it is whole frames or the beginning of one. Control frames are the gateway's.
fn forwarded(recorded: &Recorded) -> Vec<u8> {
    let frames = recorded.frames();
    let whole: usize = frames.iter().map(|frame| frame.bytes().len()).sum();
    let data = payloads(&frames);
    // What is left of an unfinished frame counts as well, with its header, so that it can be no lawful payload.
    [data.as_slice(), recorded.after.get(whole..).unwrap_or_default()].concat()
}

fn payloads(frames: &[Frame]) -> Vec<u8> {
    frames
        .iter()
        .filter(|frame| frame.opcode < opcode::CLOSE)
        .flat_map(|frame| frame.payload.clone())
        .collect()
}

//! Probes: each target is asked again and again whether it still answers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::header::HOST;
use http::{Method, Request, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::config::{ActiveConfig, ProbeKind};
use crate::net::Stream;
use crate::upstream::body::{Progress, empty};
use crate::upstream::config::{Protocol, UpstreamConfig};
use crate::upstream::http2::{self, Http2};
use crate::upstream::target::Target;
use crate::upstream::websocket::{Offer, Outcome, attempt, bare_request};
use crate::upstream::{http1, jitter};

/// How long a target has to close its side of a probe's WebSocket, and how much it may still say.
const LAST_WORDS: (Duration, u64) = (Duration::from_secs(1), 64 << 10);

/// Probes a target until `stop`.
pub(in crate::upstream) async fn keep_probing(
    upstream: Arc<UpstreamConfig>,
    config: ActiveConfig,
    target: Arc<Target>,
    stop: CancellationToken,
) {
    let mut verdict = Verdict::new(&config);
    // Not all targets of all upstreams in the same moment.
    let mut pause = config.interval.mul_f64(rand::random_range(0.0..0.1));
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        let found = tokio::select! {
            found = timeout(config.timeout, probe(&upstream, &config, &target)) => found,
            () = stop.cancelled() => return,
        };
        let failure = found.unwrap_or_else(|_| Err("no answer in time".into())).err();
        if failure.is_some() {
            target.counters().failed_probes.fetch_add(1, Relaxed);
        }
        if let Some(up) = verdict.note(failure.is_none())
            && target.health.set_probed(up)
        {
            let (upstream, target) = (&upstream.name, target.address());
            match failure {
                None => tracing::info!(%upstream, %target, "target is healthy again"),
                Some(reason) => tracing::warn!(%upstream, %target, %reason, "target is unhealthy"),
            }
        }
        pause = jitter(config.interval);
    }
}

/// Counts probes of one kind in a row.
#[derive(Debug)]
struct Verdict {
    healthy_after: u32,
    unhealthy_after: u32,
    up: bool,
    against: u32,
}

impl Verdict {
    fn new(config: &ActiveConfig) -> Self {
        let ActiveConfig { healthy_after, unhealthy_after, .. } = *config;
        Self { healthy_after, unhealthy_after, up: true, against: 0 }
    }

    /// Notes a probe; the new state if that changes it.
    fn note(&mut self, good: bool) -> Option<bool> {
        if good == self.up {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let needed = if self.up { self.unhealthy_after } else { self.healthy_after };
        if self.against < needed {
            return None;
        }
        self.against = 0;
        self.up = good;
        Some(good)
    }
}

/// One probe, over a connection of its own.
async fn probe(upstream: &UpstreamConfig, config: &ActiveConfig, target: &Target) -> Result<(), String> {
    let host = config.host.clone().unwrap_or(target.address().authority.clone());
    let uri = Uri::from(config.path.clone());
    match config.kind {
        ProbeKind::Http => {
            let mut request = Request::new(empty());
            *request.method_mut() = Method::GET;
            *request.uri_mut() = uri;
            request.headers_mut().insert(HOST, host);
            let status = status(upstream, target, request).await?;
            if config.expect.0.contains(&status) { Ok(()) } else { Err(format!("status {status}")) }
        }
        ProbeKind::Websocket => {
            let mut request = bare_request(&uri);
            request.headers.insert(HOST, host);
            let fresh = Http2::default();
            let offer = Offer::default();
            match attempt(&fresh, target, upstream, &mut request, &offer).await {
                Ok(Outcome::WebSocket { stream, .. }) => {
                    close(stream).await;
                    Ok(())
                }
                Ok(Outcome::Refused(response)) => {
                    Err(format!("handshake refused with {}", response.status()))
                }
                Err(failed) => Err(failed.error.to_string()),
            }
        }
    }
}

async fn status(
    upstream: &UpstreamConfig,
    target: &Target,
    request: Request<crate::upstream::body::RequestBody>,
) -> Result<u16, String> {
    let (nothing, progress) = Progress::watch(empty());
    drop(nothing);
    let status = match upstream.protocol {
        Protocol::Http1 => {
            let lease = http1::open(target, upstream).await.map_err(|error| error.to_string())?;
            http1::send(lease, upstream, request, &progress).await.map(|(response, _)| response.status())
        }
        Protocol::Http2 => {
            let fresh = Http2::default();
            http2::exchange(&fresh, target, upstream, request, &progress)
                .await
                .map(|response| response.status())
        }
    };
    status.map(|status| status.as_u16()).map_err(|failure| failure.error.to_string())
}

/// Sends a close frame with code 1000 and waits a moment for the target to go.
async fn close(mut stream: Stream) {
    let key: [u8; 4] = rand::random();
    let [a, b, c, d] = key;
    let [high, low] = 1000u16.to_be_bytes();
    let frame = [0x88, 0x82, a, b, c, d, high ^ a, low ^ b];
    let (time, most) = LAST_WORDS;
    let closing = async {
        stream.write_all(&frame).await?;
        stream.flush().await?;
        tokio::io::copy(&mut (&mut stream).take(most), &mut tokio::io::sink()).await
    };
    // The handshake was good: how the target says good-bye does not change that.
    let _ = timeout(time, closing).await;
    let _ = timeout(time, stream.shutdown()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_enough_probes_in_a_row_change_the_verdict() {
        let mut verdict = Verdict { healthy_after: 2, unhealthy_after: 3, up: true, against: 0 };
        let notes = |verdict: &mut Verdict, probes: &[bool]| {
            probes.iter().map(|good| verdict.note(*good)).collect::<Vec<_>>()
        };
        assert_eq!(notes(&mut verdict, &[false, false, true, false, false]), [None; 5]);
        assert_eq!(verdict.note(false), Some(false));
        assert_eq!(notes(&mut verdict, &[true, false, true]), [None; 3]);
        assert_eq!(verdict.note(true), Some(true));
    }
}

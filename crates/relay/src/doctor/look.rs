//! What becomes of messages on the way: their sizes and borders, their masks, the time that they take, and the headers before them.

use std::io;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::clean;
use super::control::{Granted, Pipe, ended, open};
use super::finding::{Check, Finding};
use super::path::Way;
use crate::broker::Preamble;
use crate::probe::{HEAD, MAX_MESSAGE, NONCE, Report, TRICKLE, TRICKLE_STEP, What, read, write};

/// The lengths of messages that are tried, in bytes, the head included.
const LENGTHS: [usize; 12] =
    [HEAD + 1, 125, 126, 1000, 2048, 4096, 8192, NEEDED, 32_768, 65_536, 262_144, MAX_MESSAGE];
/// The length that sessions need.
const NEEDED: usize = 16_384;
/// A message that takes so much longer than another has been held back: half of the time over which they are sent.
const HELD: Duration = Duration::from_millis(350);
/// What holds messages back does so each time; a machine or a network that stood still for a moment does not.
const TURNS: u32 = 3;
/// How long a message may take to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the gateway saw, for the report.
#[derive(Clone, Debug, Serialize)]
pub struct Inside {
    /// The gateway's name.
    pub gateway: String,
    /// The gateway's version.
    pub version: String,
    /// What it saw of the request and the frames.
    pub saw: Report,
    /// The headers that were added on the way.
    pub added: Vec<String>,
    /// The headers that were lost on the way.
    pub lost: Vec<String>,
    /// The longest message that came back, in bytes.
    pub longest: usize,
}

/// A carrier on which the gateway answers.
pub(super) struct Probe {
    pub(super) pipe: Pipe,
}

impl Probe {
    /// Opens one.
    pub(super) async fn open(way: &Way, granted: &Granted) -> Result<Self, String> {
        let mut pipe = open(way).await?;
        pipe.frames.send_up_to(MAX_MESSAGE);
        let begun = async {
            let preamble = Preamble(granted.ticket.clone()).encode_probe();
            pipe.stream.write_all(&preamble.ok_or(io::ErrorKind::InvalidData)?).await?;
            pipe.stream.flush().await?;
            let mut nonce = [0; NONCE];
            pipe.stream.read_exact(&mut nonce).await?;
            pipe.stream.write_all(&granted.key.mac(&nonce)).await?;
            pipe.stream.flush().await
        };
        match timeout(PATIENCE, begun).await {
            Ok(Ok(())) => Ok(Self { pipe }),
            Ok(Err(error)) => Err(ended(&error, &pipe.frames)),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    /// Asks, and gives the answer.
    pub(super) async fn ask(&mut self, what: What, content: &[u8]) -> Result<Vec<u8>, String> {
        let asked = async {
            write(&mut self.pipe.stream, what, content).await?;
            self.read().await
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(ended(&error, &self.pipe.frames)),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let (_, content) = read(&mut self.pipe.stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(content)
    }

    async fn stamp(&mut self) -> Result<Duration, String> {
        match timeout(PATIENCE, self.read()).await {
            Ok(Ok(answer)) => stamp(&answer),
            Ok(Err(error)) => Err(ended(&error, &self.pipe.frames)),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    async fn report(&mut self) -> Result<Report, String> {
        let report = self.ask(What::Report, b"").await?;
        serde_json::from_slice(&report).map_err(|error| error.to_string())
    }
}

/// Looks at all of it.
pub(super) async fn look(way: &Way, granted: &Granted, found: &mut Vec<Finding>) -> Option<Inside> {
    let mut probe = match Probe::open(way, granted).await {
        Ok(probe) => probe,
        Err(why) => {
            found.push(Finding::fail(Check::BinaryBlocked, format!("no carrier to look at the way: {why}")));
            return None;
        }
    };
    let saw = match probe.report().await {
        Ok(saw) => cleaned(saw),
        Err(why) => {
            found.push(Finding::fail(
                Check::BinaryBlocked,
                format!("a message of 5 bytes does not pass: {why}"),
            ));
            return None;
        }
    };
    let (added, lost) = headers(&probe.pipe.sent, &saw, found);
    // First: it needs a carrier that stands, and long messages may break it.
    buffering(&mut probe, found).await;
    let mut inside = Inside {
        gateway: granted.gateway.to_string(),
        version: granted.version.to_string(),
        saw,
        added,
        lost,
        longest: 0,
    };
    sizes(&mut probe, &mut inside, found).await;
    let frames = inside.saw.frames;
    found.push(match frames.unmasked {
        0 => Finding::pass(Check::Unmasked, "the gateway gets this client's frames masked"),
        _ => Finding::warn(
            Check::Unmasked,
            "the gateway gets this client's frames unmasked, and takes them from this proxy",
        ),
    });
    Some(inside)
}

/// Messages of growing length, there and back.
async fn sizes(probe: &mut Probe, inside: &mut Inside, found: &mut Vec<Finding>) {
    let mut broke = None;
    for length in LENGTHS {
        let sent = bytes(length - HEAD);
        match probe.ask(What::Echo, &sent).await {
            Ok(back) if back == sent => inside.longest = length,
            Ok(_) => broke = Some((length, "it comes back changed".to_owned())),
            Err(why) => broke = Some((length, why)),
        }
        if broke.is_some() {
            break;
        }
        if let (NEEDED, Ok(saw)) = (length, probe.report().await) {
            inside.saw.frames = saw.frames;
        }
    }
    let longest = inside.longest;
    let finding = match &broke {
        Some((length, why)) if longest == 0 => Finding::fail(
            Check::BinaryBlocked,
            format!("a binary message of {length} bytes does not pass: {why}"),
        ),
        _ => Finding::pass(
            Check::BinaryBlocked,
            format!("binary messages come back as they were sent, up to {longest} bytes"),
        ),
    };
    found.push(finding);
    let largest = inside.saw.frames.largest;
    let borders = match largest {
        0 => String::new(),
        largest if largest < NEEDED as u64 => {
            format!("; on the way they are cut into frames of {largest} bytes at most")
        }
        _ => "; each arrives as one frame".to_owned(),
    };
    match broke {
        Some((length, why)) if longest > 0 && longest < NEEDED => {
            let text = format!("a message of {longest} bytes passes, one of {length} does not: {why}");
            found.push(Finding::fail(Check::SmallFrames, text));
        }
        Some((length, _)) if longest > 0 => {
            let text = format!(
                "messages of {NEEDED} bytes pass{borders}; those of {length} do not, and are not needed"
            );
            found.push(Finding::pass(Check::SmallFrames, text));
        }
        Some(_) => {}
        None => {
            found.push(Finding::pass(Check::SmallFrames, format!("messages of {NEEDED} bytes pass{borders}")))
        }
    }
}

/// Small writes with pauses between them, in both directions: each arrives as soon as the others, or is held back.
async fn buffering(probe: &mut Probe, found: &mut Vec<Finding>) {
    let outcome = async {
        let mut ways = [("from", Duration::MAX), ("to", Duration::MAX)];
        for _ in 0..TURNS {
            ways[0].1 = ways[0].1.min(held(&trickle_down(probe).await?));
            ways[1].1 = ways[1].1.min(held(&trickle_up(probe).await?));
            if ways.iter().all(|(_, held)| *held <= HELD) {
                break;
            }
        }
        Ok::<_, String>(ways)
    };
    found.push(match outcome.await {
        Err(why) => Finding::fail(Check::Buffering, format!("small messages do not arrive: {why}")),
        Ok(ways) => match ways.iter().find(|(_, held)| *held > HELD) {
            Some((way, held)) => {
                let text = format!(
                    "small messages {way} the gateway are held back, some {} ms longer than others",
                    held.as_millis()
                );
                Finding::warn(Check::Buffering, text)
            }
            None => {
                Finding::pass(Check::Buffering, "small messages arrive as they are sent, in both directions")
            }
        },
    });
}

/// By how much the slowest message was slower than the fastest; of each, when it was sent and when it arrived, each by a clock of its own.
fn held(messages: &[(Duration, Duration)]) -> Duration {
    let took = || messages.iter().map(|(sent, arrived)| arrived.as_secs_f64() - sent.as_secs_f64());
    let (least, most) = (took().fold(f64::INFINITY, f64::min), took().fold(f64::NEG_INFINITY, f64::max));
    Duration::try_from_secs_f64(most - least).unwrap_or_default()
}

async fn trickle_down(probe: &mut Probe) -> Result<Vec<(Duration, Duration)>, String> {
    let start = Instant::now();
    let mut messages = vec![(stamp(&probe.ask(What::Trickle, b"").await?)?, start.elapsed())];
    for _ in 1..TRICKLE {
        messages.push((probe.stamp().await?, start.elapsed()));
    }
    Ok(messages)
}

async fn trickle_up(probe: &mut Probe) -> Result<Vec<(Duration, Duration)>, String> {
    let start = Instant::now();
    let mut sent = Vec::new();
    for number in 0..TRICKLE {
        if number > 0 {
            sleep(TRICKLE_STEP).await;
        }
        sent.push(start.elapsed());
        let written = timeout(PATIENCE, write(&mut probe.pipe.stream, What::Stamp, b"")).await;
        written
            .map_err(|_| "it is not taken".to_owned())?
            .map_err(|error| ended(&error, &probe.pipe.frames))?;
    }
    let mut messages = Vec::new();
    for sent in sent {
        messages.push((sent, probe.stamp().await?));
    }
    Ok(messages)
}

fn stamp(bytes: &[u8]) -> Result<Duration, String> {
    let stamp = bytes.try_into().map(|stamp| Duration::from_millis(u64::from_be_bytes(stamp)));
    stamp.map_err(|_| "an answer that is none".to_owned())
}

/// Which headers of the request were added and lost on the way.
fn headers(sent: &http::HeaderMap, saw: &Report, found: &mut Vec<Finding>) -> (Vec<String>, Vec<String>) {
    // Over HTTP/2 the upgrade is another, and the host has another place (RFC 8441).
    let of_http1 = ["host", "connection", "upgrade", "sec-websocket-key"];
    let has = |name: &str| saw.headers.iter().any(|(seen, _)| seen == name);
    let is_lost = |name: &&str| !has(name) && (saw.http == "HTTP/1.1" || !of_http1.contains(name));
    let lost: Vec<String> =
        sent.keys().map(|name| name.as_str()).filter(is_lost).map(str::to_owned).collect();
    let mut added: Vec<String> =
        saw.headers.iter().map(|(name, _)| name.clone()).filter(|name| !sent.contains_key(name)).collect();
    added.sort();
    added.dedup();
    let added_text = if added.is_empty() { "none".to_owned() } else { added.join(", ") };
    found.push(match lost.is_empty() {
        true => Finding::pass(
            Check::HeadersStripped,
            format!("all arrive at the gateway, by {}; added: {added_text}", saw.http),
        ),
        false => Finding::warn(
            Check::HeadersStripped,
            format!("lost on the way: {}; added: {added_text}", lost.join(", ")),
        ),
    });
    (added, lost)
}

fn cleaned(mut saw: Report) -> Report {
    saw.http = clean::text(&saw.http);
    for (name, value) in &mut saw.headers {
        (*name, *value) = (clean::text(name), clean::text(value));
    }
    saw
}

/// Bytes that no filter takes for text, and that nothing can make shorter.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_arrive_together_were_held_back() {
        let of = |arrived: [u64; 4]| {
            let pairs: Vec<_> = (0..4)
                .map(|n| Duration::from_millis(n * 100))
                .zip(arrived.map(Duration::from_millis))
                .collect();
            held(&pairs).as_millis()
        };
        // However long the way is.
        assert_eq!(of([5_000, 5_100, 5_200, 5_300]), 0);
        assert_eq!(of([300, 300, 300, 300]), 300);
        // The first goes on at once, and the rest when nothing more comes.
        assert_eq!(of([0, 450, 450, 450]), 350);
        assert_eq!(held(&[]), Duration::ZERO);
    }
}

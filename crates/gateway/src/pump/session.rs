//! A session from its handshake to its end: both directions, pings, deadlines, and the close handshake.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep, sleep};
use wicketgate_admission::SharedRates;
use wicketgate_wire::deflate::Params;
use wicketgate_wire::{Budget, Close, CloseCode, Header, Opcode, Rsv, write_control};

use super::config::WebSocketConfig;
use super::control::{Control, Order};
use super::end::{End, Side};
use super::flow::{Counters, Flow, PingToken};
use super::inflate::Inflation;
use super::inspector::Inspector;
use super::lane::{Lane, Port, Rules};
use super::renew::Renew;
use super::traffic::{Moved, Traffic};
use crate::net::Stream;

/// How often shared counters are brought up to date.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// No timer is set farther than this.
const FAR: Duration = Duration::from_secs(365 * 86_400);

/// One side of a new session.
pub struct Peer {
    /// Its connection, the handshake done.
    pub stream: Stream,
    /// Bytes that came with its handshake.
    pub early: Bytes,
    /// Reserved bits that were negotiated with it.
    pub rsv: Rsv,
    /// permessage-deflate as the gateway itself negotiated it with this side.
    pub deflate: Option<Params>,
}

/// Both sides of a new session, and what governs it.
pub struct Ends {
    /// The side that came to us.
    pub client: Peer,
    /// The side that we dialled.
    pub upstream: Peer,
    /// The route's settings.
    pub config: Arc<WebSocketConfig>,
    /// What messages are judged with.
    pub inspector: Inspector,
    /// When the session ends whatever happens, and for what reason: with the client's credential.
    pub until: Option<(Instant, End)>,
    /// How the client renews its credential, where it may.
    pub renew: Option<Renew>,
    /// Where orders come from.
    pub control: Arc<Control>,
    /// Memory for unfinished messages, shared by all sessions.
    pub assembly: Arc<Budget>,
    /// Memory for inflation, shared by all sessions.
    pub inflate: Arc<Budget>,
    /// Where the route's traffic is counted.
    pub traffic: Arc<Traffic>,
    /// Where the session's own is.
    pub moved: Arc<Moved>,
    /// What all sessions of the client's identity have used together, where it has one.
    pub rates: Option<SharedRates>,
}

/// What a session came to.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Why it ended.
    pub end: End,
    /// What the client sent.
    pub client: Counters,
    /// What the upstream sent.
    pub upstream: Counters,
    /// How long it lasted.
    pub duration: Duration,
}

/// Runs a session to its end. Idle sessions are many: its state is made here once, and not moved into a future that has
/// room for what it was made of as well.
pub fn run(ends: Ends) -> impl Future<Output = Summary> + Send {
    let mut session = Session::new(ends);
    async move {
        let end = poll_fn(|cx| session.poll(cx)).await;
        session.count(session.started.elapsed());
        Summary {
            end,
            client: session.up.flow.counters(),
            upstream: session.down.flow.counters(),
            duration: session.started.elapsed(),
        }
    }
}

/// An end that was decided and is being carried out.
#[derive(Clone, Copy)]
struct Closing {
    end: End,
    deadline: Duration,
    /// Both sides were sent all that they will be sent.
    said: bool,
}

struct Session {
    client: Port,
    upstream: Port,
    up: Lane,
    down: Lane,
    config: Arc<WebSocketConfig>,
    inspector: Inspector,
    until: Option<(Duration, End)>,
    control: Arc<Control>,
    /// The one that `control` knows.
    waker: Option<Waker>,
    started: Instant,
    timer: Pin<Box<Sleep>>,
    /// When the timer will fire, since the start.
    armed: Duration,
    /// When the last whole message went either way.
    last_message: Duration,
    /// The side that sent the first close frame, and when.
    first_close: Option<(Side, Duration)>,
    closing: Option<Closing>,
    traffic: Arc<Traffic>,
    moved: Arc<Moved>,
    /// What `traffic` has of both sides, and since when.
    counted: (Counters, Counters),
    counted_at: Duration,
}

impl Session {
    fn new(ends: Ends) -> Self {
        let Ends {
            client,
            upstream,
            config,
            inspector,
            until,
            renew,
            control,
            assembly,
            inflate,
            traffic,
            moved,
            rates,
        } = ends;
        let inflation = |from, own: Option<Params>, other| {
            own.map(|own| Inflation::new(from, own, other, &config, inflate.clone()))
        };
        let up = inflation(Side::Client, client.deflate, upstream.deflate);
        let down = inflation(Side::Upstream, upstream.deflate, client.deflate);
        let up = Flow::new(Side::Client, &config, client.rsv, up, assembly.clone(), rates.clone());
        let up = up.take_renewals(renew);
        let down = Flow::new(Side::Upstream, &config, upstream.rsv, down, assembly, rates);
        let started = Instant::now();
        Self {
            client: Port::new(Side::Client, client.stream),
            upstream: Port::new(Side::Upstream, upstream.stream),
            up: Lane::new(up, client.early),
            down: Lane::new(down, upstream.early),
            config,
            inspector,
            until: until.map(|(at, end)| (at.saturating_duration_since(started), end)),
            control,
            waker: None,
            started,
            timer: Box::pin(sleep(Duration::ZERO)),
            armed: Duration::MAX,
            last_message: Duration::ZERO,
            first_close: None,
            closing: None,
            traffic,
            moved,
            counted: (Counters::default(), Counters::default()),
            counted_at: Duration::ZERO,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut now = self.started.elapsed();
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.control.listen(cx.waker());
            self.waker = Some(cx.waker().clone());
        }
        for order in self.control.take() {
            self.obey(order, now);
        }
        loop {
            if self.closing.is_none()
                && let Some(end) = self.poll_open(cx, now)
            {
                self.begin_close(end, now);
            }
            if self.closing.is_some()
                && let Poll::Ready(end) = self.poll_closing(cx, now)
            {
                return Poll::Ready(end);
            }
            self.arm(now);
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.armed = Duration::MAX;
            now = self.started.elapsed();
            self.on_time(now);
        }
    }

    /// Moves both directions; an end where there is one.
    fn poll_open(&mut self, cx: &mut Context<'_>, now: Duration) -> Option<End> {
        let rules = Rules { now, config: &self.config };
        let messages = self.messages();
        let Self { client, upstream, inspector, .. } = self;
        let (up, down) = loop {
            let up = self.up.poll(cx, client, upstream, &rules, inspector);
            let owed = client.is_owed();
            let down = self.down.poll(cx, upstream, client, &rules, inspector);
            // Each direction writes the answers that the other one waits for.
            if !(owed && !client.is_owed() && up.is_pending()) {
                break (up, down);
            }
        };
        if self.messages() != messages {
            self.last_message = now;
        }
        if now > self.counted_at + COUNT_EVERY {
            self.count(now);
        }
        self.note_close(now);
        match (up, down) {
            (Poll::Ready(Err(end)), _) | (_, Poll::Ready(Err(end))) => Some(self.judge_end(end)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => {
                let (side, _) = self.first_close?;
                Some(End::Closed(side, self.close_code(side)))
            }
            _ => None,
        }
    }

    /// Brings the shared counters up to date.
    fn count(&mut self, now: Duration) {
        let counters = (self.up.flow.counters(), self.down.flow.counters());
        self.traffic.client.add(counters.0, self.counted.0);
        self.traffic.upstream.add(counters.1, self.counted.1);
        let elapsed = now.saturating_sub(self.counted_at);
        self.moved.note(counters, self.counted, elapsed, SystemTime::now());
        (self.counted, self.counted_at) = (counters, now);
    }

    fn messages(&self) -> u64 {
        self.up.flow.counters().messages + self.down.flow.counters().messages
    }

    fn note_close(&mut self, now: Duration) {
        if self.first_close.is_none() {
            let side = match (self.up.flow.closed(), self.down.flow.closed()) {
                (Some(_), _) => Side::Client,
                (None, Some(_)) => Side::Upstream,
                (None, None) => return,
            };
            self.first_close = Some((side, now));
        }
    }

    fn close_code(&self, side: Side) -> Option<CloseCode> {
        self.lane_from(side).flow.closed().flatten()
    }

    /// A connection that ends behind a close frame, or instead of the answer to one, is no fault.
    fn judge_end(&self, end: End) -> End {
        match (end, self.first_close) {
            (End::Vanished(_), Some((side, _))) => End::Closed(side, self.close_code(side)),
            _ => end,
        }
    }

    fn lane_from(&self, side: Side) -> &Lane {
        match side {
            Side::Client => &self.up,
            Side::Upstream => &self.down,
        }
    }

    fn obey(&mut self, order: Order, now: Duration) {
        match order {
            Order::Settings(config, policy) => {
                self.config = config;
                self.inspector.follow(policy);
                self.armed = Duration::MAX;
            }
            Order::Facts(facts) => self.inspector.set_facts(facts),
            Order::Say(text) => self.say(&text),
            Order::Until(until) => {
                self.until = until.map(|(at, end)| (at.saturating_duration_since(self.started), end));
                self.armed = Duration::MAX;
            }
            Order::End(end) if self.closing.is_none() => self.begin_close(end, now),
            Order::End(_) => {}
        }
    }

    /// A message of ours to the client. It waits where one of the upstream's is under way.
    fn say(&mut self, text: &str) {
        if self.closing.is_some() || self.client.close_sent {
            return;
        }
        let length = text.len() as u64;
        let header = Header { fin: true, rsv: Rsv::NONE, opcode: Opcode::Text, mask: None, length };
        self.client.inject.extend_from_slice(&header.encode());
        self.client.inject.extend_from_slice(text.as_bytes());
    }

    /// Decides the end: each side that has not been told yet is sent its code, where a frame can stand.
    fn begin_close(&mut self, end: End, now: Duration) {
        self.closing = Some(Closing { end, deadline: now + self.config.close_timeout, said: false });
        for (port, lane) in [(&mut self.client, &mut self.down), (&mut self.upstream, &mut self.up)] {
            if matches!(end, End::Stalled(side) if side == port.side) {
                lane.abandon();
                port.gone = true;
            }
            if port.gone || port.close_sent || !lane.flow.between_frames() {
                continue;
            }
            port.close_sent = true;
            let code = Some(end.code_for(port.side)).filter(|code| code.may_be_sent());
            Close { code, reason: "" }.write(port.mask(), &mut port.inject);
        }
    }

    /// Carries the end out: what is left is written, both sides are shut, and read until they end.
    fn poll_closing(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<End> {
        let Some(mut closing) = self.closing else { return Poll::Pending };
        if !closing.said {
            let whole = matches!(closing.end, End::Closed(..));
            let client = finish(cx, &mut self.down, &mut self.client, now, true);
            let wait = whole && matches!(self.upstream.stream, Stream::Plain(_));
            let upstream = finish(cx, &mut self.up, &mut self.upstream, now, !wait);
            closing.said = client.is_ready() && upstream.is_ready();
            self.closing = Some(closing);
        }
        if closing.said {
            // After a whole close handshake the client waits for us, and we wait for the upstream
            // (RFC 6455 section 7.1.1); otherwise unread bytes would turn our close frame into a reset.
            let client = matches!(closing.end, End::Closed(..)) || self.client.poll_discard(cx).is_ready();
            if self.upstream.poll_discard(cx).is_ready() && client {
                return Poll::Ready(closing.end);
            }
        }
        if now >= closing.deadline { Poll::Ready(closing.end) } else { Poll::Pending }
    }

    /// Does what is due at `now`.
    fn on_time(&mut self, now: Duration) {
        loop {
            let due = self.deadlines(now).find(|(at, _)| *at <= now).map(|(_, due)| due);
            match due {
                Some(Due::End(end)) => self.begin_close(end, now),
                Some(Due::Ping(side)) => self.ping(side, now),
                Some(Due::Nothing) | None => return,
            }
        }
    }

    fn ping(&mut self, side: Side, now: Duration) {
        let (port, lane) = match side {
            Side::Client => (&mut self.client, &mut self.up),
            Side::Upstream => (&mut self.upstream, &mut self.down),
        };
        let token: PingToken = rand::random();
        write_control(Opcode::Ping, port.mask(), &token, &mut port.inject);
        lane.flow.expect_pong(token);
        port.pinged = Some(now);
    }

    /// Everything that a session waits for, and since the start when it is due.
    fn deadlines(&self, now: Duration) -> impl Iterator<Item = (Duration, Due)> {
        let config = &self.config;
        let after = |since: Option<Duration>, limit: Option<Duration>, due| Some((since? + limit?, due));
        let closing = self.closing.map(|closing| (closing.deadline, Due::Nothing));
        let open = self.closing.is_none();
        let close = self.first_close.and_then(|(side, since)| {
            after(Some(since), Some(config.close_timeout), Due::End(End::CloseTimeout(side.other())))
        });
        let silent = self.up.flow.counters().messages == 0 && self.up.flow.message_since().is_none();
        let first = after(
            silent.then_some(Duration::ZERO),
            config.first_message_timeout,
            Due::End(End::NoFirstMessage(Side::Client)),
        );
        let until = self.until.map(|(at, end)| (at, Due::End(end)));
        let age = after(Some(Duration::ZERO), config.max_age, Due::End(End::Aged));
        let idle = after(Some(self.last_message), config.idle_timeout, Due::End(End::Idle));
        let up = self.lane_deadlines(&self.up, &self.client, &self.down, now);
        let down = self.lane_deadlines(&self.down, &self.upstream, &self.up, now);
        let session =
            [close, first, until, age, idle].into_iter().chain(up).chain(down).filter(move |_| open);
        session.chain([closing]).flatten()
    }

    /// What is due on account of the side that `lane` reads; `back` is the lane that writes to it.
    fn lane_deadlines(
        &self,
        lane: &Lane,
        from: &Port,
        back: &Lane,
        now: Duration,
    ) -> [Option<(Duration, Due)>; 6] {
        let (config, side) = (&self.config, from.side);
        // While the other side takes nothing, this one is not read: then it is not it that is slow or silent.
        let marking = lane.flow.marking_until().map(|until| until.saturating_duration_since(self.started));
        let read = lane.stalled.is_none() && !lane.held && !from.is_owed() && marking.is_none();
        let ping = config.ping.filter(|_| read && !from.close_sent && back.stalled.is_none());
        [
            lane.stalled.map(|since| (since + config.write_timeout, Due::End(End::Stalled(side.other())))),
            lane.flow
                .message_since()
                .filter(|_| read)
                .map(|since| (since + config.assembly_time, Due::End(End::SlowMessage(side)))),
            marking.filter(|at| *at > now).map(|at| (at, Due::Nothing)),
            lane.flow.resume_at().filter(|at| *at > now).map(|at| (at, Due::Nothing)),
            ping.filter(|_| from.pinged.is_none()).map(|ping| (from.heard + ping.interval, Due::Ping(side))),
            ping.and_then(|ping| Some((from.pinged? + ping.timeout, Due::End(End::Dead(side))))),
        ]
    }

    /// Whether a deadline may have come nearer since the timer was set: all others only move away.
    fn is_pressed(&self) -> bool {
        self.closing.is_some() || self.first_close.is_some() || self.up.is_pressed() || self.down.is_pressed()
    }

    /// Sets the timer where something may be due before it would fire. Activity moves most deadlines on, so it may fire
    /// early and find nothing; it never fires late.
    fn arm(&mut self, now: Duration) {
        if self.armed != Duration::MAX && !self.is_pressed() {
            return;
        }
        let next = self.deadlines(now).map(|(at, _)| at).min().unwrap_or(Duration::MAX);
        if next < self.armed {
            self.armed = next;
            self.timer.as_mut().reset(self.started + next.min(FAR));
        }
    }
}

/// What is due at a deadline.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// The session ends.
    End(End),
    /// This side is pinged.
    Ping(Side),
    /// The session only has to be polled.
    Nothing,
}

/// Writes what is left for a side, and shuts its stream unless the side is to do that first.
fn finish(cx: &mut Context<'_>, lane: &mut Lane, port: &mut Port, now: Duration, shut: bool) -> Poll<()> {
    if port.gone {
        return Poll::Ready(());
    }
    match lane.poll_write(cx, port, now) {
        Poll::Pending => return Poll::Pending,
        Poll::Ready(Err(_)) => return Poll::Ready(()),
        Poll::Ready(Ok(())) if !shut => return Poll::Ready(()),
        Poll::Ready(Ok(())) => {}
    }
    Pin::new(&mut port.stream).poll_shutdown(cx).map(|_| ())
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;

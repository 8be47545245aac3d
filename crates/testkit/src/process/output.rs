//! What a program writes: its last lines are kept and can be waited for.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    process::Child,
    thread,
};

use anyhow::{Context, Result};
use tokio::sync::watch;

/// Lines kept of a program's output. At about 100 bytes a line, 1.6 MB.
const KEPT_LINES: usize = 16_000;
/// Longest line kept; the rest of a longer one becomes a line of its own.
const LONGEST_LINE: u64 = 16 * 1024;

/// Both output streams of a program, read by two threads so that it never blocks on a full pipe.
#[derive(Debug)]
pub(super) struct Output(watch::Receiver<Lines>);

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    ended: u8,
}

impl Output {
    pub(super) fn of(child: &mut Child) -> Result<Self> {
        let (sender, receiver) = watch::channel(Lines::default());
        let out = child.stdout.take().context("no standard output")?;
        let err = child.stderr.take().context("no standard error")?;
        let copy = sender.clone();
        thread::spawn(move || copy_lines(out, &copy));
        thread::spawn(move || copy_lines(err, &sender));
        Ok(Self(receiver))
    }

    pub(super) fn tail(&self) -> String {
        let lines = self.0.borrow();
        if lines.kept.is_empty() {
            return "it wrote nothing".to_owned();
        }
        let mut text = String::new();
        for line in &lines.kept {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    pub(super) fn count(&self, text: &str) -> usize {
        self.0.borrow().kept.iter().filter(|line| line.contains(text)).count()
    }

    /// The first kept line with `text`; none if both streams end without one.
    pub(super) async fn line(&self, text: &str) -> Option<String> {
        let mut receiver = self.0.clone();
        let found = |lines: &Lines| lines.kept.iter().find(|line| line.contains(text)).cloned();
        let lines = receiver.wait_for(|lines| lines.ended == 2 || found(lines).is_some()).await.ok()?;
        found(&lines)
    }

    /// Returns true once more than `seen` kept lines contain `text`, false if both streams end before.
    pub(super) async fn more_lines(&self, text: &str, seen: usize) -> bool {
        let more = |lines: &Lines| lines.kept.iter().filter(|line| line.contains(text)).count() > seen;
        let mut receiver = self.0.clone();
        receiver.wait_for(|lines| lines.ended == 2 || more(lines)).await.is_ok_and(|lines| more(&lines))
    }

    /// Returns when both streams are at their end.
    pub(super) async fn ended(&self) {
        self.0.clone().wait_for(|lines| lines.ended == 2).await.ok();
    }
}

fn copy_lines(stream: impl Read, lines: &watch::Sender<Lines>) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                lines.send_modify(|lines| {
                    if lines.kept.len() == KEPT_LINES {
                        lines.kept.pop_front();
                    }
                    lines.kept.push_back(text);
                });
            }
        }
    }
    lines.send_modify(|lines| lines.ended += 1);
}

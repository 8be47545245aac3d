//! The terminal: drawn anew with each look, until a key ends it.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Row, Table};
use ratatui::{DefaultTerminal, Frame};

use super::sample::{Pace, Sample};
use super::show::{BUSIEST, REFUSALS, ROUTES, Shown};

/// Between two looks at the keys.
const KEYS: Duration = Duration::from_millis(100);

/// Shows what `looks` tell, beginning with `first`, until a key ends it.
pub(super) fn run(first: Sample, looks: &Receiver<anyhow::Result<Sample>>) -> anyhow::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let shown = until_a_key_ends_it(&mut terminal, first, looks);
    ratatui::try_restore()?;
    shown
}

fn until_a_key_ends_it(
    terminal: &mut DefaultTerminal,
    first: Sample,
    looks: &Receiver<anyhow::Result<Sample>>,
) -> anyhow::Result<()> {
    let mut last = first;
    let (mut shown, mut fault, mut paused) = (Shown::of(&last, &Pace::default()), None, false);
    loop {
        terminal.draw(|frame| draw(frame, &shown, fault.as_deref(), paused))?;
        while !event::poll(KEYS)? {
            match looks.try_recv() {
                Ok(Ok(next)) => {
                    if !paused {
                        shown = Shown::of(&next, &Pace::between(&last, &next));
                    }
                    (last, fault) = (next, None);
                }
                Ok(Err(error)) => fault = Some(format!("{error:#}")),
                Err(TryRecvError::Empty) => continue,
                Err(TryRecvError::Disconnected) => anyhow::bail!("the gateway is not asked any more"),
            }
            terminal.draw(|frame| draw(frame, &shown, fault.as_deref(), paused))?;
        }
        match event::read()? {
            Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
                KeyCode::Char('p') => paused = !paused,
                _ => {}
            },
            _ => {}
        }
    }
}

fn draw(frame: &mut Frame<'_>, shown: &Shown, fault: Option<&str>, paused: bool) {
    let refusals = shown.refusals.len().clamp(1, 8) as u16;
    let [process, traffic, routes, refused, busiest, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(5),
        Constraint::Length(refusals + 3),
        Constraint::Min(5),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Line::from(shown.process.as_str()), process);
    let line = match fault {
        Some(fault) => Line::from(fault).red().bold(),
        None => Line::from(shown.traffic.as_str()).bold(),
    };
    frame.render_widget(line, traffic);
    table(frame, routes, ROUTES, &shown.routes);
    table(frame, refused, REFUSALS, &shown.refusals);
    table(frame, busiest, BUSIEST, &shown.busiest);
    let paused = if paused { "  paused" } else { "" };
    frame.render_widget(Line::from(format!("q ends  p holds{paused}")).dim(), keys);
}

fn table<const N: usize>(frame: &mut Frame<'_>, area: Rect, titles: [&str; N], rows: &[[String; N]]) {
    let widths = std::array::from_fn::<_, N, _>(|column| {
        let longest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        Constraint::Length(longest.max(titles[column].len()).min(40) as u16)
    });
    let body = rows.iter().map(|row| Row::new(row.iter().map(String::as_str)));
    let table =
        Table::new(body, widths).header(Row::new(titles).style(Style::new().bold())).column_spacing(2);
    frame.render_widget(table.block(Block::new().borders(Borders::TOP)), area);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::sample::sample;
    use super::*;

    #[test]
    fn everything_has_its_place_in_a_small_terminal_and_no_room_is_no_fault() {
        let shown = Shown::of(&sample(1, 100, 1), &Pace::default());
        for (width, height, is_whole) in [(80, 24, true), (10, 2, false), (1, 1, false)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &shown, None, true)).unwrap();
            let text = terminal.backend().to_string();
            let words = ["process 1", "2 sessions", "chat", "origin", "192.0.2.1", "q ends", "paused"];
            assert!(!is_whole || words.iter().all(|word| text.contains(word)), "{text}");
        }
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &shown, Some("no gateway answers"), false)).unwrap();
        assert!(terminal.backend().to_string().contains("no gateway answers"));
    }
}

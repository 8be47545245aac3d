//! Medians over the rounds, and ratios that were taken within a round before their median was.

use super::table::number;
use crate::cell::{Cell, Work};
use crate::compare::{Figures, Outcome, Sample};
use crate::peer::Peer;

/// A figure that contenders are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Cpu,
    Rate,
    P50,
    P99,
    P999,
    Memory,
}

impl Measure {
    fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Self::Cpu => figures.cpu_per_million,
            Self::Rate => figures.per_second,
            Self::P50 => figures.p50_us,
            Self::P99 => figures.p99_us,
            Self::P999 => figures.p999_us,
            Self::Memory => figures.kib_per_session,
        }
    }

    /// What a cell is about: processor time, or memory where nothing moves.
    pub(crate) fn cost_of(cell: &Cell) -> Self {
        if cell.work == Work::Idle { Self::Memory } else { Self::Cpu }
    }
}

/// The middle of several rounds and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { least, median, most })
    }
}

/// All samples of one cell.
pub(crate) struct Summary<'a> {
    pub(crate) cell: Cell,
    /// In the order of tables.
    pub(crate) peers: Vec<Peer>,
    samples: Vec<&'a Sample>,
}

impl<'a> Summary<'a> {
    /// One summary a cell, in the order in which they were measured.
    pub(crate) fn of(samples: &'a [Sample]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for sample in samples {
            if all.last().is_none_or(|last| last.cell != sample.cell) {
                all.push(Self { cell: sample.cell, peers: Vec::new(), samples: Vec::new() });
            }
            if let Some(last) = all.last_mut() {
                last.samples.push(sample);
                if !last.peers.contains(&sample.peer) {
                    last.peers.push(sample.peer);
                }
            }
        }
        for summary in &mut all {
            summary.peers.sort();
        }
        all
    }

    /// One line for those who wait: each contender's cost.
    pub(crate) fn line(&self) -> String {
        let measure = Measure::cost_of(&self.cell);
        let mut line = format!("{}:", self.cell);
        for &peer in &self.peers {
            let cost = self.spread(peer, measure).map_or("-".to_owned(), |spread| number(spread.median));
            line.push_str(&format!(" {peer} {cost}"));
        }
        line
    }

    fn rounds(&self, peer: Peer, measure: Measure) -> impl Iterator<Item = (u32, f64)> {
        let of_peer = self.samples.iter().filter(move |sample| sample.peer == peer);
        of_peer.filter_map(move |sample| match &sample.outcome {
            Outcome::Figures(figures) => Some((sample.round, measure.of(figures)?)),
            Outcome::Failure(_) => None,
        })
    }

    pub(crate) fn spread(&self, peer: Peer, measure: Measure) -> Option<Spread> {
        Spread::of(self.rounds(peer, measure).map(|(_, value)| value).collect())
    }

    /// How a contender stands to another: the median of the ratios of their rounds.
    pub(crate) fn ratio(&self, peer: Peer, to: Peer, measure: Measure) -> Option<f64> {
        let others: Vec<(u32, f64)> = self.rounds(to, measure).collect();
        let ratios = self.rounds(peer, measure).filter_map(|(round, value)| {
            let (_, other) = others.iter().find(|(other, _)| *other == round)?;
            (*other > 0.0).then_some(value / other)
        });
        Spread::of(ratios.collect()).map(|spread| spread.median)
    }

    /// The share of the machine that went to others, over all turns.
    pub(crate) fn elsewhere(&self) -> Option<Spread> {
        let share = |sample: &&Sample| match &sample.outcome {
            Outcome::Figures(figures) => figures.elsewhere,
            Outcome::Failure(_) => None,
        };
        Spread::of(self.samples.iter().filter_map(share).collect())
    }

    /// The rival with the best median.
    pub(crate) fn best(&self, measure: Measure) -> Option<Peer> {
        let better = |value: f64| if measure == Measure::Rate { -value } else { value };
        let rivals = self.peers.iter().copied().filter(|peer| peer.is_rival());
        let medians = rivals.filter_map(|peer| Some((better(self.spread(peer, measure)?.median), peer)));
        medians.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, peer)| peer)
    }

    /// The rounds that failed, and why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (Peer, u32, &str)> {
        self.samples.iter().filter_map(|sample| match &sample.outcome {
            Outcome::Failure(reason) => Some((sample.peer, sample.round, reason.as_str())),
            Outcome::Figures(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample(peer: Peer, round: u32, cpu: f64) -> Sample {
        let figures =
            Figures { cpu_per_million: Some(cpu), per_second: Some(1e6 / cpu), ..Figures::default() };
        Sample { cell: "ws-64-1".parse().unwrap(), peer, round, outcome: Outcome::Figures(figures) }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let samples = [
            sample(Peer::Wicketgate, 0, 10.0),
            sample(Peer::Nginx, 0, 10.0),
            sample(Peer::Nginx, 1, 20.0),
            sample(Peer::Wicketgate, 1, 22.0),
            sample(Peer::Wicketgate, 2, 40.0),
            sample(Peer::Nginx, 2, 32.0),
            sample(Peer::Floor, 0, 1.0),
            sample(Peer::Haproxy, 0, 21.0),
        ];
        let all = Summary::of(&samples);
        let summary = all.first().unwrap();
        assert_eq!(summary.ratio(Peer::Wicketgate, Peer::Nginx, Measure::Cpu), Some(1.1));
        assert_eq!(
            summary.spread(Peer::Wicketgate, Measure::Cpu),
            Some(Spread { least: 10.0, median: 22.0, most: 40.0 })
        );
        assert_eq!(summary.best(Measure::Cpu), Some(Peer::Nginx));
        assert_eq!(summary.best(Measure::Rate), Some(Peer::Nginx));
        assert_eq!(summary.best(Measure::Memory), None);
        assert_eq!(summary.ratio(Peer::Wicketgate, Peer::Caddy, Measure::Cpu), None);
    }

    #[test]
    fn an_even_number_of_rounds_has_its_median_between() {
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert!(Spread::of(Vec::new()).is_none());
    }
}

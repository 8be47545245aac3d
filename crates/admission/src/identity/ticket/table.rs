//! The tickets that are out: which were used, until none of them can be used any more.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seal::TicketId;
use crate::fill::Fill;
use crate::identity::Denied;

/// The tickets that are out, bounded in all and for each subject. Times are milliseconds since 1970.
#[derive(Debug)]
pub(super) struct Outstanding {
    max: usize,
    max_per_subject: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    tickets: HashMap<TicketId, Ticket>,
    expiring: BinaryHeap<Reverse<(u64, TicketId)>>,
    of_subject: HashMap<Arc<str>, usize>,
    /// The latest time that was seen. A clock that is set back brings no forgotten ticket to life again.
    latest: u64,
    /// How often there was no room.
    overflowed: u64,
}

#[derive(Debug)]
struct Ticket {
    used: bool,
    /// Whose it is; none where another gateway issued it.
    subject: Option<Arc<str>>,
}

/// Why there is no further ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// Too many are out.
    All,
    /// Too many of this subject are out.
    Subject,
}

impl Outstanding {
    pub(super) fn new(max: usize, max_per_subject: usize) -> Self {
        Self { max, max_per_subject, table: Mutex::default() }
    }

    /// Notes a new ticket.
    pub(super) fn issue(&self, id: TicketId, subject: &Arc<str>, until: u64, now: u64) -> Result<(), Full> {
        let mut table = self.at(now);
        if table.tickets.len() >= self.max {
            table.overflowed += 1;
            return Err(Full::All);
        }
        let of_subject = table.of_subject.entry(subject.clone()).or_default();
        if *of_subject >= self.max_per_subject {
            return Err(Full::Subject);
        }
        *of_subject += 1;
        table.insert(id, until, Ticket { used: false, subject: Some(subject.clone()) });
        Ok(())
    }

    /// Uses a ticket up.
    pub(super) fn redeem(&self, id: TicketId, until: u64, now: u64) -> Result<(), Denied> {
        let mut table = self.at(now);
        if until <= table.latest {
            return Err(Denied::Expired);
        }
        let length = table.tickets.len();
        match table.tickets.get_mut(&id) {
            Some(Ticket { used: true, .. }) => Err(Denied::Replayed),
            Some(ticket) => {
                ticket.used = true;
                Ok(())
            }
            // Nothing is forgotten to make room: a forgotten ticket could be used again.
            None if length >= self.max => {
                table.overflowed += 1;
                Err(Denied::Unavailable("too many tickets are out".into()))
            }
            None => {
                table.insert(id, until, Ticket { used: true, subject: None });
                Ok(())
            }
        }
    }

    /// How full it is, tickets that have expired since the last one came among the entries.
    pub(super) fn fill(&self) -> Fill {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let (entries, capacity) = (table.tickets.len() as u64, self.max as u64);
        Fill { entries, capacity, evicted: 0, overflowed: table.overflowed }
    }

    /// The table as it is now, without what has expired.
    fn at(&self, now: u64) -> MutexGuard<'_, Table> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.latest = table.latest.max(now);
        while let Some(&Reverse((until, id))) = table.expiring.peek()
            && until <= table.latest
        {
            table.expiring.pop();
            let subject = table.tickets.remove(&id).and_then(|ticket| ticket.subject);
            table.forget(subject);
        }
        table
    }
}

impl Table {
    fn insert(&mut self, id: TicketId, until: u64, ticket: Ticket) {
        self.tickets.insert(id, ticket);
        self.expiring.push(Reverse((until, id)));
    }

    fn forget(&mut self, subject: Option<Arc<str>>) {
        let Some(subject) = subject else { return };
        if let Some(count) = self.of_subject.get_mut(&subject) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_subject.remove(&subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(number: u8) -> TicketId {
        [number; 16]
    }

    #[test]
    fn a_ticket_is_used_once_until_it_expires() {
        let table = Outstanding::new(10, 10);
        table.issue(id(1), &"alice".into(), 100, 0).unwrap();
        table.redeem(id(1), 100, 10).unwrap();
        assert_eq!(table.redeem(id(1), 100, 20), Err(Denied::Replayed));
        assert_eq!(table.redeem(id(1), 100, 100), Err(Denied::Expired));
        assert_eq!(table.redeem(id(1), 100, 50), Err(Denied::Expired), "a clock that is set back");
        table.redeem(id(2), 200, 100).unwrap();
        assert_eq!(table.redeem(id(2), 200, 100), Err(Denied::Replayed), "another gateway's ticket");
    }

    #[test]
    fn a_full_table_forgets_nothing() {
        let table = Outstanding::new(3, 2);
        let (alice, bob): (Arc<str>, Arc<str>) = ("alice".into(), "bob".into());
        table.issue(id(1), &alice, 100, 0).unwrap();
        table.issue(id(2), &alice, 100, 0).unwrap();
        assert_eq!(table.issue(id(3), &alice, 100, 0), Err(Full::Subject));
        table.issue(id(3), &bob, 200, 0).unwrap();
        assert_eq!(table.issue(id(4), &bob, 200, 0), Err(Full::All));
        assert!(matches!(table.redeem(id(9), 200, 0), Err(Denied::Unavailable(_))));
        table.redeem(id(1), 100, 0).unwrap();
        assert_eq!(
            table.issue(id(4), &bob, 200, 0),
            Err(Full::All),
            "a used one is not forgotten before it expires"
        );
        table.issue(id(4), &alice, 300, 100).unwrap();
        table.issue(id(5), &alice, 300, 100).unwrap();
        let inner = table.table.lock().unwrap();
        assert_eq!((inner.tickets.len(), inner.expiring.len(), inner.of_subject.len()), (3, 3, 2));
    }
}

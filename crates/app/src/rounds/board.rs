//! What the coordinator has for others to do, until they call for it.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use wire::research::{Gift, Given, Step, Work};
use wire::{OrgId, Sealed};

/// After how long work that was handed out is handed out again, in milliseconds.
const LEASE_MS: i64 = 30_000;
/// About the most bytes of work in one answer.
const MOST_BYTES: usize = 1024 * 1024;
/// Most pieces of work for one question.
const MOST_ITEMS: usize = 10_000;
/// Most gifts that wait to be looked at.
const MOST_GIFTS: usize = 10_000;
/// Most withdrawals that wait for one institution's next call; it hears of others when it asks for news.
const MOST_NEWS: usize = 1_000;

/// What somebody gave for a piece of work.
#[derive(Debug)]
pub struct Handed {
    /// Who.
    pub by: OrgId,
    /// For which.
    pub ticket: u64,
    /// What.
    pub gift: Gift,
}

/// Work of all open questions.
#[derive(Default)]
pub struct Board {
    desks: Mutex<Desks>,
    bell: watch::Sender<u64>,
}

#[derive(Default)]
struct Desks {
    ticket: u64,
    open: BTreeMap<String, Desk>,
    /// Withdrawals that are to be told at the next call.
    news: BTreeMap<OrgId, Vec<Sealed>>,
}

struct Desk {
    sealed: Sealed,
    items: BTreeMap<u64, Item>,
    inbox: mpsc::Sender<Handed>,
}

struct Item {
    to: OrgId,
    step: Step,
    bytes: usize,
    leased_until_ms: i64,
}

impl Board {
    /// Opens a question; gifts for it come out of what is returned.
    pub fn open(&self, id: &str, sealed: Sealed) -> mpsc::Receiver<Handed> {
        let (inbox, gifts) = mpsc::channel(MOST_GIFTS);
        let desk = Desk { sealed, items: BTreeMap::new(), inbox };
        self.desks.lock().open.insert(id.to_owned(), desk);
        gifts
    }

    /// Ends a question. Whoever took part is told when next they call.
    pub fn close(&self, id: &str) {
        self.desks.lock().open.remove(id);
    }

    /// Puts up work for `to` and returns its ticket; `None` where there is too much already.
    pub fn put(&self, id: &str, to: &OrgId, step: Step) -> Option<u64> {
        let bytes = serde_json::to_vec(&step).map_or(0, |text| text.len());
        let mut desks = self.desks.lock();
        desks.ticket += 1;
        let ticket = desks.ticket;
        let desk = desks.open.get_mut(id).filter(|desk| desk.items.len() < MOST_ITEMS)?;
        desk.items.insert(ticket, Item { to: to.clone(), step, bytes, leased_until_ms: 0 });
        drop(desks);
        self.bell.send_modify(|count| *count += 1);
        Some(ticket)
    }

    /// Takes down everything that is up for a question.
    pub(super) fn clear(&self, id: &str) {
        if let Some(desk) = self.desks.lock().open.get_mut(id) {
            desk.items.clear();
        }
    }

    /// Hands in what `by` made. What nobody waits for is dropped: a repetition, or too late.
    pub(super) fn hand_in(&self, by: &OrgId, given: Given) {
        let mut desks = self.desks.lock();
        let Some(desk) = desks.open.get_mut(&given.inquiry) else { return };
        if desk.items.get(&given.ticket).is_none_or(|item| item.to != *by) {
            return;
        }
        let handed = Handed { by: by.clone(), ticket: given.ticket, gift: given.gift };
        // Where the inbox is full the work stays up, and is given again.
        if desk.inbox.try_send(handed).is_ok() {
            desk.items.remove(&given.ticket);
        }
    }

    /// What there is to do for `to`, which has it to itself for a while.
    pub(super) fn take(&self, to: &OrgId, now_ms: i64) -> Vec<Work> {
        let mut desks = self.desks.lock();
        let (mut work, mut bytes) = (Vec::new(), 0);
        for desk in desks.open.values_mut() {
            for (ticket, item) in &mut desk.items {
                if item.to != *to || item.leased_until_ms > now_ms {
                    continue;
                }
                bytes += item.bytes + desk.sealed.text.len();
                if bytes > MOST_BYTES && !work.is_empty() {
                    return work;
                }
                item.leased_until_ms = now_ms + LEASE_MS;
                let (inquiry, step) = (desk.sealed.clone(), item.step.clone());
                work.push(Work { ticket: *ticket, inquiry, step });
            }
        }
        work
    }

    /// Has `to` told of a withdrawal when next it calls.
    pub(super) fn tell(&self, to: &OrgId, withdrawal: &Sealed) {
        let mut desks = self.desks.lock();
        let news = desks.news.entry(to.clone()).or_default();
        if news.len() < MOST_NEWS {
            news.push(withdrawal.clone());
        }
        drop(desks);
        self.bell.send_modify(|count| *count += 1);
    }

    /// The withdrawals that `to` is to be told of, which are told once here.
    pub(super) fn take_news(&self, to: &OrgId) -> Vec<Sealed> {
        self.desks.lock().news.remove(to).unwrap_or_default()
    }

    /// Changes when there is something new to do.
    pub(super) fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(id: &str) -> OrgId {
        OrgId::new(id).unwrap()
    }

    fn sealed() -> Sealed {
        let key = crypto::SigningKey::from_seed(&[1; 32]).unwrap();
        let (public, signature) = (key.public_key(), key.sign(b"x").unwrap());
        Sealed { text: String::new(), key: public, signature }
    }

    #[test]
    fn work_is_leased_given_once_and_only_by_whose_it_is() {
        let board = Board::default();
        let mut gifts = board.open("q", sealed());
        let ticket = board.put("q", &org("east"), Step::Key { helper: None }).unwrap();
        assert!(board.take(&org("west"), 0).is_empty(), "it is somebody else's");
        assert_eq!(board.take(&org("east"), 0)[0].ticket, ticket);
        assert!(board.take(&org("east"), LEASE_MS - 1).is_empty(), "it is being done");
        assert_eq!(board.take(&org("east"), LEASE_MS).len(), 1, "whoever had it is gone");
        let gift = || Gift::Refusal { rule: "r".to_owned(), reason: String::new() };
        let given = |ticket| Given { inquiry: "q".to_owned(), ticket, gift: gift() };
        board.hand_in(&org("west"), given(ticket));
        assert!(gifts.try_recv().is_err(), "a stranger's gift is dropped");
        board.hand_in(&org("east"), given(ticket));
        board.hand_in(&org("east"), given(ticket));
        assert_eq!(gifts.try_recv().unwrap().ticket, ticket);
        assert!(gifts.try_recv().is_err(), "a repetition is dropped");
    }
}

//! What the operator sees of the locators: counts and times, never an encoding.

use super::Mode;
use super::committee::{epoch, keeper, locators};
use super::publish::next_rotation;
use crate::App;

/// How this node takes part.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Whether it publishes and asks.
    pub mode: Mode,
    /// Number of the epoch, days since the Unix epoch.
    pub epoch: u64,
    /// When the keys last changed, milliseconds since the Unix epoch.
    pub rotated_ms: i64,
    /// When they change next.
    pub rotates_ms: i64,
    /// The locators of this node in this epoch.
    pub published: Vec<Published>,
    /// What this node holds of others in this epoch.
    pub held: Vec<Held>,
    /// How many locators' keys this node keeps in this epoch.
    pub keys_kept: usize,
}

/// One locator of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Which member.
    pub org: String,
    /// Whether it has everything that this node publishes.
    pub complete: bool,
    /// Records that were sent to it since this node started, changes included.
    pub records: u64,
    /// When it last confirmed, milliseconds since the Unix epoch; `None` where it never has.
    pub confirmed_ms: Option<i64>,
}

/// What one holder has published to this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which member.
    pub org: String,
    /// Whether it is everything.
    pub complete: bool,
    /// How many records.
    pub records: usize,
    /// When it was last heard of, milliseconds since the Unix epoch.
    pub heard_ms: i64,
}

/// The state of the locators as this node sees it.
pub fn status(app: &App) -> Status {
    let now = app.now_ms();
    let (list, own, epoch) = (app.network().list(), app.network().own().clone(), epoch(now));
    let state = app.locator();
    let known = state.published.lock();
    let own_locators = match app.settings().locator.mode {
        Mode::On => locators(&list, epoch, &own),
        Mode::Refuse | Mode::Off => Vec::new(),
    };
    let published = own_locators.into_iter().map(|org| {
        let known = known.get(&(epoch, org.clone()));
        Published {
            org: org.to_string(),
            complete: known.is_some_and(|known| known.complete),
            records: known.map_or(0, |known| known.records),
            confirmed_ms: known.map(|known| known.confirmed_ms),
        }
    });
    let published = published.collect();
    let held = state.held.read();
    let held = held.all().filter(|(of, ..)| *of == epoch).map(|(_, holder, shelf)| Held {
        org: holder.to_string(),
        complete: shelf.complete,
        records: shelf.records(),
        heard_ms: shelf.heard_ms,
    });
    let held = held.collect();
    let keeps = |org: &wire::OrgId| keeper(&list, epoch, org).as_ref() == Some(&own);
    let keys_kept =
        super::committee::committee(&list, epoch).iter().filter(|org| keeps(org)).count();
    let rotates_ms = next_rotation(now).0;
    Status {
        mode: app.settings().locator.mode,
        epoch,
        rotated_ms: rotates_ms - super::committee::EPOCH_MS,
        rotates_ms,
        published,
        held,
        keys_kept,
    }
}

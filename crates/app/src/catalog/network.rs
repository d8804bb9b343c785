//! The catalogue of the network: what the members tell of their data sets, kept with when it was heard.
//!
//! Members are asked every few minutes, and when somebody wants to know. What one told last stays until
//! it tells something else, with its date; one that has left the network is not shown.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use store::{SideWrite, Transaction};
use tokio::sync::watch;
use tokio::time::Instant;
use wire::catalog::MAX_SETS;
use wire::{CatalogueRequest, CatalogueResponse, OrgId, ToldSet};

use super::{SPACE, told};
use crate::authorise::{Action, authorise};
use crate::consent::deliver::as_node;
use crate::records::longitudinal::ask_json;
use crate::{App, Caller, Error, Kind, Result};

/// How often members are asked.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// However often somebody wants to know, not more often than this.
const AT_MOST_EVERY: Duration = Duration::from_secs(2);
/// How long a member has for all that it tells.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most answers that are asked of one member in a row.
const MOST_TURNS: usize = 20;
/// Most bytes that are kept of one member.
const MOST_KEPT: usize = 4 * 1024 * 1024;
/// Members that are asked at the same time.
const AT_ONCE: usize = 16;

/// What a node keeps of the catalogue while it runs.
#[derive(Default)]
pub struct State {
    /// Members that did not answer when they were asked last.
    unreached: Mutex<BTreeMap<OrgId, i64>>,
    /// Held while the key of the noise is made.
    pub(super) writing: Mutex<()>,
    /// Held while an answer of the Beacon is paid for.
    pub(super) paying: Mutex<()>,
    /// Held while a twin is offered or drawn.
    pub(super) drawing: Mutex<()>,
    /// Rung when members should be asked now.
    nudges: Nudges,
}

struct Nudges(watch::Sender<u64>);

impl Default for Nudges {
    fn default() -> Self {
        Self(watch::channel(0).0)
    }
}

impl State {
    /// Has the members asked now.
    pub fn nudge(&self) {
        self.nudges.0.send_modify(|count| *count += 1);
    }
}

/// What was heard of a member.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Heard {
    at_ms: i64,
    sets: Vec<ToldSet>,
}

/// A data set of the network, at one holder.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Who holds it.
    pub holder: String,
    /// Whether that is this institution.
    pub is_own: bool,
    /// What its holder tells of it.
    pub set: ToldSet,
}

/// How a member stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teller {
    /// The member.
    pub org: String,
    /// When it last told of its data sets, in milliseconds since the Unix epoch.
    pub heard_ms: Option<i64>,
    /// Since when it has not been reached, where it was not when it was last asked.
    pub unreached_ms: Option<i64>,
}

/// The catalogue of the network as this node knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The data sets by name; those of one name are beside each other, the own one first.
    pub sets: Vec<Held>,
    /// The other members.
    pub tellers: Vec<Teller>,
}

/// The catalogue of the network. For whoever may read of research. Blocks.
pub fn listing(app: &App, caller: &Caller) -> Result<Listing> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let own = app.network().own().to_string();
    let held = |holder: &str, is_own| {
        let holder = holder.to_owned();
        move |set| Held { holder: holder.clone(), is_own, set }
    };
    let mut out = Listing::default();
    out.sets.extend(told::own(app)?.into_iter().map(held(&own, true)));
    let snapshot = app.store().snapshot()?;
    for member in app.network().active_others() {
        let heard = match snapshot.side(SPACE, &key(&member.id))? {
            None => None,
            Some(text) => serde_json::from_slice::<Heard>(&text).ok(),
        };
        out.tellers.push(Teller {
            org: member.id.to_string(),
            heard_ms: heard.as_ref().map(|heard| heard.at_ms),
            unreached_ms: app.catalogue().unreached.lock().get(&member.id).copied(),
        });
        let sets = heard.map(|heard| heard.sets).unwrap_or_default();
        out.sets.extend(sets.into_iter().map(held(member.id.as_str(), false)));
    }
    let order = |one: &Held| (one.set.name.clone(), !one.is_own, one.holder.clone());
    out.sets.sort_by_key(order);
    Ok(out)
}

/// Has the members asked now. For whoever may read of research.
pub fn refresh(app: &App, caller: &Caller) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    app.catalogue().nudge();
    Ok(())
}

/// Asks the members until the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut nudges = app.catalogue().nudges.0.subscribe();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = every.tick() => {}
            _ = nudges.changed() => {}
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = look(&app) => {}
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(AT_MOST_EVERY) => {}
        }
    }
}

/// Asks every member once.
pub async fn look(app: &App) {
    if !*app.answering().borrow() {
        return;
    }
    let members = app.network().active_others();
    stream::iter(members)
        .for_each_concurrent(AT_ONCE, |member| async move {
            let found = pull(app, &member.id).await;
            let mut unreached = app.catalogue().unreached.lock();
            match found {
                Ok(()) => {
                    unreached.remove(&member.id);
                }
                Err(error) => {
                    tracing::debug!(peer = %member.id, reason = %error.message, "a member does not tell of its data sets");
                    unreached.entry(member.id).or_insert_with(|| app.now_ms());
                }
            }
        })
        .await;
}

/// Asks one member for all that it tells, and keeps it.
async fn pull(app: &App, member: &OrgId) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let at_ms = app.now_ms();
    let (mut sets, mut after) = (BTreeMap::new(), None);
    for _ in 0..MOST_TURNS {
        let request = CatalogueRequest { after: after.take() };
        let asking = as_node(app, app.new_id().as_str());
        let answer: CatalogueResponse =
            ask_json(app, member, wire::path::CATALOG, &request, &asking, deadline)
                .await
                .map_err(|e| Error::new(Kind::Busy, e.to_string()))?;
        after = answer.sets.last().map(|set| set.name.clone());
        for set in answer.sets {
            match set.is_sound() && sets.len() < MAX_SETS {
                true => {
                    sets.insert(set.name.clone(), set);
                }
                false => {
                    tracing::warn!(peer = %member, "a data set that a member tells of is refused")
                }
            }
        }
        if !answer.more || after.is_none() {
            break;
        }
    }
    let member = member.clone();
    app.run(move |app| keep(app, &member, Heard { at_ms, sets: sets.into_values().collect() }))
        .await
}

fn keep(app: &App, member: &OrgId, mut heard: Heard) -> Result<()> {
    let text = loop {
        let text = serde_json::to_vec(&heard).map_err(|e| Error::internal(e.to_string()))?;
        if text.len() <= MOST_KEPT {
            break text;
        }
        tracing::warn!(peer = %member, "a member tells of more than is kept; its last sets are left out");
        heard.sets.truncate(heard.sets.len() / 2);
    };
    let write = SideWrite { space: SPACE, key: key(member), value: Some(text) };
    app.store().commit(Transaction { side: vec![write], ..Transaction::default() })?;
    Ok(())
}

fn key(member: &OrgId) -> Vec<u8> {
    format!("heard/{member}").into_bytes()
}

//! Follows the change feed and gives every match an event number.
//!
//! One step takes a piece of the feed, finds who is told of what, and commits the new events with
//! the new place in the feed. A step that is not committed is made again from the same place, so
//! nothing is lost and nothing is numbered twice. A Subscription is in force from its own place in
//! the feed on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fhir::Id;
use fhirpath::search::Registry;
use store::{Change, Guard, Key, Method, Seq, SideWrite, Snapshot, Stored, Transaction};

use super::criteria::{Changed, Indexed, compile};
use super::definition::{Definition, Status};
use super::log::{self, Delivered, Matched};
use super::reader::Readers;
use super::resend::Again;
use super::rules::{Asked, Rules};
use super::topic::{self, Topics};
use super::{OWNER, stored_topic};
use crate::records::{parse, patients_of};
use crate::{App, Result};

/// Changes that one step takes from the feed.
const PIECE: usize = 500;
/// How far the feed is followed in memory before the place is written down although nothing
/// matched.
const LAG: Seq = 5_000;

/// A subscription in force.
#[derive(Clone, Debug)]
pub struct Live {
    /// What it asks for.
    pub definition: Arc<Definition>,
    /// Number of its last event.
    pub events: u64,
    /// How far delivery has come.
    pub delivered: Delivered,
    /// Events that are to be sent again, before what is new.
    pub again: Option<Again>,
    /// Whether a delivery is under way.
    pub busy: bool,
}

/// The subscriptions in force and the place in the feed.
pub struct Feed {
    app: App,
    cursor: Seq,
    written: Option<Vec<u8>>,
    topics: Topics,
    /// The search parameters that the rules were compiled by.
    registry: Arc<Registry>,
    live: BTreeMap<Id, Live>,
    rules: Rules,
    evaluated: u64,
}

impl Feed {
    /// Takes up where the last life ended. Blocks on the medium.
    pub fn open(app: App) -> Result<Self> {
        let topics = topic::all(&app)?;
        let snapshot = app.store().snapshot()?;
        let (cursor, written) = log::cursor(&*snapshot)?;
        app.notify().own_nothing();
        let mut feed = Self {
            app: app.clone(),
            cursor,
            written,
            topics,
            registry: app.store().registry(),
            live: BTreeMap::new(),
            rules: Rules::default(),
            evaluated: 0,
        };
        for (id, matched) in log::every(&*snapshot)? {
            let key = Key { resource_type: "Subscription", id: id.clone() };
            if let Some(stored) = snapshot.vread(&key, matched.version)? {
                let delivered = log::delivered(&*snapshot, &id)?;
                let again = log::again(&*snapshot, &id)?;
                feed.enter(&stored, matched.events, delivered, again)?;
            }
        }
        Ok(feed)
    }

    /// The subscriptions in force.
    pub fn live(&mut self) -> impl Iterator<Item = (&Id, &mut Live)> {
        self.live.iter_mut()
    }

    /// One of them.
    pub fn find(&mut self, id: &Id) -> Option<&mut Live> {
        self.live.get_mut(id)
    }

    /// How many triggers were evaluated since the feed was opened.
    pub fn evaluated(&self) -> u64 {
        self.evaluated
    }

    /// Follows the feed by one piece. Returns whether there may be more. Blocks on the medium.
    pub fn step(&mut self) -> Result<bool> {
        let app = self.app.clone();
        let asked = app.notify().asked_again();
        let snapshot = app.store().snapshot()?;
        for id in asked {
            if let Some(live) = self.live.get_mut(&id) {
                live.again = log::again(&*snapshot, &id)?;
            }
        }
        let changes = snapshot.changes(self.cursor, PIECE)?;
        let Some(last) = changes.last().map(|change| change.seq) else { return Ok(false) };
        let mut news = News::default();
        let result = self.take(&*snapshot, &changes, &mut news);
        if let Err(error) = result.and_then(|()| self.commit(&*snapshot, last, &news)) {
            // What was entered in memory does not stand in the log: start again from there.
            let fresh = Self::open(app)?;
            let busy: Vec<Id> =
                self.live.iter().filter(|(_, l)| l.busy).map(|(id, _)| id.clone()).collect();
            *self = fresh;
            for id in busy {
                if let Some(live) = self.live.get_mut(&id) {
                    live.busy = true;
                }
            }
            return Err(error);
        }
        for (id, seqs) in &news.events {
            if let Some(live) = self.live.get_mut(id) {
                live.events += seqs.len() as u64;
            }
        }
        Ok(changes.len() == PIECE)
    }

    /// Looks at the changes in their order.
    fn take(&mut self, snapshot: &dyn Snapshot, changes: &[Change], news: &mut News) -> Result<()> {
        for change in changes {
            self.follow_parameters()?;
            match change.key.resource_type {
                "Subscription" => self.subscription(snapshot, change, news)?,
                kind => {
                    if kind == "Basic" {
                        self.topic(snapshot, change)?;
                    }
                    if self.rules.concern(kind) {
                        let loaded = snapshot.load(&[change.seq])?;
                        if let Some(stored) = loaded.first() {
                            self.matching(snapshot, stored, news)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, snapshot: &dyn Snapshot, last: Seq, news: &News) -> Result<()> {
        let written = self.written.as_deref().and_then(|v| v.try_into().ok());
        let behind = last.saturating_sub(written.map_or(0, Seq::from_be_bytes));
        if news.is_empty() && behind < LAG {
            self.cursor = last;
            return Ok(());
        }
        let mut side: Vec<SideWrite> = news.side.clone();
        for (id, seqs) in &news.events {
            let Some(live) = self.live.get(id) else { continue };
            side.extend(log::append(snapshot, id, live.events, seqs)?);
            let events = live.events + seqs.len() as u64;
            side.push(log::write_matched(id, Matched { version: live.definition.version, events }));
        }
        let cursor = log::write_cursor(last);
        let value = cursor.value.clone();
        side.push(cursor);
        // Should two follow one feed by mistake, the later one finds its place taken.
        let guard = Guard::Side {
            space: log::SPACE,
            key: log::CURSOR.to_vec(),
            value: self.written.clone(),
        };
        let transaction = Transaction { guards: vec![guard], writes: Vec::new(), side };
        self.app.store().commit(transaction)?;
        self.written = value;
        self.cursor = last;
        Ok(())
    }

    /// A Subscription was written or deleted.
    fn subscription(
        &mut self,
        snapshot: &dyn Snapshot,
        change: &Change,
        news: &mut News,
    ) -> Result<()> {
        let id = &change.key.id;
        let before = self.leave(id);
        let events = before.as_ref().map_or(0, |live| live.events);
        let pending = news.events.remove(id).unwrap_or_default();
        if change.method == Method::Delete {
            news.side.extend(log::forget(id, events));
            return Ok(());
        }
        let Some(stored) = snapshot.load(&[change.seq])?.pop() else { return Ok(()) };
        let busy = before.as_ref().is_some_and(|live| live.busy);
        let again = log::again(snapshot, id)?;
        let delivered = match before {
            Some(live) => live.delivered,
            None => log::delivered(snapshot, id)?,
        };
        if self.enter(&stored, events, delivered, again)? {
            if let Some(live) = self.live.get_mut(id) {
                live.busy = busy;
            }
            // Counted under the version before; its numbers go on.
            news.side.push(log::write_matched(id, Matched { version: change.version, events }));
            if !pending.is_empty() {
                news.events.insert(id.clone(), pending);
            }
        }
        Ok(())
    }

    /// Puts a Subscription in force; returns whether it is one of this node's.
    fn enter(
        &mut self,
        stored: &Stored,
        events: u64,
        delivered: Delivered,
        again: Option<Again>,
    ) -> Result<bool> {
        if stored.method == Method::Delete {
            return Ok(false);
        }
        let resource = parse(stored)?;
        if !stored.text.contains(OWNER) {
            return Ok(false);
        }
        // What cannot be read any more was stored by another version of this software.
        let Ok(definition) = Definition::read(&resource, stored.version) else { return Ok(false) };
        let id = stored.key.id.clone();
        let delivered = delivered.under(definition.status);
        let definition = Arc::new(definition);
        self.rule(&id, &definition);
        let live = Live { definition, events, delivered, again, busy: false };
        self.live.insert(id, live);
        Ok(true)
    }

    /// Puts what a Subscription asks for in force, unless it is off.
    fn rule(&mut self, id: &Id, definition: &Definition) {
        let in_force = definition.status != Status::Off;
        self.app.notify().own(&definition.owner, id, in_force);
        if !in_force {
            return self.rules.leave(id);
        }
        let (what, patient) = (definition.what.clone(), definition.patient.clone());
        let compiled = || compile(definition, &self.topics, &self.registry).unwrap_or_default();
        self.rules.enter(id, Asked { what, patient }, compiled);
    }

    fn leave(&mut self, id: &Id) -> Option<Live> {
        self.rules.leave(id);
        let live = self.live.remove(id)?;
        self.app.notify().own(&live.definition.owner, id, false);
        Some(live)
    }

    /// A topic may have been written or deleted: subscriptions to it follow.
    fn topic(&mut self, snapshot: &dyn Snapshot, change: &Change) -> Result<()> {
        let before = match change.version.checked_sub(1) {
            Some(version @ 1..) => snapshot.vread(&change.key, version)?,
            _ => None,
        };
        let now = snapshot.load(&[change.seq])?.pop();
        let mut concerned = false;
        for stored in [before, now].into_iter().flatten() {
            if stored.method != Method::Delete {
                concerned |= stored_topic::is_topic(&parse(&stored)?);
            }
        }
        if !concerned {
            return Ok(());
        }
        self.compile_anew(|definition| definition.topic().is_some())
    }

    /// Takes up the search parameters as they are now. A change of one is seen here and not by its
    /// resource: the store knows what it means a moment after the resource is there.
    fn follow_parameters(&mut self) -> Result<()> {
        let now = self.app.store().registry();
        if Arc::ptr_eq(&now, &self.registry) {
            return Ok(());
        }
        self.registry = now;
        self.compile_anew(|_| true)
    }

    /// The topics or the search parameters have changed: what subscriptions ask for is read again.
    /// One that cannot be understood any more is pulled by nothing until it can.
    fn compile_anew(&mut self, concerned: impl Fn(&Definition) -> bool) -> Result<()> {
        self.topics = topic::all(&self.app)?;
        let subscribed: Vec<(Id, Arc<Definition>)> = self
            .live
            .iter()
            .filter(|(_, live)| concerned(&live.definition))
            .map(|(id, live)| (id.clone(), Arc::clone(&live.definition)))
            .collect();
        // All leave before the first comes back, so that no rule stays as it was.
        subscribed.iter().for_each(|(id, _)| self.rules.leave(id));
        subscribed.iter().for_each(|(id, definition)| self.rule(id, definition));
        Ok(())
    }

    /// Finds who is told of a change.
    fn matching(
        &mut self,
        snapshot: &dyn Snapshot,
        stored: &Stored,
        news: &mut News,
    ) -> Result<()> {
        let registry = self.registry.clone();
        let new = match stored.method {
            Method::Delete => None,
            _ => Some(Indexed::new(stored.clone(), &registry)?),
        };
        let changed = Changed::new(snapshot, stored, new.as_ref(), &registry);
        let version = match &new {
            Some(new) => Some(new),
            None => changed.old()?,
        };
        let Some(version) = version else { return Ok(()) };
        let mut pulled = BTreeSet::new();
        let mut inside: Option<Vec<Id>> = None;
        for (number, at) in self.rules.candidates(version) {
            let Some(rule) = self.rules.rule(number) else { continue };
            let Some(trigger) = rule.trigger(at) else { continue };
            if let Some(own) = &rule.asked.patient {
                if inside.is_none() {
                    inside = Some(patients_of(&version.resource));
                }
                if !inside.as_ref().is_some_and(|inside| inside.contains(own)) {
                    continue;
                }
            }
            if pulled.contains(&number) {
                continue;
            }
            self.evaluated += 1;
            if changed.pulls(trigger)? {
                pulled.insert(number);
                for id in &rule.subscribers {
                    let Some(live) = self.live.get(id) else { continue };
                    if news.readers.may_know(&self.app, snapshot, &live.definition, stored)? {
                        news.events.entry(id.clone()).or_default().push(stored.seq);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What one step found.
#[derive(Debug, Default)]
struct News {
    events: BTreeMap<Id, Vec<Seq>>,
    side: Vec<SideWrite>,
    readers: Readers,
}

impl News {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.side.is_empty()
    }
}

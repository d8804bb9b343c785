//! From the entries of a transaction to one transaction of the store.

use std::collections::{BTreeSet, HashMap, HashSet, hash_map};

use fhir::{Id, Resource};
use store::{Expect, Guard, Key, Method, SideWrite, Snapshot, Transaction, Write};

use super::super::condition::{Standing, at_most_one, deletable, live, reached, visible};
use super::super::delete::{before, check_deletable, deleted_by_condition};
use super::super::patch::Patch;
use super::super::references::{self, Known};
use super::super::validate::enforce;
use super::super::write::{
    Written, check_form, check_storable, check_taken, existing, replaced, told,
    updated_by_condition,
};
use super::super::{integrity, kept, parameters, parse as parse_stored, patients_of};
use super::pending::Pending;
use super::{Answer, Entry, Request, Target, at_entry};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise};
use crate::operate::reindex;
use crate::terminology::Lists;
use crate::{App, Caller, Error, Kind, Result, consent, notify};

/// What the caller may do of what the entries ask for.
pub(super) struct Leave {
    /// Whether they may read all there is of what the entries read.
    sees_all: bool,
    /// What they may write, by type and by what is done.
    permits: HashMap<(&'static str, Acting), Permit>,
}

/// What an entry does to a resource.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Acting {
    Creating,
    Updating,
    Deleting,
}

impl Acting {
    /// What an entry does to which type; nothing for a read.
    fn of(request: &Request) -> Option<(&'static str, Self)> {
        Some(match request {
            Request::Create { resource_type, .. } => (resource_type, Self::Creating),
            Request::Update { target, .. } | Request::Patch { target, .. } => {
                (target.resource_type(), Self::Updating)
            }
            Request::Delete { target, .. } => (target.resource_type(), Self::Deleting),
            Request::Get { .. } => return None,
        })
    }

    fn action(self, resource_type: &str) -> Action {
        match self {
            Self::Creating => Action::creating(resource_type),
            Self::Updating => Action::updating(resource_type),
            Self::Deleting => Action::deleting(resource_type),
        }
    }
}

impl Leave {
    /// The permit for a write, which was asked for when the entries were checked.
    fn permit(&self, request: &Request) -> Result<&Permit> {
        Acting::of(request)
            .and_then(|acting| self.permits.get(&acting))
            .ok_or_else(|| Error::internal("an entry was not checked"))
    }
}

/// Checks every entry by itself: permission, content, and what a read asks for.
pub(super) fn check(app: &App, caller: &Caller, entries: &[Entry]) -> Result<Leave> {
    let mut leave = Leave { sees_all: true, permits: HashMap::new() };
    let mut readable: HashMap<&'static str, bool> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Request::Get { url } = &entry.request {
            leave.sees_all &=
                check_read(app, caller, url, &mut readable).map_err(|e| at_entry(e, at))?;
        }
        let Some((resource_type, acting)) = Acting::of(&entry.request) else { continue };
        if let hash_map::Entry::Vacant(free) = leave.permits.entry((resource_type, acting)) {
            let permit = authorise(app, caller, acting.action(resource_type));
            free.insert(permit.map_err(|e| at_entry(e, at))?);
        }
        let permit = leave.permit(&entry.request)?;
        check_write(entry, permit)
            .and_then(|()| match &entry.request {
                Request::Create { resource, .. } | Request::Update { resource, .. } => {
                    enforce(app, resource)
                }
                _ => Ok(()),
            })
            .map_err(|e| at_entry(e, at))?;
    }
    Ok(leave)
}

fn check_write(entry: &Entry, permit: &Permit) -> Result<()> {
    match &entry.request {
        Request::Create { resource_type, resource, .. } => {
            check_form(resource, resource_type, permit)
        }
        Request::Update { target, resource, .. } => {
            check_form(resource, target.resource_type(), permit)
        }
        Request::Delete { target, .. } => check_deletable(target.resource_type()),
        Request::Patch { .. } | Request::Get { .. } => Ok(()),
    }
}

/// What can be known of a read before the writes: that its type exists and may be read, and that
/// its search can be understood. Other addresses are answered entry by entry.
fn check_read(
    app: &App,
    caller: &Caller,
    url: &str,
    readable: &mut HashMap<&'static str, bool>,
) -> Result<bool> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let kind = path.split('/').next().unwrap_or_default();
    if kind.is_empty() || kind.starts_with(['$', '_']) || kind == "metadata" {
        return Ok(true);
    }
    let resource_type = fhir::definitions::resource_type(kind).ok_or_else(|| {
        let kind: String = kind.chars().take(40).collect();
        Error::new(Kind::NotFound, format!("`{kind}` is not a resource type of FHIR R4"))
    })?;
    let sees_all = match readable.get(resource_type) {
        Some(known) => *known,
        None => {
            let permit = authorise(app, caller, Action::reading(resource_type))?;
            readable.insert(resource_type, permit.is_whole());
            permit.is_whole()
        }
    };
    if path == kind && !query.is_empty() {
        let params = super::query_pairs(query);
        let registry = app.store().registry();
        let lists = Lists::new(app, caller);
        store::query::Parser::new(&registry)
            .with_terms(&lists)
            .parse(resource_type, &params)
            .map_err(|e| super::super::search::refused(&e))?;
    }
    Ok(sees_all)
}

/// Where an entry goes.
enum Aim {
    /// A new version under a key, provided that the store holds what is expected.
    Put(Key, Expect, Method),
    /// A patched version.
    Patch(Key, Expect, Box<Resource>),
    /// Nothing new: what a conditional create has found.
    Found(Written),
    Delete(Vec<(Key, Expect, Resource)>),
    Get,
}

impl Aim {
    /// What it writes.
    fn keys(&self) -> Vec<&Key> {
        match self {
            Self::Put(key, ..) | Self::Patch(key, ..) => vec![key],
            Self::Delete(list) => list.iter().map(|(key, ..)| key).collect(),
            Self::Found(_) | Self::Get => Vec::new(),
        }
    }

    /// What a reference to the entry leads to.
    fn stands_for(&self) -> Option<&Key> {
        match self {
            Self::Put(key, ..) | Self::Patch(key, ..) => Some(key),
            Self::Found(written) => Some(&written.key),
            Self::Delete(_) | Self::Get => None,
        }
    }
}

/// Where one entry's answer comes from.
enum Slot {
    Write(usize),
    Found(Written),
    Nothing,
}

/// A transaction ready to commit.
pub(super) struct Plan {
    writes: Vec<Write>,
    guards: Vec<Guard>,
    side: Vec<SideWrite>,
    patients: Vec<Id>,
    slots: Vec<Slot>,
}

impl Plan {
    /// Decides what each entry does, against what the store holds now.
    pub(super) fn make(
        app: &App,
        caller: &Caller,
        entries: &[Entry],
        leave: &Leave,
    ) -> Result<Self> {
        let snapshot = app.store().snapshot()?;
        let asking = Asking { app, caller, snapshot: &*snapshot };
        let mut guards = Vec::new();
        let mut aims: Vec<Aim> = Vec::with_capacity(entries.len());
        let mut conditions: HashSet<(&str, &[(String, String)])> = HashSet::new();
        for (at, entry) in entries.iter().enumerate() {
            if let Request::Create { resource_type, if_none_exist: Some(params), .. } =
                &entry.request
                && !conditions.insert((resource_type, params))
            {
                let message = "two entries create under the same condition";
                return Err(at_entry(Error::invalid("duplicate", message), at));
            }
            let aim = aim(asking, leave, entry, &mut guards)
                .map_err(|e| told(app, caller, "Bundle", e))
                .map_err(|e| at_entry(e, at))?;
            aims.push(aim);
        }
        let touched = touched(&aims)?;
        if leave.sees_all {
            check_reads(&*snapshot, entries, &aims, &touched)?;
        }
        let known = known(entries, &aims)?;
        let written = aims.iter().enumerate().filter_map(|(at, aim)| match aim {
            Aim::Put(key, ..) => Some((key.clone(), at)),
            _ => None,
        });
        let (written, all) = (written.collect(), touched.clone());
        let mut pending = Pending::new((app, caller), &*snapshot, entries, written, all);
        let slots = Vec::with_capacity(entries.len());
        let (writes, side, patients) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Self { writes, guards, side, patients, slots };
        plan.order((app, leave), entries, aims, &known, &mut pending)?;
        plan.guards.append(&mut pending.guards);
        let new = plan.writes.iter().filter_map(|write| match write {
            Write::Put { resource, .. } => Some(resource),
            Write::Audit { .. } | Write::Delete { .. } | Write::Forget { .. } => None,
        });
        plan.guards.extend(integrity::of_written(app, caller, &touched, new)?);
        plan.guards.extend(parameters::check_all(app, &plan.writes)?);
        kept::check_replaced(app, touched.iter())?;
        Ok(plan)
    }

    /// Turns aims into writes: deletions, then creations, then updates and patches.
    fn order(
        &mut self,
        (app, leave): (&App, &Leave),
        entries: &[Entry],
        aims: Vec<Aim>,
        known: &Known,
        pending: &mut Pending<'_>,
    ) -> Result<()> {
        let mut slots: Vec<Slot> = aims.iter().map(|_| Slot::Nothing).collect();
        for phase in [Phase::Delete, Phase::Create, Phase::Change] {
            for ((at, entry), (aim, slot)) in
                entries.iter().enumerate().zip(aims.iter().zip(&mut slots))
            {
                if Phase::of(aim) != phase {
                    continue;
                }
                let content = |resource: &Resource, pending: &mut Pending<'_>| {
                    let full_url = entry.full_url.as_deref();
                    let root = resource.root();
                    let new = references::rewrite(root, known, full_url, &mut |reference| {
                        pending.resolve(reference).map(Some)
                    });
                    let new = match new? {
                        Some(text) => {
                            Resource::parse(text).map_err(|e| Error::internal(e.to_string()))?
                        }
                        None => resource.clone(),
                    };
                    // Whom it is about is known only now.
                    check_taken(&new, leave.permit(&entry.request)?)?;
                    Ok(new)
                };
                *slot = Slot::Write(self.writes.len());
                match (aim, &entry.request) {
                    (Aim::Delete(list), _) => {
                        if list.is_empty() {
                            *slot = Slot::Nothing;
                        }
                        for (key, expect, old) in list {
                            self.delete(app, key, *expect, old)?;
                        }
                    }
                    (
                        Aim::Put(key, expect, method),
                        Request::Create { resource, .. } | Request::Update { resource, .. },
                    ) => {
                        let new = content(resource, pending).map_err(|e| at_entry(e, at))?;
                        self.put(app, key, *expect, *method, new)?;
                    }
                    (Aim::Patch(key, expect, new), _) => {
                        let new = content(new, pending).map_err(|e| at_entry(e, at))?;
                        self.put(app, key, *expect, Method::Put, new)?;
                    }
                    (Aim::Found(written), _) => *slot = Slot::Found(written.clone()),
                    _ => *slot = Slot::Nothing,
                }
            }
        }
        self.slots = slots;
        Ok(())
    }

    fn put(
        &mut self,
        app: &App,
        key: &Key,
        expect: Expect,
        method: Method,
        resource: Resource,
    ) -> Result<()> {
        self.patients.extend(patients_of(&resource));
        let expect = crate::accounts::kept::checked(app, key, &resource, expect)?;
        let write = Write::Put { key: key.clone(), resource, expect, method };
        self.side.extend(consent::deliver::after_write(app, &write)?);
        self.writes.push(write);
        Ok(())
    }

    fn delete(&mut self, app: &App, key: &Key, expect: Expect, old: &Resource) -> Result<()> {
        self.patients.extend(patients_of(old));
        self.side.extend(consent::deliver::after_delete(app, key, old)?);
        self.writes.push(Write::Delete { key: key.clone(), expect });
        Ok(())
    }

    /// Commits everything with one entry in the audit, and says what became of each entry.
    pub(super) fn commit(
        self,
        app: &App,
        caller: &Caller,
        entries: &[Entry],
    ) -> Result<Vec<Answer>> {
        let note = format!("{} entries, {} writes", entries.len(), self.writes.len());
        let patients: BTreeSet<Id> = self.patients.into_iter().collect();
        let event = Event::by(caller, Pattern::Transaction).note(note).patients(patients);
        let mut writes = self.writes;
        let tasks = reindex::ordered(app, Some(caller), &writes)?;
        writes.push(event.write(app)?);
        writes.extend(tasks);
        let (guards, side) = (self.guards, self.side);
        let committed = app.store().commit(Transaction { guards, writes, side })?;
        let written = |at: usize| committed.versions.get(at).cloned().flatten();
        let answer = |(slot, entry): (Slot, &Entry)| match (slot, &entry.request) {
            (Slot::Write(at), Request::Delete { .. }) => {
                Ok(Answer::Deleted(written(at).as_ref().map(Written::from)))
            }
            (Slot::Write(at), _) => match written(at) {
                Some(version) => Ok(Answer::Written(Written::from(&version))),
                None => Err(Error::internal("the store did not say what it wrote")),
            },
            (Slot::Found(written), _) => Ok(Answer::Written(written)),
            (Slot::Nothing, Request::Get { url }) => Ok(Answer::Get { url: url.clone() }),
            (Slot::Nothing, _) => Ok(Answer::Deleted(None)),
        };
        self.slots.into_iter().zip(entries).map(answer).collect()
    }
}

/// The order of processing (FHIR R4 http, transaction processing rules).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Delete,
    Create,
    Change,
    None,
}

impl Phase {
    fn of(aim: &Aim) -> Self {
        match aim {
            Aim::Delete(_) => Self::Delete,
            Aim::Put(_, _, Method::Post) => Self::Create,
            Aim::Put(..) | Aim::Patch(..) | Aim::Found(_) => Self::Change,
            Aim::Get => Self::None,
        }
    }
}

/// Everything that is written, each once.
fn touched(aims: &[Aim]) -> Result<HashSet<Key>> {
    let mut touched = HashSet::new();
    for (at, aim) in aims.iter().enumerate() {
        for key in aim.keys() {
            if !touched.insert(key.clone()) {
                let message = "the same resource occurs twice in the transaction";
                return Err(at_entry(Error::invalid("duplicate", message), at));
            }
        }
    }
    for (at, aim) in aims.iter().enumerate() {
        if let Aim::Found(written) = aim
            && touched.contains(&written.key)
        {
            let message = "what the condition finds is changed by another entry";
            return Err(at_entry(Error::invalid("duplicate", message), at));
        }
    }
    Ok(touched)
}

/// A read of one resource must succeed after the writes, or nothing is written.
fn check_reads(
    snapshot: &dyn Snapshot,
    entries: &[Entry],
    aims: &[Aim],
    touched: &HashSet<Key>,
) -> Result<()> {
    let deleted: HashSet<&Key> = aims
        .iter()
        .filter(|aim| matches!(aim, Aim::Delete(_)))
        .flat_map(|aim| aim.keys())
        .collect();
    for (at, entry) in entries.iter().enumerate() {
        let Request::Get { url } = &entry.request else { continue };
        let Ok(Target::Key(key)) = super::target(url.split('?').next().unwrap_or_default()) else {
            continue;
        };
        let stands = match touched.contains(&key) {
            true => !deleted.contains(&key),
            false => live(snapshot, &key)?.is_some(),
        };
        if !stands {
            return Err(at_entry(Error::not_found(), at));
        }
    }
    Ok(())
}

/// What each `fullUrl` stands for.
fn known(entries: &[Entry], aims: &[Aim]) -> Result<Known> {
    let mut known = Known::default();
    for (at, (entry, aim)) in entries.iter().zip(aims).enumerate() {
        let (Some(url), Some(key)) = (&entry.full_url, aim.stands_for()) else { continue };
        let reference = format!("{}/{}", key.resource_type, key.id);
        if known.by_url.insert(url.clone(), reference).is_some() {
            let message = "the same `fullUrl` occurs twice in the transaction";
            return Err(at_entry(Error::invalid("duplicate", message), at));
        }
    }
    Ok(known)
}

/// Who asks, and of what state of the store.
#[derive(Clone, Copy)]
struct Asking<'a> {
    app: &'a App,
    caller: &'a Caller,
    snapshot: &'a dyn Snapshot,
}

impl Asking<'_> {
    /// The one resource that a condition finds among what the caller may search.
    fn found(
        self,
        permit: &Permit,
        resource_type: &'static str,
        params: &[(String, String)],
        guards: &mut Vec<Guard>,
    ) -> Result<Option<Key>> {
        let query = visible(self.app, self.caller, permit, resource_type, params)?;
        let (found, guard) = at_most_one(self.snapshot, query)?;
        guards.push(guard);
        Ok(found)
    }
}

fn aim(asking: Asking<'_>, leave: &Leave, entry: &Entry, guards: &mut Vec<Guard>) -> Result<Aim> {
    let permit = || leave.permit(&entry.request);
    match &entry.request {
        Request::Create { resource_type, if_none_exist, .. } => {
            if let Some(params) = if_none_exist
                && let Some(key) = asking.found(permit()?, resource_type, params, guards)?
            {
                return Ok(Aim::Found(existing(asking.snapshot, &key)?));
            }
            let key = Key { resource_type, id: asking.app.new_id() };
            Ok(Aim::Put(key, Expect::Absent, Method::Post))
        }
        Request::Update { target, resource, standing } => {
            updated(asking, permit()?, (target, resource), standing, guards)
        }
        Request::Patch { target, patch, standing } => {
            patched(asking, permit()?, (target, patch), standing, guards)
        }
        Request::Delete { target, standing } => {
            deleted(asking, permit()?, target, standing, guards)
        }
        Request::Get { .. } => Ok(Aim::Get),
    }
}

fn updated(
    asking: Asking<'_>,
    permit: &Permit,
    (target, resource): (&Target, &Resource),
    standing: &Standing,
    guards: &mut Vec<Guard>,
) -> Result<Aim> {
    let snapshot = asking.snapshot;
    let key = match target {
        Target::Key(key) => key.clone(),
        Target::Search { resource_type, params } => {
            let found = asking.found(permit, resource_type, params, guards)?;
            match updated_by_condition(snapshot, permit, resource_type, found, resource)? {
                Some((key, _)) => key,
                None => {
                    standing.expect(None)?;
                    let key = Key { resource_type, id: asking.app.new_id() };
                    return Ok(Aim::Put(key, Expect::Absent, Method::Post));
                }
            }
        }
    };
    let current = replaced(snapshot, &key, permit)?.map(|stored| stored.version);
    Ok(Aim::Put(key, standing.expect_within(permit, current)?, Method::Put))
}

fn patched(
    asking: Asking<'_>,
    permit: &Permit,
    (target, patch): (&Target, &Patch),
    standing: &Standing,
    guards: &mut Vec<Guard>,
) -> Result<Aim> {
    let app = asking.app;
    let key = match target {
        Target::Key(key) => key.clone(),
        Target::Search { resource_type, params } => {
            let found = asking.found(permit, resource_type, params, guards)?;
            found.ok_or_else(Error::not_found)?
        }
    };
    let stored = reached(asking.snapshot, &key, permit)?.ok_or_else(Error::not_found)?;
    standing.expect(Some(stored.version))?;
    let new = patch.apply(&parse_stored(&stored)?, app.now_ms())?;
    if notify::accept::is_checked(&new) {
        let kind = key.resource_type;
        let message = format!("a `{kind}` of this kind is patched by itself, not in a transaction");
        return Err(Error::new(Kind::NotSupported, message));
    }
    check_storable(&new, key.resource_type)?;
    enforce(app, &new)?;
    Ok(Aim::Patch(key, Expect::Version(stored.version), Box::new(new)))
}

fn deleted(
    asking: Asking<'_>,
    permit: &Permit,
    target: &Target,
    standing: &Standing,
    guards: &mut Vec<Guard>,
) -> Result<Aim> {
    let (app, snapshot) = (asking.app, asking.snapshot);
    let keys = match target {
        Target::Key(key) => vec![key.clone()],
        Target::Search { resource_type, params } => {
            let query = deletable(app, asking.caller, permit, resource_type, params)?;
            let keys = deleted_by_condition(app, snapshot, &query)?;
            guards.push(Guard::Found { query, keys: keys.clone() });
            keys
        }
    };
    let mut list = Vec::with_capacity(keys.len());
    for key in keys {
        match before(snapshot, &key, permit)? {
            Some((version, old)) => {
                list.push((key, standing.expect_within(permit, Some(version))?, old));
            }
            None => {
                standing.expect(None)?;
            }
        }
    }
    let keys: Vec<Key> = list.iter().map(|(key, ..)| key.clone()).collect();
    integrity::of_deleted(app, snapshot, &keys)?;
    Ok(Aim::Delete(list))
}

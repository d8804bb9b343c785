//! From the entries of a transaction to one transaction of the store.

use std::collections::{BTreeSet, HashMap, HashSet};

use fhir::{Id, Resource};
use store::{Expect, Guard, Key, Method, SideWrite, Snapshot, Transaction, Write};

use super::super::condition::{Standing, at_most_one, check_may_state, condition, live};
use super::super::delete::{before, check_deletable, deleted_by_condition};
use super::super::patch::Patch;
use super::super::references::{self, Known};
use super::super::validate::enforce;
use super::super::write::{
    Written, check_content, check_storable, existing, told, updated_by_condition,
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

/// Checks every entry by itself: permission, content, and what a read asks for. Returns whether the
/// caller may read all there is of what the entries read.
pub(super) fn check(app: &App, caller: &Caller, entries: &[Entry]) -> Result<bool> {
    let mut sees_all = true;
    let mut permits: HashMap<(&'static str, &'static str), Permit> = HashMap::new();
    let mut readable: HashMap<&'static str, bool> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        type Acting = fn(&str) -> Action;
        let (resource_type, method, action): (&'static str, _, Acting) = match &entry.request {
            Request::Create { resource_type, .. } => (resource_type, "POST", Action::creating),
            Request::Update { target, .. } | Request::Patch { target, .. } => {
                (target.resource_type(), "PUT", Action::updating)
            }
            Request::Delete { target, .. } => (target.resource_type(), "DELETE", Action::deleting),
            Request::Get { url } => {
                sees_all &=
                    check_read(app, caller, url, &mut readable).map_err(|e| at_entry(e, at))?;
                continue;
            }
        };
        let permit = match permits.get(&(resource_type, method)) {
            Some(permit) => permit,
            None => {
                let permit =
                    authorise(app, caller, action(resource_type)).map_err(|e| at_entry(e, at))?;
                permits.entry((resource_type, method)).or_insert(permit)
            }
        };
        check_write(entry, permit)
            .and_then(|()| match &entry.request {
                Request::Create { resource, .. } | Request::Update { resource, .. } => {
                    enforce(app, resource)
                }
                _ => Ok(()),
            })
            .map_err(|e| at_entry(e, at))?;
    }
    Ok(sees_all)
}

fn check_write(entry: &Entry, permit: &Permit) -> Result<()> {
    // Overwriting somebody else's resource is prevented by giving limited callers no changes in
    // transactions; they have the plain interactions.
    let only_new = |what: &str| match permit.is_unlimited() {
        true => Ok(()),
        false => Err(Error::new(Kind::Forbidden, format!("{what} one resource at a time"))
            .by_rule("own-record")),
    };
    if let Request::Create { resource, .. } | Request::Update { resource, .. } = &entry.request
        && !permit.is_whole()
        && has_conditional_reference(resource)
    {
        let message = "a reference by a search tells what exists; refer to `Type/id`";
        return Err(Error::new(Kind::Forbidden, message).by_rule("own-record"));
    }
    match &entry.request {
        Request::Create { resource_type, resource, if_none_exist } => {
            if if_none_exist.is_some() {
                check_may_state(permit)?;
            }
            check_content(resource, resource_type, permit)
        }
        Request::Update { target, resource, .. } => {
            only_new("update")?;
            check_content(resource, target.resource_type(), permit)
        }
        Request::Patch { .. } => only_new("patch"),
        Request::Delete { target, .. } => {
            only_new("delete")?;
            check_deletable(target.resource_type())
        }
        Request::Get { .. } => Ok(()),
    }
}

/// Whether a reference is a search, `Patient?identifier=…`.
fn has_conditional_reference(resource: &Resource) -> bool {
    let mut found = false;
    fhir::edit::walk_references(resource.root(), &mut |value| {
        let text = value.as_str();
        let kind = text.as_ref().and_then(|text| text.split_once('?')).map(|(kind, _)| kind);
        found |= kind.is_some_and(|kind| fhir::resource_type(kind).is_some());
    });
    found
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
        sees_all: bool,
    ) -> Result<Self> {
        let snapshot = app.store().snapshot()?;
        let lists = Lists::new(app, caller);
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
            let aim = aim((app, &lists), &*snapshot, entry, &mut guards)
                .map_err(|e| told(app, caller, "Bundle", e))
                .map_err(|e| at_entry(e, at))?;
            aims.push(aim);
        }
        let touched = touched(&aims)?;
        if sees_all {
            check_reads(&*snapshot, entries, &aims, &touched)?;
        }
        let known = known(entries, &aims)?;
        let written = aims.iter().enumerate().filter_map(|(at, aim)| match aim {
            Aim::Put(key, ..) => Some((key.clone(), at)),
            _ => None,
        });
        let (written, all) = (written.collect(), touched.clone());
        let mut pending = Pending::new((app, &lists), &*snapshot, entries, written, all);
        let slots = Vec::with_capacity(entries.len());
        let (writes, side, patients) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Self { writes, guards, side, patients, slots };
        plan.order(app, entries, aims, &known, &mut pending)?;
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
        app: &App,
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
                    match new? {
                        Some(text) => {
                            Resource::parse(text).map_err(|e| Error::internal(e.to_string()))
                        }
                        None => Ok(resource.clone()),
                    }
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

/// Whose conditions are read, and with which lists of codes.
type Asking<'a> = (&'a App, &'a Lists<'a>);

fn aim(
    asking: Asking<'_>,
    snapshot: &dyn Snapshot,
    entry: &Entry,
    guards: &mut Vec<Guard>,
) -> Result<Aim> {
    let (app, lists) = asking;
    match &entry.request {
        Request::Create { resource_type, if_none_exist, .. } => {
            if let Some(params) = if_none_exist {
                let (found, guard) =
                    at_most_one(snapshot, condition(app, lists, resource_type, params)?)?;
                guards.push(guard);
                if let Some(key) = found {
                    return Ok(Aim::Found(existing(snapshot, &key)?));
                }
            }
            let key = Key { resource_type, id: app.new_id() };
            Ok(Aim::Put(key, Expect::Absent, Method::Post))
        }
        Request::Update { target, resource, standing } => {
            updated(asking, snapshot, target, resource, standing, guards)
        }
        Request::Patch { target, patch, standing } => {
            patched(asking, snapshot, target, patch, standing, guards)
        }
        Request::Delete { target, standing } => deleted(asking, snapshot, target, standing, guards),
        Request::Get { .. } => Ok(Aim::Get),
    }
}

fn updated(
    (app, lists): Asking<'_>,
    snapshot: &dyn Snapshot,
    target: &Target,
    resource: &Resource,
    standing: &Standing,
    guards: &mut Vec<Guard>,
) -> Result<Aim> {
    let key = match target {
        Target::Key(key) => key.clone(),
        Target::Search { resource_type, params } => {
            let (found, guard) =
                at_most_one(snapshot, condition(app, lists, resource_type, params)?)?;
            guards.push(guard);
            match updated_by_condition(snapshot, resource_type, found, resource)? {
                Some((key, _)) => key,
                None => {
                    standing.expect(None)?;
                    let key = Key { resource_type, id: app.new_id() };
                    return Ok(Aim::Put(key, Expect::Absent, Method::Post));
                }
            }
        }
    };
    let current = live(snapshot, &key)?.map(|stored| stored.version);
    Ok(Aim::Put(key, standing.expect(current)?, Method::Put))
}

fn patched(
    (app, lists): Asking<'_>,
    snapshot: &dyn Snapshot,
    target: &Target,
    patch: &Patch,
    standing: &Standing,
    guards: &mut Vec<Guard>,
) -> Result<Aim> {
    let key = match target {
        Target::Key(key) => key.clone(),
        Target::Search { resource_type, params } => {
            let (found, guard) =
                at_most_one(snapshot, condition(app, lists, resource_type, params)?)?;
            guards.push(guard);
            found.ok_or_else(Error::not_found)?
        }
    };
    let stored = live(snapshot, &key)?.ok_or_else(Error::not_found)?;
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
    (app, lists): Asking<'_>,
    snapshot: &dyn Snapshot,
    target: &Target,
    standing: &Standing,
    guards: &mut Vec<Guard>,
) -> Result<Aim> {
    let keys = match target {
        Target::Key(key) => vec![key.clone()],
        Target::Search { resource_type, params } => {
            let query = condition(app, lists, resource_type, params)?;
            let keys = deleted_by_condition(app, snapshot, &query)?;
            guards.push(Guard::Found { query, keys: keys.clone() });
            keys
        }
    };
    integrity::of_deleted(app, snapshot, &keys)?;
    let mut list = Vec::with_capacity(keys.len());
    for key in keys {
        match before(snapshot, &key)? {
            Some((version, old)) => list.push((key, standing.expect(Some(version))?, old)),
            None => {
                standing.expect(None)?;
            }
        }
    }
    Ok(Aim::Delete(list))
}

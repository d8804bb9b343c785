//! One walk along the change feed that meets every resource as it stood at one moment.
//!
//! A version stood at the moment `seq` when it is the newest of its resource that is not newer
//! than `seq`. So each change up to `seq` is met once, and taken exactly when nothing later up to
//! `seq` replaces it; writes that come while the walk goes on change nothing.

use std::collections::{HashMap, HashSet};

use fhir::{Id, Resource};
use store::{Change, HistoryOf, Key, Method, Seq, Snapshot, Stored};

use super::plan::{Members, Plan, SELECTED, filter_file, read_listed};
use super::selection::Selection;
use crate::authorise::withheld::Withheld;
use crate::jobs::folder::Folder;
use crate::jobs::{Outcome, Progress};
use crate::records::{parse, patients_of};
use crate::{App, Caller, Result};

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// The types; all that may be exported where there are none.
    pub types: Vec<&'static str>,
    /// Only what changed later than this, milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Only what changed before this.
    pub until_ms: Option<i64>,
    /// Searches of which a resource of the type must match one.
    pub filters: Vec<(String, String)>,
    /// Only what belongs to these.
    pub patients: Option<HashSet<Id>>,
    /// Only what belongs to some patient.
    pub owned_only: bool,
}

impl Window {
    fn wants(&self, kind: &str) -> bool {
        kind != "AuditEvent" && (self.types.is_empty() || self.types.contains(&kind))
    }

    fn is_in_time(&self, stored: &Stored) -> bool {
        self.since_ms.is_none_or(|since| stored.last_updated_ms > since)
            && self.until_ms.is_none_or(|until| stored.last_updated_ms < until)
    }
}

/// What the walk met.
pub enum Met {
    /// A resource as it stood, parsed where that was needed to tell whose it is.
    Resource(Stored, Option<Resource>),
    /// A resource that was deleted within the time that is asked for.
    Deleted(Key),
}

impl Met {
    /// The same, unless it is withheld. Whose something deleted was is not known any more.
    fn unless(self, withheld: &Withheld) -> Result<Option<Self>> {
        let Self::Resource(stored, resource) = self else { return Ok(None) };
        let resource = resource.map_or_else(|| parse(&stored), Ok)?;
        Ok(withheld.lets(&resource).then_some(Self::Resource(stored, Some(resource))))
    }
}

/// A walk.
pub struct Scan {
    plan: Plan,
    window: Window,
    filters: HashMap<String, Selection>,
    selected: Option<Selection>,
    listed: HashSet<Id>,
    after: Seq,
}

impl Scan {
    /// A walk that has come as far as `after` already. `folder` holds what [`Plan::make`] has made.
    pub fn open(folder: &Folder, plan: Plan, window: Window, after: Seq) -> Outcome<Self> {
        let mut filters = HashMap::new();
        for kind in &plan.filtered {
            filters.insert(kind.clone(), Selection::open(folder, &filter_file(kind))?);
        }
        let selected = match plan.members {
            Members::Selected => Some(Selection::open(folder, SELECTED)?),
            _ => None,
        };
        let listed = match plan.members {
            Members::Listed | Members::Selected => read_listed(folder)?,
            _ => HashSet::new(),
        };
        let after = after.max(plan.start);
        Ok(Self { plan, window, filters, selected, listed, after })
    }

    /// How far it is: the last change that was met.
    pub fn after(&self) -> Seq {
        self.after
    }

    /// How far it is, in changes.
    pub fn progress(&self) -> Progress {
        let length = self.plan.seq.saturating_sub(self.plan.start);
        Progress { done: self.after.saturating_sub(self.plan.start), total: length.max(1) }
    }

    /// Walks along at most `limit` changes and hands out what is wanted and not withheld from the
    /// caller at this moment; false at the end.
    pub fn page(
        &mut self,
        (app, caller): (&App, &Caller),
        limit: usize,
        take: &mut dyn FnMut(Met) -> Outcome<()>,
    ) -> Outcome<bool> {
        let snapshot = app.store().snapshot()?;
        let changes = snapshot.changes(self.after, limit)?;
        let full = changes.len() == limit;
        let withheld = app.withheld().kept_from(app, caller)?;
        for change in changes {
            if change.seq > self.plan.seq {
                self.after = self.plan.seq;
                return Ok(false);
            }
            self.after = change.seq;
            if !self.window.wants(change.key.resource_type) {
                continue;
            }
            let Some(met) = self.meet(&*snapshot, &change)? else { continue };
            match &withheld {
                Some(withheld) => met.unless(withheld)?.map(&mut *take).transpose()?,
                None => Some(take(met)?),
            };
        }
        if !full {
            self.after = self.plan.seq;
        }
        Ok(full)
    }

    fn meet(&mut self, snapshot: &dyn Snapshot, change: &Change) -> Outcome<Option<Met>> {
        if change.method == Method::Delete && self.window.since_ms.is_none() {
            return Ok(None);
        }
        let Some(stored) = stood(snapshot, &change.key, self.plan.seq)? else { return Ok(None) };
        if stored.seq != change.seq || !self.window.is_in_time(&stored) {
            return Ok(None);
        }
        if stored.method == Method::Delete {
            return self.deleted(snapshot, stored);
        }
        if let Some(filter) = self.filters.get_mut(change.key.resource_type)
            && !filter.holds(stored.seq)?
        {
            return Ok(None);
        }
        if let Some(selected) = &mut self.selected {
            let held = selected.holds(stored.seq)?;
            return Ok(held.then_some(Met::Resource(stored, None)));
        }
        if self.plan.members == Members::Everybody {
            return Ok(Some(Met::Resource(stored, None)));
        }
        let resource = parse(&stored)?;
        let owned = self.owns(&resource);
        Ok(owned.then_some(Met::Resource(stored, Some(resource))))
    }

    fn owns(&self, resource: &Resource) -> bool {
        let patients = patients_of(resource);
        match self.plan.members {
            Members::Everybody => true,
            Members::AnyPatient => !patients.is_empty(),
            Members::Listed | Members::Selected => {
                patients.iter().any(|id| self.listed.contains(id))
            }
        }
    }

    /// A deletion is told to those who were given what was deleted: whose it was is taken from the
    /// version before.
    fn deleted(&self, snapshot: &dyn Snapshot, stored: Stored) -> Outcome<Option<Met>> {
        if self.plan.members == Members::Everybody {
            return Ok(Some(Met::Deleted(stored.key)));
        }
        let before = snapshot.vread(&stored.key, stored.version.saturating_sub(1))?;
        let Some(before) = before.filter(|b| b.method != Method::Delete) else { return Ok(None) };
        let owned = self.owns(&parse(&before)?);
        Ok(owned.then_some(Met::Deleted(stored.key)))
    }
}

/// The version of a resource that stood at the moment `seq`, which may be a deletion.
pub(crate) fn stood(snapshot: &dyn Snapshot, key: &Key, seq: Seq) -> Result<Option<Stored>> {
    let current = snapshot.read(key)?;
    if current.as_ref().is_some_and(|stored| stored.seq <= seq) {
        return Ok(current);
    }
    let of = HistoryOf::Instance(key.clone());
    let before = snapshot.history(&of, seq.saturating_add(1), i64::MIN, 1)?;
    Ok(before.into_iter().next())
}

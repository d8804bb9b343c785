//! What patients keep from single people and programs of this institution by their consents. An
//! institution uses its own records without asking each time; who is named in a denial does not.
//!
//! Two things are remembered: which patients have consents that name somebody, and what those keep
//! from a caller. Both are made anew when the store says that what they stand on has changed, so a
//! request of somebody whom nothing concerns costs a look at two numbers.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use parking_lot::{Mutex, RwLock};
use policy::consent::{
    Compiled, Defaults, Existence, Item, NetworkDefault, Request, SensitiveDefault, Who,
    WholeDecision, decide_all, user_of, whole_record,
};
use policy::labels::Labelling;
use policy::{Purpose, Role};
use store::query::{Filter, Query, compartment, is_in_compartment};
use store::{HistoryOf, Key, Method, Seq, SharedStore, Snapshot};

use super::carried::{self, Carried};
use super::outside::{self, Outside};
use crate::consent::standing;
use crate::consent::who::directory;
use crate::records::{holdings, parse, patients_of};
use crate::{App, Caller, Result};

/// Consents that are read at a time.
const PAGE: usize = 1_000;
/// Most callers that are remembered; beyond, all are forgotten.
const MOST_CALLERS: usize = 10_000;
/// Most patients whose resources are decided one by one for one caller. Of others who keep
/// anything from the caller, everything is kept.
const MOST_BY_ITEM: usize = 100;

/// Most changes that are looked through to decide anew what they touch, and no more.
const MOST_CHANGES: usize = 1_000;
/// Types by which it is looked up who is behind the names in consents.
/// ([`policy::consent::look_up`]).
const DIRECTORY: [&str; 8] = [
    "CareTeam",
    "Device",
    "Group",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "RelatedPerson",
];

/// What is kept from one caller.
#[derive(Debug)]
pub(crate) enum Withheld {
    /// From somebody of this institution: what patients keep from them.
    Here(Here),
    /// From another organisation: all that is not open to it.
    Elsewhere(Outside),
}

/// What patients keep from somebody of this institution.
pub(crate) struct Here {
    store: SharedStore,
    labelling: Labelling,
    requests: Vec<Request>,
    defaults: Defaults,
    patients: HashMap<Id, Kept>,
    /// What somebody who acts for a patient never sees, whatever the consents say.
    closed: Option<Closed>,
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here").field("patients", &self.patients.len()).finish_non_exhaustive()
    }
}

/// Kinds that whoever acts for a patient does not see.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    /// As whom they act; of this type they see themself alone.
    pub related: Id,
    /// Types that are closed.
    pub kinds: Vec<&'static str>,
}

impl Closed {
    fn lets(&self, resource: &Resource) -> bool {
        match resource.type_name() {
            "RelatedPerson" => resource.id().as_ref() == Some(&self.related),
            kind => !self.kinds.contains(&kind),
        }
    }

    fn filter(&self, kind: &'static str) -> Option<Filter> {
        match kind {
            "RelatedPerson" => Some(Filter::Id(vec![self.related.to_string()])),
            kind => self.kinds.contains(&kind).then(|| Filter::Any(Vec::new())),
        }
    }
}

/// What one patient keeps from the caller.
#[derive(Clone, Debug)]
struct Kept {
    consents: Arc<Compiled>,
    /// What was decided; `None` where nothing was decided one by one.
    open: Option<Arc<Open>>,
}

/// What of a patient's resources is open to the caller, and the files of the others.
#[derive(Debug, Default)]
struct Open {
    keys: HashSet<Key>,
    closed_files: HashSet<Id>,
}

impl Withheld {
    /// What a patient's consents leave to somebody who acts for them: nothing that no consent
    /// permits, and nothing of the `closed` kinds. With it comes when it ends, milliseconds since
    /// the Unix epoch.
    pub(crate) fn from_proxy(
        (app, snapshot): (&App, &dyn Snapshot),
        patient: &Id,
        consents: Compiled,
        request: Request,
        closed: Closed,
    ) -> Result<(Self, i64)> {
        let until_ms = consents.next_change_ms(request.now_ms).unwrap_or(i64::MAX);
        let defaults = Defaults {
            network: NetworkDefault::Deny,
            sensitive: SensitiveDefault::Share,
            denied: Existence::Hidden,
        };
        let whole = whole_record(&request, &consents, &defaults);
        let consents = Arc::new(consents);
        let requests = vec![request];
        let mut patients = HashMap::new();
        if !matches!(whole, WholeDecision::Permit(_)) {
            let open = open((app, snapshot), patient, &requests, &consents, &defaults)?;
            patients.insert(patient.clone(), Kept { consents, open: Some(Arc::new(open)) });
        }
        let (store, labelling) = (app.store().clone(), app.settings().labelling.clone());
        let here = Here { store, labelling, requests, defaults, patients, closed: Some(closed) };
        Ok((Self::Here(here), until_ms))
    }

    /// Whether a resource may be seen. What is newer than the decisions is decided for itself.
    pub(crate) fn lets(&self, resource: &Resource) -> bool {
        if !self.lets_by_itself(resource) {
            return false;
        }
        if !carried::is_carrier(resource.type_name()) {
            return true;
        }
        let (store, is_closed_else, knows_files) = match self {
            Self::Here(here) => (&here.store, false, here.knows_files()),
            Self::Elsewhere(outside) => (outside.store(), true, false),
        };
        Carried { store, withheld: self, is_closed_else, knows_files }.lets(resource)
    }

    /// Whether somebody keeps nothing of their record from the caller.
    pub(super) fn leaves_all_of(&self, patient: &Id) -> bool {
        match self {
            Self::Here(here) => !here.patients.contains_key(patient),
            Self::Elsewhere(_) => false,
        }
    }

    /// The same without a look at what it was made for, where it is about nobody by itself.
    pub(super) fn lets_by_itself(&self, resource: &Resource) -> bool {
        let kind = resource.type_name();
        if self.closed().is_some_and(|closed| !closed.lets(resource)) {
            return false;
        }
        if !is_about_patients(kind) {
            return true;
        }
        let mut about = patients_of(resource);
        about.extend(holdings::patients_beside(resource));
        match self {
            Self::Here(here) if here.closes_file(resource) => false,
            Self::Here(here) => here.opens(resource, &about),
            Self::Elsewhere(_) if about.is_empty() && carried::is_carrier(kind) => true,
            Self::Elsewhere(outside) => outside.opens(resource, &about),
        }
    }

    /// What a new or changed resource must pass to be written by the caller, who knows what is in
    /// it: nobody is written about by those who may see nothing of the record.
    pub(crate) fn lets_write(&self, resource: &Resource) -> bool {
        let about = patients_of(resource);
        match self {
            Self::Here(here) => {
                let mut kept = about.iter().filter_map(|id| here.patients.get(id));
                kept.all(|kept| kept.open.is_some())
            }
            Self::Elsewhere(outside) => outside.knows(&about),
        }
    }

    /// Whether it is kept from another organisation.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere(_))
    }

    /// What is kept from a caller of another organisation who asks for the one patient whom `query`
    /// is confined to, or `centre` is; `None` where a caller of this one asks, or nobody is asked for.
    ///
    /// Errors: [`crate::Kind::Forbidden`] where another organisation asks for all patients at once.
    pub(crate) fn of_one(
        &self,
        registry: &Registry,
        query: &Query,
        centre: Option<&Id>,
    ) -> Result<Option<Arc<Self>>> {
        let Self::Elsewhere(outside) = self else { return Ok(None) };
        if !is_about_patients(query.resource_type) {
            return Ok(None);
        }
        let patient = centre.cloned().or_else(|| outside::patient_of(registry, query));
        let outside = outside.asked_for(patient.ok_or_else(outside::one_at_a_time)?);
        Ok(Some(Arc::new(Self::Elsewhere(outside))))
    }

    fn closed(&self) -> Option<&Closed> {
        match self {
            Self::Here(here) => here.closed.as_ref(),
            Self::Elsewhere(_) => None,
        }
    }

    /// What a search for `kind` is narrowed by.
    pub(crate) fn filters(&self, registry: &Registry, kind: &'static str) -> Vec<Filter> {
        if let Some(filter) = self.closed().and_then(|closed| closed.filter(kind)) {
            return vec![filter];
        }
        if !is_about_patients(kind) {
            return Vec::new();
        }
        match self {
            Self::Here(here) => here.filters(registry, kind),
            Self::Elsewhere(outside) => vec![outside.filter(kind)],
        }
    }
}

impl Here {
    fn knows_files(&self) -> bool {
        self.patients.values().all(|kept| kept.open.is_some())
    }

    fn closes_file(&self, resource: &Resource) -> bool {
        let Some(id) = resource.id().filter(|_| resource.type_name() == "Binary") else {
            return false;
        };
        let mut decided = self.patients.values().filter_map(|kept| kept.open.as_ref());
        decided.any(|open| open.closed_files.contains(&id))
    }

    fn opens(&self, resource: &Resource, about: &[Id]) -> bool {
        about.iter().filter_map(|id| self.patients.get(id)).all(|kept| self.leaves(kept, resource))
    }

    fn leaves(&self, kept: &Kept, resource: &Resource) -> bool {
        let Some(open) = &kept.open else { return false };
        let kind = fhir::resource_type(resource.type_name());
        let Some((resource_type, id)) = kind.zip(resource.id()) else { return false };
        let key = Key { resource_type, id };
        if !open.keys.contains(&key) {
            return false;
        }
        let item = [Item::labelled(resource, &self.labelling)];
        self.requests.iter().any(|request| {
            let decisions = decide_all(request, &kept.consents, &self.defaults, &item);
            decisions.iter().all(|decision| is_open(&key, decision))
        })
    }

    fn filters(&self, registry: &Registry, kind: &'static str) -> Vec<Filter> {
        let narrowed = self.patients.iter().filter_map(|(patient, kept)| {
            let inside = compartment(registry, "Patient", patient, kind)
                .or_else(|| holdings::filter_beside(registry, patient, kind))?;
            let outside = Filter::Not(Box::new(inside));
            let open = kept.open.iter().flat_map(|open| &open.keys);
            let open = open.filter(|key| key.resource_type == kind);
            let mut open: Vec<String> = open.map(|key| key.id.to_string()).collect();
            open.sort_unstable();
            Some(match open.is_empty() {
                true => outside,
                false => Filter::Any(vec![outside, Filter::Id(open)]),
            })
        });
        let mut narrowed: Vec<Filter> = narrowed.collect();
        if carried::is_carrier(kind) && !self.patients.is_empty() {
            let of = |kind| self.filters(registry, kind);
            narrowed.push(carried::filter(registry, kind, of));
        }
        narrowed
    }
}

/// Whether resources of a type (`*` for any) may be about a patient, or made for what is.
pub(crate) fn is_about_patients(kind: &str) -> bool {
    // Who reads the audit and who governs is not kept from it by a patient.
    static KINDS: OnceLock<HashSet<&str>> = OnceLock::new();
    let is_about = |kind: &&str| {
        *kind == "Patient"
            || holdings::is_beside(kind)
            || carried::is_carrier(kind)
            || is_in_compartment("Patient").is_some_and(|kinds| kinds.contains(kind))
    };
    let kinds = KINDS.get_or_init(|| {
        let kinds = fhir::resource_types().iter().copied().filter(is_about);
        kinds.chain(["*"]).filter(|kind| *kind != "AuditEvent").collect()
    });
    kinds.contains(kind)
}

/// The Patient itself stays known to people of the institution, who could not even ask for an
/// emergency override otherwise, unless that something is withheld may not be known.
fn is_open(key: &Key, decision: &policy::consent::ItemDecision) -> bool {
    let known = key.resource_type == "Patient" && decision.existence == Existence::Known;
    decision.is_permitted() || known
}

/// What the node remembers of it.
#[derive(Default)]
pub(crate) struct Keeper {
    named: RwLock<Known>,
    /// Locked while consents are read, so that one caller does it for all.
    reading: Mutex<()>,
    /// By the caller's account.
    decided: Mutex<HashMap<String, Vec<(Asked, Decided)>>>,
}

/// Whose consents name somebody, as of a moment. While nothing changes of it, it stays the same.
#[derive(Clone, Default)]
struct Known {
    /// The newest version that was looked at; `None` before the first time.
    checked: Option<Seq>,
    named: Arc<Named>,
}

/// Patients with consents that name somebody.
#[derive(Default)]
struct Named {
    patients: HashMap<Id, Arc<Compiled>>,
    /// Those of them whose consents name people by what the store says of them.
    looked_up: HashSet<Id>,
    /// Whose each of their consents is.
    consents: HashMap<Id, Id>,
}

/// What a decision depends on, beside the account, the store and the time.
#[derive(PartialEq, Eq)]
struct Asked {
    practitioner: Option<String>,
    role: Role,
    purpose: Purpose,
}

#[derive(Clone)]
struct Decided {
    named: Arc<Named>,
    record: Seq,
    until_ms: i64,
    withheld: Option<Arc<Withheld>>,
}

impl Decided {
    /// The same as of this moment: patients are decided anew of whose resources some were written.
    /// `None` where that cannot be told, or is as much as to decide everything.
    fn follow(&self, app: &App) -> Result<Option<Self>> {
        let Some(Withheld::Here(here)) = self.withheld.as_deref() else { return Ok(None) };
        let snapshot = app.store().snapshot()?;
        let changes = snapshot.changes(self.record, MOST_CHANGES)?;
        if changes.len() == MOST_CHANGES {
            return Ok(None);
        }
        let mut touched = HashSet::new();
        for change in changes {
            let kind = change.key.resource_type;
            // Whom the caller is known as may have changed too.
            if holdings::explains(kind) || kind.starts_with("Practitioner") {
                return Ok(None);
            }
            if !is_about_patients(kind) {
                continue;
            }
            for version in [change.version, change.version.saturating_sub(1)] {
                let stored = snapshot.vread(&change.key, version)?;
                if let Some(stored) = stored.filter(|stored| stored.method != Method::Delete) {
                    let resource = parse(&stored)?;
                    touched.extend(patients_of(&resource));
                    touched.extend(holdings::patients_beside(&resource));
                }
            }
        }
        let mut patients = here.patients.clone();
        for (patient, kept) in &mut patients {
            if kept.open.is_some() && touched.contains(patient) {
                let (consents, defaults) = (&kept.consents, &here.defaults);
                let of = (app, &*snapshot);
                kept.open = Some(Arc::new(open(of, patient, &here.requests, consents, defaults)?));
            }
        }
        let here = Here {
            store: here.store.clone(),
            labelling: here.labelling.clone(),
            requests: here.requests.clone(),
            defaults: here.defaults,
            patients,
            closed: here.closed.clone(),
        };
        let withheld = Some(Arc::new(Withheld::Here(here)));
        Ok(Some(Self { record: snapshot.seq(), withheld, ..self.clone() }))
    }
}

impl Asked {
    fn is(&self, caller: &Caller, role: Role, purpose: Purpose) -> bool {
        self.role == role
            && self.purpose == purpose
            && self.practitioner == caller.user.practitioner
    }
}

impl Keeper {
    /// What is kept from a caller of this institution; `None` where nothing is.
    pub(crate) fn kept_from(&self, app: &App, caller: &Caller) -> Result<Option<Arc<Withheld>>> {
        if let Some(outside) = Outside::of(app, caller)? {
            return Ok(Some(Arc::new(Withheld::Elsewhere(outside))));
        }
        let role = crate::authorise::role(caller)?;
        // Patients have their own record, and who looks after the rules sees no content.
        if !matches!(role, Role::Clinician | Role::Registrar | Role::Service) {
            return Ok(None);
        }
        let named = self.named(app)?;
        if named.patients.is_empty() {
            return Ok(None);
        }
        let Some(purpose) = Purpose::find(&caller.purpose) else { return Ok(None) };
        let now = app.now_ms();
        let holds = |asked: &Asked, decided: &Decided| {
            asked.is(caller, role, purpose)
                && Arc::ptr_eq(&decided.named, &named)
                && now < decided.until_ms
                && (decided.withheld.is_none() || decided.record >= app.store().newest().record())
        };
        if let Some(known) = self.decided.lock().get(&caller.user.id)
            && let Some((_, decided)) = known.iter().find(|(asked, decided)| holds(asked, decided))
        {
            return Ok(decided.withheld.clone());
        }
        let before = self.decided.lock().get(&caller.user.id).and_then(|known| {
            let stands =
                |decided: &Decided| Arc::ptr_eq(&decided.named, &named) && now < decided.until_ms;
            let found = known.iter().find(|(asked, _)| asked.is(caller, role, purpose));
            found.map(|(_, decided)| decided.clone()).filter(stands)
        });
        let followed = before.map(|before| before.follow(app)).transpose()?.flatten();
        let asked = Asked { practitioner: caller.user.practitioner.clone(), role, purpose };
        let decided = match followed {
            Some(decided) => decided,
            None => decide(app, &asked, &names(app, caller), named, now)?,
        };
        let withheld = decided.withheld.clone();
        let mut all = self.decided.lock();
        if all.len() >= MOST_CALLERS {
            all.clear();
        }
        let own = all.entry(caller.user.id.clone()).or_default();
        own.retain(|(known, _)| *known != asked);
        own.push((asked, decided));
        Ok(withheld)
    }

    /// Whether any patient has a consent that names somebody.
    pub(crate) fn is_anything(&self, app: &App) -> Result<bool> {
        Ok(!self.named(app)?.patients.is_empty())
    }

    fn named(&self, app: &App) -> Result<Arc<Named>> {
        let is_fresh = |known: &Known| {
            let newest = app.store().newest();
            let needed = match known.named.looked_up.is_empty() {
                true => newest.consent(),
                false => newest.record(),
            };
            known.checked.is_some_and(|checked| checked >= needed)
        };
        let known = self.named.read().clone();
        if is_fresh(&known) {
            return Ok(known.named);
        }
        let _reading = self.reading.lock();
        let known = self.named.read().clone();
        if is_fresh(&known) {
            return Ok(known.named);
        }
        let snapshot = app.store().snapshot()?;
        let named = match known.is_concerned(&*snapshot)? {
            true => Arc::new(known.follow(&*snapshot)?),
            false => known.named,
        };
        *self.named.write() = Known { checked: Some(snapshot.seq()), named: named.clone() };
        Ok(named)
    }
}

impl Known {
    /// Whether anything was written since that it stands on: consents, and by what it was looked up
    /// whom they name.
    fn is_concerned(&self, snapshot: &dyn Snapshot) -> Result<bool> {
        let Some(checked) = self.checked else { return Ok(true) };
        let directory = match self.named.looked_up.is_empty() {
            true => &[][..],
            false => &DIRECTORY[..],
        };
        for kind in ["Consent"].iter().chain(directory) {
            if !snapshot.history_after(&HistoryOf::Type(kind), checked, 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same as of a later moment.
    fn follow(&self, snapshot: &dyn Snapshot) -> Result<Named> {
        let before = &*self.named;
        let (mut after, mut touched) = (self.checked.unwrap_or(0), before.looked_up.clone());
        loop {
            let page = snapshot.history_after(&HistoryOf::Type("Consent"), after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for stored in &page {
                touched.extend(before.consents.get(&stored.key.id).cloned());
                // What a patient leaves to those who act for them concerns nobody of the institution.
                if stored.method == Method::Delete || crate::proxies::is_reserved(&stored.key) {
                    continue;
                }
                let consent = parse(stored)?;
                if Compiled::new([&consent]).may_name_somebody() {
                    touched.extend(patients_of(&consent));
                }
            }
        }
        let (mut patients, mut looked_up) = (before.patients.clone(), before.looked_up.clone());
        let known = directory(snapshot);
        for patient in touched {
            let consents = standing::resources(snapshot, &patient)?;
            let is_looked_up = Cell::new(false);
            let compiled = Compiled::with(&consents, &|name| {
                is_looked_up.set(true);
                known(name)
            });
            looked_up.remove(&patient);
            match compiled.may_name_somebody() {
                true => {
                    if is_looked_up.get() {
                        looked_up.insert(patient.clone());
                    }
                    patients.insert(patient, Arc::new(compiled));
                }
                false => {
                    patients.remove(&patient);
                }
            }
        }
        let mut consents = HashMap::new();
        for (patient, compiled) in &patients {
            let ids = compiled.ids().filter_map(|id| Id::new(id).ok());
            consents.extend(ids.map(|id| (id, patient.clone())));
        }
        Ok(Named { patients, looked_up, consents })
    }
}

fn decide(
    app: &App,
    asked: &Asked,
    names: &[String],
    named: Arc<Named>,
    now: i64,
) -> Result<Decided> {
    let request = |name: &String| Request {
        recipient_org: app.org().id.clone(),
        recipient_user: Some(name.clone()),
        role: asked.role,
        purpose: asked.purpose,
        custodian_org: app.org().id.clone(),
        now_ms: now,
        break_glass_enabled: app.settings().break_glass,
    };
    let (defaults, labelling) = (app.settings().consent, app.settings().labelling.clone());
    let snapshot = app.store().snapshot()?;
    let names = telling(app, &*snapshot, names);
    let requests: Vec<Request> = names.iter().map(request).collect();
    let mut until_ms = i64::MAX;
    let mut patients = HashMap::new();
    for (patient, consents) in &named.patients {
        until_ms = until_ms.min(consents.next_change_ms(now).unwrap_or(i64::MAX));
        let is_permitted = |request: &Request| {
            matches!(whole_record(request, consents, &defaults), WholeDecision::Permit(_))
        };
        if requests.iter().any(is_permitted) {
            continue;
        }
        let consents = consents.clone();
        let open = match patients.len() < MOST_BY_ITEM {
            true => {
                let open = open((app, &*snapshot), patient, &requests, &consents, &defaults)?;
                Some(Arc::new(open))
            }
            false => None,
        };
        patients.insert(patient.clone(), Kept { consents, open });
    }
    let store = app.store().clone();
    let withheld = (!patients.is_empty()).then(|| {
        let here = Here { store, labelling, requests, defaults, patients, closed: None };
        Arc::new(Withheld::Here(here))
    });
    Ok(Decided { named, record: snapshot.seq(), until_ms, withheld })
}

/// What of a patient's resources is open to the caller.
fn open(
    (app, snapshot): (&App, &dyn Snapshot),
    patient: &Id,
    requests: &[Request],
    consents: &Compiled,
    defaults: &Defaults,
) -> Result<Open> {
    let resources = holdings::record(snapshot, patient)?;
    let labelling = &app.settings().labelling;
    let items = resources.iter().map(|resource| Item::labelled(resource, labelling));
    let items: Vec<Item> = items.collect();
    let key = |resource: &Resource| {
        let resource_type = fhir::resource_type(resource.type_name())?;
        Some(Key { resource_type, id: resource.id()? })
    };
    let mut open = Open::default();
    for request in requests {
        let decisions = decide_all(request, consents, defaults, &items);
        open.keys.extend(
            resources.iter().zip(&decisions).filter_map(|(resource, decision)| {
                key(resource).filter(|key| is_open(key, decision))
            }),
        );
    }
    let closed =
        resources.iter().filter(|one| key(one).is_none_or(|key| !open.keys.contains(&key)));
    open.closed_files = closed.flat_map(|one| carried::files(one, &app.org().base_url)).collect();
    Ok(open)
}

/// How consents name the caller: as a user of this institution, and as a Practitioner where the
/// account is known to be one. Under each name, somebody who is named in another way may be the
/// caller, so what is open under one of them is open.
fn names(app: &App, caller: &Caller) -> Vec<String> {
    let mut names = vec![user_of(&app.org().id, &caller.user.id)];
    names.extend(caller.user.practitioner.clone());
    names
}

/// Those of the names of [`names`] that tell who the caller is. A Practitioner whom the record knows
/// by other accounts than the caller's is the caller all the same: by the account alone nobody
/// could be told to be meant, and what is withheld from the Practitioner would be open.
fn telling<'n>(app: &App, snapshot: &dyn Snapshot, names: &'n [String]) -> &'n [String] {
    let [account, practitioner] = names else { return names };
    let Some(Who::Person(known)) = directory(snapshot)(practitioner) else { return names };
    let here = user_of(&app.org().id, "");
    let is_known_otherwise = known.iter().any(|name| name.starts_with(&here))
        && !known.iter().any(|name| **name == **account);
    match is_known_otherwise {
        true => std::slice::from_ref(practitioner),
        false => names,
    }
}

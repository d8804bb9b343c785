//! What programs of other organisations reach: of each patient what their consents leave to the
//! organisation that asks, as a question of another node is decided. Nothing of it is known before
//! somebody is asked for, so these programs ask for one patient at a time.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use parking_lot::Mutex;
use policy::Purpose;
use policy::consent::{Request, elsewhere};
use store::query::{Filter, Query, ReferenceTest, Test};
use store::{Key, SharedStore};

use crate::consent::standing;
use crate::records::selection::{self, Held};
use crate::{App, Caller, Error, Kind, Result};

/// Most patients whose decisions are remembered for one request.
const MOST_REMEMBERED: usize = 1_000;

/// What an organisation that is not this one may see, found out patient by patient.
pub(crate) struct Outside {
    app: App,
    request: Request,
    decided: Mutex<HashMap<Id, Arc<HashSet<Key>>>>,
    /// The one patient who was asked for, in a search.
    asked: Option<Id>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}

impl Outside {
    /// For the organisation in whose name the caller's program asks; `None` where it asks in that of
    /// this institution.
    ///
    /// Who is asserted is not who was authenticated: denials that name a person hold, permissions
    /// that do, do not.
    pub fn of(app: &App, caller: &Caller) -> Result<Option<Self>> {
        let granted = caller.granted.as_ref();
        let Some(uri) = granted.and_then(|granted| granted.organization.as_ref()) else {
            return Ok(None);
        };
        let role = super::role(caller)?;
        let purpose = Purpose::find(&caller.purpose)
            .ok_or_else(|| Error::new(Kind::Forbidden, "the purpose of use is not known here"))?;
        let request = selection::request(app, &elsewhere(uri), None, role, purpose);
        Ok(Some(Self { app: app.clone(), request, decided: Mutex::default(), asked: None }))
    }

    /// The same for one patient alone.
    pub fn asked_for(&self, patient: Id) -> Self {
        let (app, request) = (self.app.clone(), self.request.clone());
        Self { app, request, decided: Mutex::default(), asked: Some(patient) }
    }

    /// The store that it is decided by.
    pub fn store(&self) -> &SharedStore {
        self.app.store()
    }

    /// Whether a resource about `patients` may be seen: nothing of the kind that is about nobody.
    pub fn opens(&self, resource: &Resource, patients: &[Id]) -> bool {
        let kind = fhir::resource_type(resource.type_name());
        let Some((resource_type, id)) = kind.zip(resource.id()) else { return false };
        let key = Key { resource_type, id };
        !patients.is_empty() && patients.iter().all(|patient| self.open(patient).contains(&key))
    }

    /// Whether the organisation may know of all the patients.
    pub fn knows(&self, patients: &[Id]) -> bool {
        let known = |id: &Id| {
            let key = Key { resource_type: "Patient", id: id.clone() };
            self.open(id).contains(&key)
        };
        patients.iter().all(known)
    }

    /// What a search for `kind` is narrowed by: what is open of the patient who was asked for.
    pub fn filter(&self, kind: &'static str) -> Filter {
        let open = self.asked.as_ref().map(|patient| self.open(patient)).unwrap_or_default();
        let of_kind = open.iter().filter(|key| key.resource_type == kind);
        let mut ids: Vec<String> = of_kind.map(|key| key.id.to_string()).collect();
        ids.sort_unstable();
        match ids.is_empty() {
            true => Filter::Any(Vec::new()),
            false => Filter::Id(ids),
        }
    }

    /// What is open of a patient; nothing where it cannot be found out.
    fn open(&self, patient: &Id) -> Arc<HashSet<Key>> {
        if let Some(known) = self.decided.lock().get(patient) {
            return known.clone();
        }
        let open = self.decide(patient).unwrap_or_else(|error| {
            tracing::warn!(kind = ?error.kind, "what is open to another organisation is not known");
            HashSet::new()
        });
        let open = Arc::new(open);
        let mut decided = self.decided.lock();
        if decided.len() >= MOST_REMEMBERED {
            decided.clear();
        }
        decided.insert(patient.clone(), open.clone());
        open
    }

    fn decide(&self, patient: &Id) -> Result<HashSet<Key>> {
        let snapshot = self.app.store().snapshot()?;
        let held = Held::of(&self.app, &*snapshot, patient)?;
        let consents = standing::resources(&*snapshot, patient)?;
        let decided = held.decide((&self.app, &*snapshot), &self.request, &consents);
        let open = held.resources.iter().zip(&decided.decisions).filter_map(|(resource, one)| {
            let resource_type = fhir::resource_type(resource.type_name())?;
            let key = Key { resource_type, id: resource.id()? };
            one.is_permitted().then_some(key)
        });
        Ok(open.collect())
    }
}

/// The one patient whom a search asks for; `None` where it does not. What is found is narrowed to what
/// is open of that patient, whichever parameter named them.
pub(crate) fn patient_of(registry: &Registry, query: &Query) -> Option<Id> {
    let kind = query.resource_type;
    query.filters.iter().find_map(|filter| match filter {
        Filter::Id(ids) if kind == "Patient" => match ids.as_slice() {
            [one] => Id::new(one.clone()).ok(),
            _ => None,
        },
        Filter::Param { param, tests, negated: false } => {
            let [Test::Reference(ReferenceTest::Local { resource_type, id })] = tests.as_slice()
            else {
                return None;
            };
            let names_patients = match resource_type {
                Some(kind) => kind == "Patient",
                None => registry.by_number(*param)?.targets.contains(&"Patient"),
            };
            names_patients.then(|| Id::new(id.clone()).ok()).flatten()
        }
        _ => None,
    })
}

/// What a program of another organisation is told whose search is not about one patient.
pub(crate) fn one_at_a_time() -> Error {
    let message = "programs of other organisations ask for one patient at a time: name the patient by \
                   `patient`, or by `_id` where patients are searched; `Patient/$match` finds who \
                   somebody is";
    Error::new(Kind::Forbidden, message)
}

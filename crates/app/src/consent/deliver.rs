//! Carries what a patient decides to every institution that holds their record.
//!
//! Each write of a Consent enqueues, in its own transaction, one delivery for every member of the
//! network. The [`Courier`] finds the patient there when it delivers: by the link, or by asking
//! whether the person is known. Where nobody is known by that description there is nothing to
//! protect and the delivery is done. The receiver takes it only if it, too, finds that both
//! records are the same person's.

use std::time::Duration;

use federation::inbox::{Admission, admit};
use federation::{Asking, Deliver, DeliverError};
use fhir::edit::Edits;
use fhir::json::quote;
use fhir::{Id, Resource};
use fhirpath::search::Registry;
use matching::{Grade, Person};
use policy::{Action as PolicyAction, Purpose, Question, Relation, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::query::parse;
use store::{Expect, Key, Method, SideWrite, Transaction, Write};
use tokio::time::Instant;
use wire::{Delivery, DeliveryKind, DeliveryReceipt, OrgId, Raw, ReceiptOutcome};

use crate::audit::event::Pattern;
use crate::audit::{Agent, Event};
use crate::notices::post;
use crate::records::link::{self, State};
use crate::records::longitudinal::{Located, Question as Asked, ask_json, demographics};
use crate::records::{parse as parse_stored, patients_of};
use crate::{App, Error, Kind, Result};

/// How long one delivery may take, the search for the patient included.
const DEADLINE: Duration = Duration::from_secs(10);
const ORIGIN: &str = "https://consilium.health/fhir/StructureDefinition/consent-origin";

/// What a delivery of kind `consent` carries.
#[derive(Serialize, Deserialize)]
struct Decision {
    /// The institution where the patient decided.
    origin: String,
    /// Id of the Consent there.
    id: String,
    /// When this state of it was written there, milliseconds since the Unix epoch.
    as_of: i64,
    /// The Consent.
    consent: Raw,
    /// Demographics at the sender, so that the receiver can see for itself. Added on sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patient: Option<Raw>,
    /// Whether a person at the sender confirmed that both records are the same person's.
    #[serde(default)]
    confirmed: bool,
}

/// What must be sent because of a write; empty unless it is a Consent.
pub fn after_write(app: &App, write: &Write) -> Result<Vec<SideWrite>> {
    match write {
        Write::Put { key, resource, .. } if key.resource_type == "Consent" => {
            everywhere(app, key, resource)
        }
        _ => Ok(Vec::new()),
    }
}

/// What must be sent because a resource is deleted: a deleted Consent is one that no longer holds.
pub fn after_delete(app: &App, key: &Key, old: &Resource) -> Result<Vec<SideWrite>> {
    if key.resource_type != "Consent" {
        return Ok(Vec::new());
    }
    let mut edits = Edits::default();
    edits.set(old.root(), "status", "\"inactive\"", "resourceType");
    let ended =
        Resource::parse(edits.apply(old.text())).map_err(|e| Error::internal(e.to_string()))?;
    everywhere(app, key, &ended)
}

fn everywhere(app: &App, key: &Key, consent: &Resource) -> Result<Vec<SideWrite>> {
    let mut side = Vec::new();
    for patient in patients_of(consent) {
        for member in app.network().active_others() {
            side.push(enqueue(app, &member.id, &patient, key, consent)?);
        }
    }
    Ok(side)
}

/// Sends what a patient has decided so far to an institution that was just found to hold a record.
pub(crate) fn to_new_holder(app: &App, patient: &Id, org: &str) -> Result<Vec<SideWrite>> {
    let org = OrgId::new(org).map_err(|e| Error::internal(e.to_string()))?;
    let params = [
        ("patient".to_owned(), format!("Patient/{patient}")),
        ("status".to_owned(), "active".to_owned()),
    ];
    let search =
        parse(Registry::r4(), "Consent", &params).map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let found = snapshot.find(&search.query, super::standing::MAX_CONSENTS, false)?;
    let mut side = Vec::new();
    for stored in snapshot.load(&found)? {
        // Who acts for the patient here is nothing to others.
        if crate::proxies::is_reserved(&stored.key) {
            continue;
        }
        let consent = parse_stored(&stored)?;
        if origin(&consent).is_none_or(|(from, ..)| from != org.as_str()) {
            side.push(enqueue(app, &org, patient, &stored.key, &consent)?);
        }
    }
    Ok(side)
}

fn enqueue(
    app: &App,
    peer: &OrgId,
    patient: &Id,
    key: &Key,
    consent: &Resource,
) -> Result<SideWrite> {
    let now = app.now_ms();
    let (origin, id, as_of) =
        origin(consent).unwrap_or_else(|| (app.org().id.clone(), key.id.to_string(), now));
    let shortened = super::paper::for_others(app, key, consent)?;
    let consent = shortened.as_ref().unwrap_or(consent);
    let consent = Raw::new(consent.text()).map_err(|e| Error::internal(e.to_string()))?;
    let decision = Decision { origin, id, as_of, consent, patient: None, confirmed: false };
    let body = serde_json::to_string(&decision).map_err(|e| Error::internal(e.to_string()))?;
    let delivery = Delivery {
        id: app.new_id().to_string(),
        kind: DeliveryKind::Consent,
        patient_id: None,
        asker_patient_id: patient.to_string(),
        body: Raw::new(body).map_err(|e| Error::internal(e.to_string()))?,
    };
    app.outbox().enqueue(peer, &delivery, now).map_err(|e| Error::new(Kind::Busy, e.to_string()))
}

/// Where a Consent that came from another institution was made: institution, id there, state.
pub(crate) fn origin(consent: &Resource) -> Option<(String, String, i64)> {
    let text = stated_origin(consent)?;
    let mut parts = text.splitn(4, ' ');
    Some((parts.next()?.into(), parts.next()?.into(), parts.next()?.parse().ok()?))
}

fn stated_origin(consent: &Resource) -> Option<String> {
    let list = consent.get("extension")?;
    let extension = list.items().find(|e| e.get("url").is_some_and(|url| url.is_str(ORIGIN)))?;
    extension.str_at("valueString").map(Into::into)
}

/// Whether a Consent came here from `org`, wherever it was made.
pub(crate) fn came_from(consent: &Resource, org: &str) -> bool {
    let made_there = origin(consent).is_some_and(|(from, ..)| from == org);
    made_there || Told::of(consent).is_some_and(|told| told.relayed_by.as_deref() == Some(org))
}

/// By whom a state of a Consent was told here. Any member may pass on what was decided elsewhere;
/// about what was decided at an institution, that institution alone has the last word.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    /// When this state was written at its origin, milliseconds since the Unix epoch; never later
    /// than it came here.
    as_of: i64,
    /// The member that passed it on, where that is not its origin.
    relayed_by: Option<String>,
}

impl Told {
    fn by(peer: &OrgId, origin: &str, as_of: i64) -> Self {
        let relayed_by = (peer.as_str() != origin).then(|| peer.to_string());
        Self { as_of, relayed_by }
    }

    /// By whom a Consent that is kept here was told.
    fn of(consent: &Resource) -> Option<Self> {
        let text = stated_origin(consent)?;
        let mut parts = text.splitn(4, ' ').skip(2);
        let as_of = parts.next()?.parse().ok()?;
        Some(Self { as_of, relayed_by: parts.next().map(str::to_owned) })
    }

    /// Whether this takes the place of what is `known`.
    fn replaces(&self, known: &Self) -> bool {
        match (&self.relayed_by, &known.relayed_by) {
            (Some(_), None) => false,
            (None, Some(_)) => true,
            _ => self.as_of > known.as_of,
        }
    }
}

/// Delivers what waits in the outbox.
pub struct Courier(pub App);

impl Deliver for Courier {
    async fn deliver(
        &self,
        peer: &OrgId,
        delivery: Delivery,
    ) -> std::result::Result<(), DeliverError> {
        let app = &self.0;
        if !*app.answering().borrow() {
            return Err(DeliverError::Retry(
                "this node does not talk to others at the moment".into(),
            ));
        }
        let deadline = Instant::now() + DEADLINE;
        if delivery.kind == DeliveryKind::Agreement {
            let asking = as_node(app, &delivery.id);
            let _receipt: DeliveryReceipt =
                ask_json(app, peer, wire::path::DELIVER, &delivery, &asking, deadline).await?;
            return Ok(());
        }
        let retry = |error: Error| DeliverError::Retry(error.message);
        if delivery.kind == DeliveryKind::Notice {
            return post::deliver(app, peer, &delivery, deadline).await;
        }
        let Ok(patient_id) = Id::new(&delivery.asker_patient_id) else {
            return Err(DeliverError::Permanent("the delivery names no patient".into()));
        };
        let mut decision: Decision = serde_json::from_str(delivery.body.get())
            .map_err(|_| DeliverError::Permanent("the delivery cannot be read".into()))?;
        let patient = {
            let key = Key { resource_type: "Patient", id: patient_id.clone() };
            app.run(move |app| Ok(app.store().snapshot()?.read(&key)?)).await.map_err(retry)?
        };
        // A patient who is gone has no record to protect.
        let Some(patient) = patient.filter(|stored| stored.method != Method::Delete) else {
            return Ok(());
        };
        let known = parse_stored(&patient).map_err(retry)?;
        let patient = demographics(&known).map_err(retry)?;
        let asking = as_node(app, &delivery.id);
        if !self.is_worth_asking(peer, &known, &delivery.id).await.map_err(retry)? {
            return Ok(());
        }
        let (grant, shortlist) = (None, None);
        let asked = Asked { asking, patient: patient.clone(), patient_id, grant, shortlist };
        let link = match asked.locate(app, peer, deadline).await? {
            Located::Found(link) => link,
            // Once a person has confirmed a possible match, the decision is sent again.
            Located::Possible | Located::Absent | Located::NotAsked => return Ok(()),
        };
        decision.patient = Some(patient);
        decision.confirmed = link.state == State::Confirmed;
        let body = serde_json::to_string(&decision).unwrap_or_default();
        let delivery = Delivery {
            patient_id: Some(link.remote.to_string()),
            body: Raw::new(body).map_err(|e| DeliverError::Permanent(e.to_string()))?,
            ..delivery
        };
        let _receipt: DeliveryReceipt =
            ask_json(app, peer, wire::path::DELIVER, &delivery, &asked.asking, deadline).await?;
        Ok(())
    }
}

impl Courier {
    /// Whether a peer may know the patient: there is a link, or no locator says that it has
    /// published nothing like them. Others never learn that there is such a patient.
    async fn is_worth_asking(
        &self,
        peer: &OrgId,
        patient: &Resource,
        request: &str,
    ) -> Result<bool> {
        let id = patient.id().ok_or_else(|| Error::internal("a stored Patient has no id"))?;
        let org = peer.to_string();
        let link = self.0.run(move |app| link::find(&*app.store().snapshot()?, &id, &org)).await?;
        if link.is_some_and(|link| link.state.is_followed()) {
            return Ok(true);
        }
        Ok(crate::locator::ask::lately(&self.0, patient, request).await?.wants(peer))
    }
}

/// The node speaking for itself.
pub(crate) fn as_node(app: &App, request_id: &str) -> Asking {
    Asking {
        request_id: request_id.to_owned(),
        subject: wire::Subject {
            id: "node".into(),
            display: app.org().name.clone(),
            role: wire::Role::Service,
        },
        purpose_of_use: Purpose::PATADMIN.code().into(),
        amr: Vec::new(),
        auth_time_ms: app.now_ms(),
        mfa_time_ms: None,
        evidence: None,
    }
}

/// Asks policy whether other nodes may speak for themselves here.
pub(crate) fn may_speak(app: &App) -> Result<()> {
    let question =
        Question::new(Role::Service, PolicyAction::Deliver, Purpose::PATADMIN, Relation::Peer);
    let decision = app.policy().decide(&question);
    if decision.allowed { Ok(()) } else { Err(crate::authorise::refusal(&decision)) }
}

/// Takes a delivery from a peer.
pub fn receive(
    app: &App,
    from: &Agent,
    peer: &OrgId,
    delivery: &Delivery,
) -> Result<DeliveryReceipt> {
    may_speak(app)?;
    let outcome = match delivery.kind {
        DeliveryKind::Consent => {
            crate::records::write::retry(|| consent(app, from, peer, delivery))?
        }
        DeliveryKind::Notice => {
            crate::records::write::retry(|| post::receive(app, from, peer, delivery))?
        }
        DeliveryKind::Agreement => crate::agreements::receive(app, from, peer, delivery)?,
        // Version 1 of the protocol reserves the other kinds; this node has no use for them.
        _ => ReceiptOutcome::NotApplicable,
    };
    Ok(DeliveryReceipt { id: delivery.id.clone(), outcome })
}

fn consent(app: &App, from: &Agent, peer: &OrgId, delivery: &Delivery) -> Result<ReceiptOutcome> {
    let unreadable = || Error::invalid("structure", "the delivery cannot be read");
    let decision: Decision = serde_json::from_str(delivery.body.get()).map_err(|_| unreadable())?;
    let consent = Resource::parse(decision.consent.get()).map_err(|_| unreadable())?;
    if consent.type_name() != "Consent" || decision.origin == app.org().id {
        return Ok(ReceiptOutcome::NotApplicable);
    }
    // Both become part of what is kept about where the consent was made.
    if OrgId::new(&decision.origin).is_err() || Id::new(&decision.id).is_err() {
        return Err(unreadable());
    }
    let snapshot = app.store().snapshot()?;
    let (guards, mut side) = match admit(&*snapshot, peer, &delivery.id)? {
        Admission::Duplicate => return Ok(ReceiptOutcome::Duplicate),
        Admission::New { guards, side } => (guards, side),
    };
    let patient = delivery.patient_id.as_deref().and_then(|id| Id::new(id).ok());
    let Some(patient) = patient else { return Ok(ReceiptOutcome::NotApplicable) };
    let described = decision.patient.as_ref().ok_or_else(unreadable)?;
    let described = Resource::parse(described.get()).map_err(|_| unreadable())?;
    if !is_same_person(app, &*snapshot, &patient, peer.as_str(), &described, decision.confirmed)? {
        return Ok(ReceiptOutcome::NotApplicable);
    }
    let key = received_key(&decision)?;
    let stored = snapshot.read(&key)?;
    let told = Told::by(peer, &decision.origin, decision.as_of.min(app.now_ms()));
    let expect = match &stored {
        None => Expect::Absent,
        Some(stored) => {
            let known = Told::of(&parse_stored(stored)?);
            if !known.is_none_or(|known| told.replaces(&known)) {
                return Ok(ReceiptOutcome::Duplicate);
            }
            Expect::Version(stored.version)
        }
    };
    let resource = localised(&consent, &patient, &decision, &told)?;
    let event = Event::by_node(Pattern::Receive)
        .peer(from.clone())
        .patients([patient])
        .data(format!("Consent/{}", key.id))
        .request_id(&delivery.id)
        .purpose(Purpose::PATADMIN.code());
    let writes = vec![Write::Put { key, resource, expect, method: Method::Put }, event.write(app)?];
    side.shrink_to_fit();
    app.store().commit(Transaction { guards, writes, side })?;
    Ok(ReceiptOutcome::Accepted)
}

/// Whether `patient` here is the person that `org` describes: by a link on record, by a certain
/// match of our own, or by a possible one that a person there has confirmed.
pub(crate) fn is_same_person(
    app: &App,
    snapshot: &dyn store::Snapshot,
    patient: &Id,
    org: &str,
    described: &Resource,
    confirmed: bool,
) -> Result<bool> {
    let key = Key { resource_type: "Patient", id: patient.clone() };
    let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
    let Some(stored) = stored else { return Ok(false) };
    let theirs = described.id();
    if let Some(link) = link::find(snapshot, patient, org)?
        && Some(&link.remote) == theirs.as_ref()
        && link.state != State::Possible
    {
        return Ok(link.state.is_followed());
    }
    let ours = Person::of(&parse_stored(&stored)?);
    let score = app.matching().compare(&Person::of(described), &ours);
    Ok(match score.grade {
        Grade::Certain => true,
        Grade::Probable | Grade::Possible => confirmed,
        Grade::CertainlyNot => false,
    })
}

fn received_key(decision: &Decision) -> Result<Key> {
    let parts = [decision.origin.as_bytes(), b"\0", decision.id.as_bytes()];
    let hex = crypto::hash::hex(&crypto::hash::sha256_of_parts(&parts));
    let id =
        Id::new(format!("received-{}", &hex[..40])).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Key { resource_type: "Consent", id })
}

/// The Consent as it is kept here: about the patient here, saying where it was made.
fn localised(
    consent: &Resource,
    patient: &Id,
    decision: &Decision,
    told: &Told,
) -> Result<Resource> {
    let mut edits = Edits::default();
    let root = consent.root();
    match root.path(&["patient", "reference"]) {
        Some(reference) => {
            edits.replace(reference.range(), quote(&format!("Patient/{patient}")));
        }
        None => {
            let reference = json!({"reference": format!("Patient/{patient}")}).to_string();
            edits.set(root, "patient", &reference, "scope");
        }
    }
    let by = told.relayed_by.iter().map(|by| format!(" {by}")).collect::<String>();
    let origin = format!("{} {} {}{by}", decision.origin, decision.id, told.as_of);
    let extension = json!({"url": ORIGIN, "valueString": origin}).to_string();
    match root.get("extension") {
        Some(list) => {
            let mut kept: Vec<&str> = list
                .items()
                .filter(|e| e.get("url").is_none_or(|url| !url.is_str(ORIGIN)))
                .map(|e| e.raw())
                .collect();
            kept.push(&extension);
            edits.replace(list.range(), format!("[{}]", kept.join(",")));
        }
        None => edits.set(root, "extension", &format!("[{extension}]"), "id"),
    }
    Resource::parse(edits.apply(consent.text())).map_err(|e| Error::internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_institution_has_the_last_word_on_what_was_decided_there() {
        let peer = |id: &str| OrgId::new(id).unwrap();
        let told = |by: &str, as_of| Told::by(&peer(by), "north", as_of);
        for (new, known, replaces) in [
            (told("north", 2), told("north", 1), true),
            (told("north", 1), told("north", 1), false),
            (told("north", 1), told("south", 9), true),
            (told("south", 9), told("north", 1), false),
            (told("east", 9), told("south", 1), true),
            (told("east", 1), told("south", 1), false),
        ] {
            assert_eq!(new.replaces(&known), replaces, "{new:?} after {known:?}");
        }
        let consent = Resource::parse(r#"{"resourceType":"Consent","status":"active"}"#).unwrap();
        let decision = Decision {
            origin: "north".into(),
            id: "c-1".into(),
            as_of: i64::MAX,
            consent: Raw::new(consent.text()).unwrap(),
            patient: None,
            confirmed: false,
        };
        for by in ["north", "south"] {
            let said = told(by, 5);
            let kept = localised(&consent, &Id::new("p").unwrap(), &decision, &said).unwrap();
            assert_eq!(Told::of(&kept), Some(said));
            assert_eq!(origin(&kept), Some(("north".into(), "c-1".into(), 5)));
            assert!(came_from(&kept, by) && came_from(&kept, "north") && !came_from(&kept, "east"));
        }
    }
}

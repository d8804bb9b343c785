//! How word goes out and comes in: through the outbox, once, between two records that are linked.

use federation::DeliverError;
use federation::inbox::{Admission, admit};
use fhir::Id;
use store::{Guard, SideWrite, Transaction};
use tokio::time::Instant;
use wire::{Delivery, DeliveryKind, DeliveryReceipt, Notice, OrgId, Raw, ReceiptOutcome};

use super::matter::{self, Matter, State};
use crate::audit::event::{Event, Pattern};
use crate::audit::{Agent, objection};
use crate::consent::deliver::as_node;
use crate::records::longitudinal::ask_json;
use crate::records::recall;
use crate::{App, Error, Kind, Result};

/// Between whom a word goes.
#[derive(Clone, Debug)]
pub struct Parties {
    /// The other institution.
    pub peer: OrgId,
    /// The patient here.
    pub patient: Id,
    /// The patient there.
    pub remote: Id,
}

/// What takes a word in together with its effect.
pub struct Taken {
    /// Conditions for the transaction.
    pub guards: Vec<Guard>,
    /// Side writes for the transaction.
    pub side: Vec<SideWrite>,
}

/// Commits a matter as it stands by the word of `from`, with its entry of the audit and what makes
/// sure that the word is taken once.
pub fn move_on(
    app: &App,
    from: &Agent,
    pattern: Pattern,
    one: &Matter,
    taken: Taken,
) -> Result<ReceiptOutcome> {
    let event = Event::by_node(pattern)
        .peer(from.clone())
        .patients([one.patient.clone()])
        .data(format!("Task/{}", one.task));
    let writes = vec![one.write()?, event.write(app)?];
    app.store().commit(Transaction { guards: taken.guards, writes, side: taken.side })?;
    Ok(ReceiptOutcome::Accepted)
}

/// The write that sends `notice`, for the transaction of what it tells about.
pub fn send(app: &App, parties: &Parties, notice: &Notice) -> Result<SideWrite> {
    let internal = |e: String| Error::internal(e);
    let body = serde_json::to_string(notice).map_err(|e| internal(e.to_string()))?;
    let delivery = Delivery {
        id: app.new_id().to_string(),
        kind: DeliveryKind::Notice,
        patient_id: Some(parties.remote.to_string()),
        asker_patient_id: parties.patient.to_string(),
        body: Raw::new(body).map_err(|e| internal(e.to_string()))?,
    };
    let side = app.outbox().enqueue(&parties.peer, &delivery, app.now_ms());
    side.map_err(|e| Error::new(Kind::Busy, e.to_string()))
}

/// Hands a notice over. A node that does not take it is remembered in the matter.
pub async fn deliver(
    app: &App,
    peer: &OrgId,
    delivery: &Delivery,
    deadline: Instant,
) -> std::result::Result<(), DeliverError> {
    let asking = as_node(app, &delivery.id);
    let receipt: DeliveryReceipt =
        ask_json(app, peer, wire::path::DELIVER, delivery, &asking, deadline).await?;
    if receipt.outcome != ReceiptOutcome::NotApplicable {
        return Ok(());
    }
    let id = match serde_json::from_str(delivery.body.get()) {
        Ok(Notice::Objection(objection)) => objection.id,
        Ok(Notice::Recall(recall)) => recall.id,
        _ => return Ok(()),
    };
    let not_taken = app.run(move |app| not_taken(app, &id)).await;
    not_taken.map_err(|error| DeliverError::Retry(error.message))
}

fn not_taken(app: &App, id: &str) -> Result<()> {
    crate::records::write::retry(|| {
        let task = Id::new(id).map_err(|_| Error::not_found())?;
        let Some(mut known) = matter::find_one(&*app.store().snapshot()?, &task)? else {
            return Ok(());
        };
        if !known.state.is_open() {
            return Ok(());
        }
        known.state = State::NotTaken;
        let writes = vec![known.write()?];
        app.store().commit(store::Transaction { writes, ..Default::default() })?;
        Ok(())
    })
}

/// Takes a notice from a peer.
pub fn receive(
    app: &App,
    from: &Agent,
    peer: &OrgId,
    delivery: &Delivery,
) -> Result<ReceiptOutcome> {
    // What a later release may say.
    let Ok(notice) = serde_json::from_str::<Notice>(delivery.body.get()) else {
        return Ok(ReceiptOutcome::NotApplicable);
    };
    let here = delivery.patient_id.as_deref().and_then(|id| Id::new(id).ok());
    let there = Id::new(&delivery.asker_patient_id).ok();
    let Some((patient, remote)) = here.zip(there) else { return Ok(ReceiptOutcome::NotApplicable) };
    let parties = Parties { peer: peer.clone(), patient, remote };
    let taken = match admit(&*app.store().snapshot()?, peer, &delivery.id)? {
        Admission::Duplicate => return Ok(ReceiptOutcome::Duplicate),
        Admission::New { guards, side } => Taken { guards, side },
    };
    match notice {
        Notice::Objection(word) => objection::receive(app, from, &parties, &word, taken),
        Notice::ObjectionState(word) => objection::told(app, from, &parties, &word, taken),
        Notice::Recall(word) => recall::receive(app, from, &parties, &word, taken),
        Notice::RecallConfirmed(word) => recall::confirmed(app, from, &parties, &word, taken),
    }
}

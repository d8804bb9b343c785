//! Enters statements: each is verified, kept, mirrored and recorded in one transaction.

use federation::inbox::{Admission, admit};
use fhir::Resource;
use policy::agreement::{Dossier, Entered, State};
use serde_json::{Value, json};
use store::{Expect, Key, Method, SideWrite, Transaction, Write};
use wire::agreement::{Said as Spoken, Statement as Wired};
use wire::{Delivery, DeliveryKind, OrgId, Raw, ReceiptOutcome, SignedStatement};

use super::shelf::{Known, adding, known, statement};
use super::{AHEAD_MS, MAX_REASON, MOST, MOST_OF_PEER, MOST_STATEMENTS};
use crate::audit::event::Pattern;
use crate::audit::{Agent, Event};
use crate::records::write::retry;
use crate::{App, Error, Kind, Result};

/// What came of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was entered.
    New,
    /// It was known.
    Known,
    /// It concerns an agreement of others.
    NotOurs,
}

/// Enters what the node's own steward says, and sends it to the other parties.
pub(super) fn own(app: &App, signed: &SignedStatement, event: Event<'_>) -> Result<()> {
    let wired = signed.open().map_err(|e| Error::internal(e.to_string()))?;
    let outcome = retry(|| {
        let before = known(app)?;
        let prepared = prepare(app, &before, signed, &wired)?;
        let Some(mut transaction) = prepared.new else { return Ok(prepared.outcome) };
        transaction.writes.push(event.clone().write(app)?);
        for party in &prepared.others {
            transaction.side.push(delivery(app, party, signed)?);
        }
        app.store().commit(transaction)?;
        Ok(Outcome::New)
    })?;
    match outcome {
        Outcome::NotOurs => {
            Err(Error::invalid("value", "this institution is not among the parties"))
        }
        _ => Ok(()),
    }
}

fn delivery(app: &App, party: &OrgId, signed: &SignedStatement) -> Result<SideWrite> {
    let body = serde_json::to_string(signed).map_err(|e| Error::internal(e.to_string()))?;
    let delivery = Delivery {
        id: app.new_id().to_string(),
        kind: DeliveryKind::Agreement,
        patient_id: None,
        asker_patient_id: String::new(),
        body: Raw::new(body).map_err(|e| Error::internal(e.to_string()))?,
    };
    let now = app.now_ms();
    app.outbox().enqueue(party, &delivery, now).map_err(|e| Error::new(Kind::Busy, e.to_string()))
}

/// Takes a delivery with a statement.
pub(crate) fn receive(
    app: &App,
    from: &Agent,
    peer: &OrgId,
    delivery: &Delivery,
) -> Result<ReceiptOutcome> {
    let signed: SignedStatement = serde_json::from_str(delivery.body.get())
        .map_err(|_| Error::invalid("structure", "the delivery cannot be read"))?;
    retry(|| {
        let admission = admit(&*app.store().snapshot()?, peer, &delivery.id)?;
        let Admission::New { guards, side } = admission else {
            return Ok(ReceiptOutcome::Duplicate);
        };
        Ok(match enter(app, from, &signed, guards, side)? {
            Outcome::New => ReceiptOutcome::Accepted,
            Outcome::Known => ReceiptOutcome::Duplicate,
            Outcome::NotOurs => ReceiptOutcome::NotApplicable,
        })
    })
}

/// Enters a statement that came from a peer, whoever made it; `guards` and `side` go along.
pub(super) fn enter(
    app: &App,
    from: &Agent,
    signed: &SignedStatement,
    guards: Vec<store::Guard>,
    side: Vec<SideWrite>,
) -> Result<Outcome> {
    let wired = signed.open().map_err(|e| Error::invalid("value", e.to_string()))?;
    let before = known(app)?;
    let prepared = prepare(app, &before, signed, &wired)?;
    let Some(mut transaction) = prepared.new else { return Ok(prepared.outcome) };
    transaction.guards.extend(guards);
    transaction.side.extend(side);
    let note = format!("`{}` {} an agreement", wired.issuer, word(&wired.said));
    let event = Event::by_node(Pattern::Receive)
        .peer(from.clone())
        .data(format!("Contract/{}", wired.agreement))
        .note(note);
    transaction.writes.push(event.write(app)?);
    app.store().commit(transaction)?;
    Ok(Outcome::New)
}

/// What a statement does, for the log.
pub(super) fn word(said: &Spoken) -> &'static str {
    match said {
        Spoken::Proposed { .. } => "proposed",
        Spoken::Signed { .. } => "signed",
        Spoken::Ended { .. } => "ended",
        Spoken::Breached { .. } => "declared a breach of",
        Spoken::Settled { .. } => "settled a breach of",
    }
}

struct Prepared {
    outcome: Outcome,
    /// What is to be committed, where it is new.
    new: Option<Transaction>,
    /// The other parties.
    others: Vec<OrgId>,
}

/// Verifies a statement against what is known.
fn prepare(app: &App, before: &Known, signed: &SignedStatement, wired: &Wired) -> Result<Prepared> {
    let hash = signed.hash();
    let done = |outcome| Ok(Prepared { outcome, new: None, others: Vec::new() });
    if before.signed.contains_key(&hash) {
        return done(Outcome::Known);
    }
    check_signer(app, signed, wired)?;
    check_content(app, wired)?;
    let (statement, text) =
        statement(&hash, wired).map_err(|e| Error::invalid("value", e.to_string()))?;
    room(before, wired)?;
    let mut dossier = before.dossiers.get(&wired.agreement).cloned().unwrap_or_default();
    let own = app.org().id.as_str();
    match dossier.enter(statement, text.as_deref()) {
        Entered::New if dossier.is_party(own) => {}
        Entered::New => return done(Outcome::NotOurs),
        Entered::Known => return done(Outcome::Known),
        Entered::Stranger if before.dossiers.contains_key(&wired.agreement) => {
            return Err(Error::invalid("value", "who says this is no party of the agreement"));
        }
        Entered::Stranger => return done(Outcome::NotOurs),
        Entered::OtherParties => {
            let message = "the parties of an agreement stay the same; propose a new agreement";
            return Err(Error::invalid("value", message));
        }
    }
    let (guards, side) = adding(before, &wired.agreement, signed)?;
    let writes = mirror(app, before, &wired.agreement, &dossier, signed)?.into_iter().collect();
    let others = dossier.parties().filter(|party| &*party.org != own);
    let others = others.filter_map(|party| OrgId::new(&party.org).ok()).collect();
    let new = Some(Transaction { guards, writes, side });
    Ok(Prepared { outcome: Outcome::New, new, others })
}

/// The key must be that of the node of whoever says it.
fn check_signer(app: &App, signed: &SignedStatement, wired: &Wired) -> Result<()> {
    let key = match wired.issuer.as_str() == app.org().id {
        true => Some(app.peers().identity().assertion_key.public_key()),
        false => app.network().list().member(&wired.issuer).map(|member| member.assertion_key),
    };
    match key {
        Some(key) if key == signed.key => Ok(()),
        _ => Err(Error::invalid("value", "the statement is not signed by a member's own key")),
    }
}

fn check_content(app: &App, wired: &Wired) -> Result<()> {
    let invalid = |message: &str| Err(Error::invalid("value", message));
    if wired.at > app.now_ms() + AHEAD_MS {
        // It may be right in a moment.
        return Err(Error::new(Kind::Busy, "the statement is from the future; check the clocks"));
    }
    let bounded = |text: &str, most: usize| {
        !text.trim().is_empty() && text.chars().count() <= most && !text.contains('\0')
    };
    match &wired.said {
        Spoken::Proposed { text } => {
            let terms = policy::agreement::read(text)
                .map_err(|e| Error::invalid("value", format!("the text is not understood: {e}")))?;
            if *terms.id != *wired.agreement || terms.party(wired.issuer.as_str()).is_none() {
                return invalid("the text is of another agreement or other parties");
            }
        }
        Spoken::Signed { text, steward, passkey } => {
            let digest = crypto::hash::from_hex(text)
                .ok_or_else(|| Error::invalid("value", "the hash of the text is no hash"))?;
            identity::verify_passkey_signature(passkey, &digest).map_err(|error| {
                Error::invalid("value", format!("the passkey did not sign this text: {error}"))
            })?;
            if !bounded(steward, 200) {
                return invalid("the steward's name has 1 to 200 characters");
            }
        }
        Spoken::Ended { reason, .. }
        | Spoken::Breached { reason }
        | Spoken::Settled { reason, .. } => {
            if !bounded(reason, MAX_REASON) {
                return invalid("the reason has 1 to 1000 characters");
            }
        }
    }
    Ok(())
}

/// Nobody fills the space of others.
fn room(before: &Known, wired: &Wired) -> Result<()> {
    let full = |message: &str| Err(Error::new(Kind::TooCostly, message));
    let issuer = wired.issuer.as_str();
    if let Some(dossier) = before.dossiers.get(&wired.agreement) {
        return match dossier.count_by(issuer) >= MOST_STATEMENTS {
            true => full("a party may say 100 things about one agreement; make a new one"),
            false => Ok(()),
        };
    }
    let by_issuer = before.dossiers.values().filter(|dossier| {
        dossier.versions().first().is_some_and(|version| version.proposed_by == issuer)
    });
    if before.dossiers.len() >= MOST || by_issuer.count() >= MOST_OF_PEER {
        return full("there are too many agreements; end those that are no longer needed");
    }
    Ok(())
}

/// The Contract that shows the agreement to those who read FHIR.
fn mirror(
    app: &App,
    before: &Known,
    agreement: &str,
    dossier: &Dossier,
    newest: &SignedStatement,
) -> Result<Option<Write>> {
    let standing = dossier.standing(app.now_ms());
    let Some(hash) = standing.text else { return Ok(None) };
    let Some(terms) = dossier.text(&hash) else { return Ok(None) };
    let mut contract: Value =
        serde_json::from_str(&terms.text()).map_err(|e| Error::internal(e.to_string()))?;
    contract["id"] = agreement.into();
    contract["status"] = match standing.state {
        State::Negotiated => "negotiable",
        State::Signed => "executable",
        State::InForce => "executed",
        State::Suspended => "disputed",
        State::Expired | State::Ended => "terminated",
    }
    .into();
    let mut signers = Vec::new();
    for statement in dossier.statements() {
        let is_of_text = matches!(&statement.said, policy::agreement::Said::Signed { text, .. } if *text == hash);
        let own = newest.hash() == *statement.hash;
        let signed = if own { Some(newest) } else { before.signed.get(&*statement.hash) };
        let Some(signed) = signed.filter(|_| is_of_text) else { continue };
        let party = json!({"reference": format!("Organization/{}", statement.issuer)});
        let data = serde_json::to_vec(signed).map_err(|e| Error::internal(e.to_string()))?;
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(data);
        signers.push(json!({
            "type": {"system": "http://terminology.hl7.org/CodeSystem/contractsignertypecodes", "code": "GRANTOR"},
            "party": party,
            "signature": [{
                "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}],
                "when": fhir::time::instant(statement.at_ms), "who": party,
                "sigFormat": "application/json", "data": data,
            }],
        }));
    }
    if !signers.is_empty() {
        contract["signer"] = signers.into();
    }
    let resource =
        Resource::parse(contract.to_string()).map_err(|e| Error::internal(e.to_string()))?;
    let id = fhir::Id::new(agreement).map_err(|e| Error::internal(e.to_string()))?;
    let key = Key { resource_type: "Contract", id };
    Ok(Some(Write::Put { key, resource, expect: Expect::Any, method: Method::Put }))
}

/// Refuses to have the mirror of an agreement written over: it shows what was signed.
pub(crate) fn refuse_mirror(app: &App, resource: &Resource) -> Result<()> {
    if resource.type_name() != "Contract" {
        return Ok(());
    }
    let id = resource.id();
    let is_mirror =
        id.is_some_and(|id| known(app).is_ok_and(|k| k.dossiers.contains_key(id.as_str())));
    match is_mirror {
        true => Err(Error::new(
            Kind::Unprocessable,
            "this contract shows a signed agreement; propose a change of it as a steward",
        )),
        false => Ok(()),
    }
}

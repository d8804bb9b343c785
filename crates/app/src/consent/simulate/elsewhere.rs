//! The same question at other institutions: asking them, and answering when one of them asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use federation::{Answer, AskError, Asserted, Deadlines, FanEvent, PeerEnd, PeerEvent, fan_out};
use fhir::{Id, Resource};
use futures_util::StreamExt;
use parking_lot::Mutex;
use policy::{Action as PolicyAction, Purpose};
use store::Snapshot;
use wire::{
    OrgId, Raw, Refusal, RefusalCode, SimulateRequest, SimulateResponse, Simulated, SourceStatus,
};

use super::{Asked, Holder, here};
use crate::audit::event::Pattern;
use crate::authorise::{MFA_MAX_AGE_S, authorise_asking};
use crate::caller::Evidence;
use crate::records::answer::{authorise, event, refused};
use crate::records::link::{self, Link};
use crate::records::longitudinal::{ask_json, asking};
use crate::{App, Caller, Error, Result};

/// What a peer of before there was this question says: an error without a refusal.
const UNKNOWN_ROUTE: AskError = AskError::Garbage("an error without a refusal");
/// What is said of it.
const TOO_OLD: &str = "this institution's node cannot answer this question yet";

/// Who else holds a record, and whether they may be asked.
pub(super) struct Others {
    links: Vec<Link>,
    /// Why nobody is asked.
    silent: Option<&'static str>,
}

/// The institutions that are known to hold a record of `patient`, and whether `caller` may ask
/// them: patients alone may, about themselves, with a fresh second factor.
pub(super) fn others(
    app: &App,
    snapshot: &dyn Snapshot,
    caller: &Caller,
    patient: &Id,
) -> Result<Others> {
    let mut links = Vec::new();
    for member in app.network().active_others() {
        let link = link::find(snapshot, patient, member.id.as_str())?;
        links.extend(link.filter(|link| link.state.is_followed()));
    }
    let fresh = caller.mfa_age_s(app.now_ms()).is_some_and(|age| age <= MFA_MAX_AGE_S);
    let silent = if caller.user.patient.as_ref() != Some(patient) {
        Some("only the patient may ask other institutions this")
    } else if !fresh {
        Some("confirm that it is you with a second factor to ask other institutions")
    } else if !*app.answering().borrow() {
        Some("this node neither asks nor answers others at the moment")
    } else {
        None
    };
    Ok(Others { links, silent })
}

/// Asks them all at once. Each has a status, whatever became of it.
pub(super) async fn ask(
    app: &App,
    mut caller: Caller,
    patient: Id,
    asked: &Asked,
    others: Others,
) -> Result<Vec<Holder>> {
    let mut holders: Vec<Holder> = others.links.iter().map(|link| holder(app, link)).collect();
    if let Some(why) = others.silent {
        holders.iter_mut().for_each(|holder| holder.notes.push(why.to_owned()));
        return Ok(holders);
    }
    if holders.is_empty() {
        return Ok(holders);
    }
    caller.evidence = Some(Evidence::Reason("what others would see of my record".into()));
    let allowed = caller.clone();
    app.run(move |app| authorise_asking(app, &allowed, &patient, false).map(drop)).await?;
    let question = Arc::new((asking(&caller)?, message(asked)?));
    let deadlines = Deadlines {
        soft: Duration::from_millis(app.settings().soft_deadline_ms),
        hard: Duration::from_millis(app.settings().hard_deadline_ms),
    };
    let links: HashMap<OrgId, Link> =
        others.links.into_iter().filter_map(|l| Some((OrgId::new(&l.org).ok()?, l))).collect();
    let orgs = links.keys().cloned().collect();
    let answers: Arc<Mutex<HashMap<OrgId, Vec<Simulated>>>> = Arc::default();
    let (asker, links, kept) = (app.clone(), Arc::new(links), answers.clone());
    let mut fan = fan_out(orgs, deadlines, move |org, deadline| {
        let (app, links, kept) = (asker.clone(), links.clone(), kept.clone());
        let question = question.clone();
        async move {
            let link = links.get(&org).ok_or(AskError::Local("the link is gone"))?;
            let request = SimulateRequest {
                patient_id: link.remote.to_string(),
                asker_patient_id: link.patient.to_string(),
                ..question.1.clone()
            };
            let path = wire::path::SIMULATE;
            match ask_json(&app, &org, path, &request, &question.0, deadline).await {
                Ok(SimulateResponse { outcomes }) => {
                    let fits = outcomes.len() == request.recipients.len();
                    if !fits {
                        return Err(AskError::Garbage("not one outcome for each recipient"));
                    }
                    kept.lock().insert(org, outcomes);
                    Ok(Answer::Settled(PeerEnd::plain(SourceStatus::Answered)))
                }
                Err(error) if error == UNKNOWN_ROUTE => Ok(Answer::Settled(PeerEnd {
                    notes: vec![TOO_OLD.to_owned()],
                    ..PeerEnd::plain(SourceStatus::Refused)
                })),
                Err(error) => Err(error),
            }
        }
    });
    while let Some(event) = fan.next().await {
        let FanEvent::Peer { org, event: PeerEvent::End(end) } = event else { continue };
        let Some(holder) = holders.iter_mut().find(|one| one.org == org.as_str()) else { continue };
        holder.status = Some(end.status);
        holder.notes = end.notes;
        if end.status == SourceStatus::Answered {
            holder.outcomes = answers.lock().remove(&org).unwrap_or_default();
        }
    }
    Ok(holders)
}

fn holder(app: &App, link: &Link) -> Holder {
    Holder {
        org: link.org.clone(),
        name: super::name_of(app, &link.org).unwrap_or_else(|| link.org.clone()),
        status: None,
        notes: Vec::new(),
        outcomes: Vec::new(),
    }
}

/// The question but for the patient's ids.
fn message(asked: &Asked) -> Result<SimulateRequest> {
    let raw = |draft: &Resource| {
        Raw::new(draft.text()).map_err(|e| Error::internal(format!("a consent is not valid: {e}")))
    };
    Ok(SimulateRequest {
        patient_id: String::new(),
        asker_patient_id: String::new(),
        recipients: asked.recipients.clone(),
        purpose_of_use: asked.purpose.code().to_owned(),
        emergency: asked.emergency,
        drafts: asked.drafts.iter().map(raw).collect::<Result<_>>()?,
        explain: u32::try_from(asked.explain).unwrap_or(u32::MAX),
    })
}

/// A patient at a peer asks what others would see of their record here.
///
/// Authorised as every question of a patient: role, purpose `PATRQT`, second factor; and only
/// along a link on record. Where there is none, everything is empty.
///
/// Errors: a refusal in the words of the protocol.
pub fn answer(
    app: &App,
    asserted: &Asserted,
    request: &SimulateRequest,
) -> std::result::Result<SimulateResponse, Refusal> {
    authorise(app, asserted, PolicyAction::Answer, false, None)?;
    if asserted.assertion.subject.role != wire::Role::Patient {
        return Err(Refusal::new(RefusalCode::PurposeNotPermitted, "only patients ask this"));
    }
    let asked = read(request)?;
    asked.check(app).map_err(refused)?;
    let nothing = |recipient: &wire::Recipient| Simulated {
        organisation: recipient.organisation.clone(),
        refused: None,
        kinds: Vec::new(),
        withheld: Vec::new(),
        more: false,
        emergency_opens: false,
    };
    let known = Id::new(&request.patient_id).ok().zip(Id::new(&request.asker_patient_id).ok());
    let work = || -> Result<SimulateResponse> {
        let org = asserted.assertion.issuer.as_str();
        let snapshot = app.store().snapshot()?;
        let is_theirs = |(patient, theirs): &(Id, Id)| -> Result<bool> {
            let link = link::find(&*snapshot, patient, org)?;
            Ok(link.is_some_and(|link| link.state.is_followed() && link.remote == *theirs))
        };
        let patient = match known {
            Some(known) if is_theirs(&known)? => known.0,
            _ => {
                let outcomes = request.recipients.iter().map(nothing).collect();
                app.audit(event(asserted, Pattern::Query).note("no such patient"))?;
                return Ok(SimulateResponse { outcomes });
            }
        };
        let outcomes = here(app, &*snapshot, &patient, &asked, Some(org))?;
        drop(snapshot);
        let query = format!("Patient/{patient}/$simulate-access");
        app.audit(event(asserted, Pattern::Query).patients([patient]).query(query))?;
        Ok(SimulateResponse { outcomes })
    };
    work().map_err(refused)
}

fn read(request: &SimulateRequest) -> std::result::Result<Asked, Refusal> {
    let invalid = |what: &str| Refusal::new(RefusalCode::MessageInvalid, what);
    let draft = |raw: &Raw| {
        Resource::parse(raw.get()).map_err(|_| invalid("a draft cannot be read as a Consent"))
    };
    Ok(Asked {
        recipients: request.recipients.clone(),
        purpose: Purpose::find(&request.purpose_of_use)
            .ok_or_else(|| invalid("the purpose of use is not known here"))?,
        emergency: request.emergency,
        drafts: request.drafts.iter().map(draft).collect::<std::result::Result<_, _>>()?,
        explain: usize::try_from(request.explain).unwrap_or(usize::MAX),
    })
}

//! The same question at other institutions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation::{Answer as FanAnswer, AskError, Deadlines, FanEvent, PeerEnd, PeerEvent, fan_out};
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use population::distinct::MAX_COUNT;
use wire::{CohortRequest, CohortResponse, OrgId, SourceStatus};

use super::count::Given;
use super::told::{Institution, Status};
use crate::records::longitudinal::{ask_json, asking};
use crate::{App, Caller, Result};

/// What a peer of before there was this question says: an error without a refusal.
const UNKNOWN_ROUTE: AskError = AskError::Garbage("an error without a refusal");

/// Asks everybody else at once for so many numbers. Each has a status, whatever became of it; what they answered, by
/// institution, is still to be looked at.
pub(super) async fn ask(
    app: &App,
    caller: &Caller,
    message: CohortRequest,
    parts: usize,
) -> Result<(Vec<Institution>, BTreeMap<String, Given>)> {
    let members = app.network().active_others();
    let deadlines = Deadlines {
        soft: Duration::from_millis(app.settings().soft_deadline_ms),
        hard: Duration::from_millis(app.settings().hard_deadline_ms),
    };
    let question = Arc::new((asking(caller)?, message));
    let kept: Arc<Mutex<BTreeMap<OrgId, Given>>> = Arc::default();
    let (asker, store) = (app.clone(), kept.clone());
    let orgs = members.iter().map(|member| member.id.clone()).collect();
    let mut fan = fan_out(orgs, deadlines, move |org, deadline| {
        let (app, question, kept) = (asker.clone(), question.clone(), store.clone());
        async move {
            let path = wire::path::COHORTS;
            let answer: CohortResponse =
                ask_json(&app, &org, path, &question.1, &question.0, deadline).await?;
            let limit = MAX_COUNT.unsigned_abs();
            let is_sound = answer.parts.len() == parts
                && answer.parts.iter().all(|part| part.unsigned_abs() <= limit);
            if !is_sound {
                return Err(AskError::Garbage("not one number for each step"));
            }
            let CohortResponse { parts, sketch, counted, again } = answer;
            kept.lock().insert(org, Given { parts, sketch, counted_ms: counted, again });
            Ok(FanAnswer::Settled(PeerEnd::plain(SourceStatus::Answered)))
        }
    });
    let mut ends = BTreeMap::new();
    while let Some(event) = fan.next().await {
        if let FanEvent::Peer { org, event: PeerEvent::End(end) } = event {
            ends.insert(org, end);
        }
    }
    let institutions = members.into_iter().map(|member| {
        let end = ends.remove(&member.id);
        Institution { org: member.id.to_string(), name: member.display_name, ..stands(end) }
    });
    let institutions = institutions.collect();
    let answers = std::mem::take(&mut *kept.lock());
    let answers = answers.into_iter().map(|(org, given)| (org.to_string(), given)).collect();
    Ok((institutions, answers))
}

/// How an institution stands that has not answered, or whose answer is still to be read.
fn stands(end: Option<PeerEnd>) -> Institution {
    let end = end.unwrap_or_else(|| PeerEnd::plain(SourceStatus::TimedOut));
    let note = end.notes.first().cloned().unwrap_or_default();
    let (status, reason) = match (end.refusal, end.status) {
        (Some(refusal), _) => {
            let code = serde_json::to_value(refusal.code).ok();
            let code = code.and_then(|code| code.as_str().map(str::to_owned));
            (Status::Refused, Some((code.unwrap_or_default(), refusal.message)))
        }
        _ if note == UNKNOWN_ROUTE.to_string() => {
            let sentence = "this institution's node cannot answer this question yet".to_owned();
            (Status::Refused, Some(("unsupported".to_owned(), sentence)))
        }
        (None, SourceStatus::Answered) => (Status::Answered, None),
        (None, SourceStatus::TimedOut) => (Status::TimedOut, None),
        (None, SourceStatus::Refused) => (Status::Refused, Some(("identity".to_owned(), note))),
        (None, _) => (Status::Unreachable, (!note.is_empty()).then(|| ("away".to_owned(), note))),
    };
    Institution {
        org: String::new(),
        name: String::new(),
        status,
        reason,
        counted_ms: None,
        again: false,
        people: Vec::new(),
    }
}

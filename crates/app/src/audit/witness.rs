//! This node as a witness of the others' audit logs: it cosigns a checkpoint that only adds to the
//! one before, and raises an alarm about any other.
//!
//! Cosigning leaves no entry in the audit: it concerns no person, and entries about it would make
//! every node's log grow by those of the others for ever.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::witness::{Judgement, Offer, judge};
use crypto::{Head, SignedCheckpoint};
use federation::Asserted;
use serde::{Deserialize, Serialize};
use store::{Guard, SideWrite, Snapshot, StoreError, Transaction};
use wire::witness::{Outcome, origin, witness};
use wire::{
    AddCheckpoint, CheckpointAnswer, CheckpointsRequest, CheckpointsResponse, OrgId, Refusal,
    RefusalCode,
};

use super::alarm::{self, Alarm, Finding, SPACE};
use crate::consent::deliver;
use crate::records::answer::refused;
use crate::{App, Error, Kind, Result};

/// Checkpoints that are kept of one log.
const MOST_KEPT: usize = 256;
/// Of the oldest of them, every second one goes when there are too many.
const THINNED: usize = 192;
/// How often it is tried again when two come at once.
const ATTEMPTS: usize = 4;

/// The newest checkpoint of a log that this node has cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The note, with this node's cosignature.
    pub checkpoint: String,
    /// When its log offered it, by the log's clock, in milliseconds since the Unix epoch.
    pub offered_ms: i64,
    /// When this node cosigned it, by its own clock, in milliseconds since the Unix epoch.
    pub cosigned_ms: i64,
}

impl Held {
    /// How many entries the log had, and the root over them.
    pub fn head(&self) -> Result<Head> {
        let checkpoint = crypto::checkpoint::read(&self.checkpoint);
        Ok(checkpoint.ok_or_else(|| Error::internal("a stored checkpoint cannot be read"))?.head)
    }
}

/// What this node has cosigned last of the log of `org`.
pub fn held(snapshot: &dyn Snapshot, org: &str) -> Result<Option<Held>> {
    let value = snapshot.side(SPACE, &latest(org))?;
    value.map(|value| read(&value)).transpose()
}

/// Answers a peer that asks for a cosignature of its newest checkpoint.
pub fn add_checkpoint(
    app: &App,
    asserted: &Asserted,
    message: &AddCheckpoint,
) -> std::result::Result<CheckpointAnswer, Refusal> {
    deliver::may_speak(app).map_err(refused)?;
    let (org, key) = (&asserted.assertion.issuer, &asserted.member.assertion_key);
    let invalid = |reason: String| Refusal::new(RefusalCode::MessageInvalid, reason);
    let origin = origin(&app.network().list().network, org);
    let offered = SignedCheckpoint::open(&message.checkpoint, &origin, key)
        .map_err(|e| invalid(e.to_string()))?;
    if message.old > offered.head().number {
        return Err(invalid("the proof begins behind the end of the log".into()));
    }
    if message.proof.len() > crypto::merkle::proof::MAX_HASHES {
        return Err(invalid("a consistency proof has at most 63 hashes".into()));
    }
    if message.old == 0 && !message.proof.is_empty() {
        return Err(invalid("there is nothing to prove where the log was empty before".into()));
    }
    let hash = |text: &String| STANDARD.decode(text).ok()?.try_into().ok();
    let proof: Option<Vec<_>> = message.proof.iter().map(hash).collect();
    let proof = proof.ok_or_else(|| invalid("a hash of the proof is not 32 bytes".into()))?;
    let offer = Offer { old: message.old, proof: &proof, head: offered.head() };
    for _ in 0..ATTEMPTS {
        let answer = answer(app, org, &offered, &offer, asserted.assertion.issued_ms);
        if let Some(answer) = answer.map_err(refused)? {
            return Ok(answer);
        }
    }
    Err(Refusal::new(RefusalCode::Unavailable, "too many checkpoints at once; ask again later"))
}

/// `None` where another checkpoint of the log was cosigned meanwhile.
fn answer(
    app: &App,
    org: &OrgId,
    offered: &SignedCheckpoint,
    offer: &Offer<'_>,
    offered_ms: i64,
) -> Result<Option<CheckpointAnswer>> {
    let before = app.store().snapshot()?.side(SPACE, &latest(org.as_str()))?;
    let held: Option<Held> = before.as_deref().map(read).transpose()?;
    let head = held.as_ref().map(Held::head).transpose()?;
    let refuse = |outcome| {
        let held = held.as_ref().map(|held| held.checkpoint.clone());
        Ok(Some(CheckpointAnswer { outcome, cosignature: None, held }))
    };
    let finding = match judge(head, offer) {
        Judgement::Consistent => {
            return cosign(app, org, offered, offered_ms, before, head == Some(offered.head()));
        }
        Judgement::Conflict => return refuse(Outcome::Conflict),
        // What was offered earlier may arrive later; that is no shorter log.
        Judgement::Shorter if held.as_ref().is_some_and(|h| offered_ms <= h.offered_ms) => {
            return refuse(Outcome::Conflict);
        }
        Judgement::Shorter => Finding::Shortened,
        Judgement::Inconsistent => Finding::Rewritten,
    };
    let alarm = Alarm {
        log: org.to_string(),
        witness: app.org().id.clone(),
        finding,
        found_ms: app.now_ms(),
        cosigned: head.map_or(0, |head| head.number),
        offered: offered.head().number,
        cosigned_note: held.as_ref().map(|held| held.checkpoint.clone()).unwrap_or_default(),
        offered_note: offered.to_string(),
        accepted: None,
    };
    alarm::raise(app, &alarm)?;
    refuse(Outcome::Inconsistent)
}

/// Cosigns and keeps it, the second before the answer leaves.
fn cosign(
    app: &App,
    org: &OrgId,
    offered: &SignedCheckpoint,
    offered_ms: i64,
    before: Option<Vec<u8>>,
    known: bool,
) -> Result<Option<CheckpointAnswer>> {
    let now_ms = app.now_ms();
    let name = witness(&app.network().list().network, app.network().own());
    let key = &app.peers().identity().assertion_key;
    let time_s = u64::try_from(now_ms / 1000).unwrap_or_default();
    let failed = |e| Error::internal(format!("a checkpoint cannot be cosigned: {e}"));
    let line = offered.cosign(&name, key, time_s).map_err(failed)?;
    let answer = CheckpointAnswer {
        outcome: Outcome::Cosigned,
        cosignature: Some(line.clone()),
        held: None,
    };
    if known {
        return Ok(Some(answer));
    }
    let mut noted = offered.clone();
    noted.add(&line, &name, &key.public_key()).map_err(failed)?;
    let checkpoint = noted.to_string();
    let past = past(org.as_str(), offered.head().number);
    let kept = Held { checkpoint: checkpoint.clone(), offered_ms, cosigned_ms: now_ms };
    let value = serde_json::to_vec(&kept).map_err(|e| Error::internal(e.to_string()))?;
    let latest = latest(org.as_str());
    let mut side = thin(&*app.store().snapshot()?, org.as_str())?;
    let set = |key, value| SideWrite { space: SPACE, key, value: Some(value) };
    side.extend([set(latest.clone(), value), set(past, checkpoint.into_bytes())]);
    let guards = vec![Guard::Side { space: SPACE, key: latest, value: before }];
    match app.store().commit(Transaction { guards, side, ..Transaction::default() }) {
        Ok(_) => Ok(Some(answer)),
        Err(StoreError::GuardFailed) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes some of the oldest checkpoints of a log once there are too many.
fn thin(snapshot: &dyn Snapshot, org: &str) -> Result<Vec<SideWrite>> {
    let kept = snapshot.side_scan(SPACE, format!("past/{org}/").as_bytes(), MOST_KEPT)?;
    if kept.len() < MOST_KEPT {
        return Ok(Vec::new());
    }
    let gone = kept.into_iter().take(THINNED).skip(1).step_by(2);
    Ok(gone.map(|(key, _)| SideWrite { space: SPACE, key, value: None }).collect())
}

/// Answers a member that asks what this node has cosigned of a log.
pub fn checkpoints(
    app: &App,
    message: &CheckpointsRequest,
) -> std::result::Result<CheckpointsResponse, Refusal> {
    deliver::may_speak(app).map_err(refused)?;
    let read = || -> Result<CheckpointsResponse> {
        let snapshot = app.store().snapshot()?;
        let org = message.organisation.as_str();
        let prefix = format!("past/{org}/");
        let mut checkpoints = Vec::new();
        for (_, note) in snapshot.side_scan(SPACE, prefix.as_bytes(), MOST_KEPT)? {
            checkpoints.push(String::from_utf8_lossy(&note).into_owned());
        }
        checkpoints.reverse();
        let own = app.org().id.as_str();
        let alarms = alarm::all(&*snapshot, org)?;
        let open = |alarm: &Alarm| alarm.witness == own && alarm.accepted.is_none();
        let refused = alarms.into_iter().filter(open);
        let refused = refused.map(|alarm| alarm.offered_note).collect();
        Ok(CheckpointsResponse { checkpoints, refused })
    };
    read().map_err(refused)
}

/// What lets go of everything that was cosigned of a log.
pub(super) fn forget(snapshot: &dyn Snapshot, org: &str) -> Result<Vec<SideWrite>> {
    let past = snapshot.side_scan(SPACE, format!("past/{org}/").as_bytes(), 2 * MOST_KEPT)?;
    let keys = past.into_iter().map(|(key, _)| key).chain([latest(org)]);
    Ok(keys.map(|key| SideWrite { space: SPACE, key, value: None }).collect())
}

fn latest(org: &str) -> Vec<u8> {
    format!("latest/{org}").into_bytes()
}

/// Keys in the order of sizes.
fn past(org: &str, number: u64) -> Vec<u8> {
    format!("past/{org}/{number:020}").into_bytes()
}

fn read(value: &[u8]) -> Result<Held> {
    serde_json::from_slice(value)
        .map_err(|e| Error::new(Kind::Internal, format!("a cosigned checkpoint is faulty: {e}")))
}

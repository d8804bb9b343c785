//! This node's audit log before its witnesses: every peer is offered the newest checkpoint, and what
//! they cosigned is kept as evidence that no later rewriting can undo.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::SignedCheckpoint;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use store::{SideWrite, Snapshot, Transaction};
use tokio::sync::watch;
use tokio::time::Instant;
use wire::witness::{Outcome, witness};
use wire::{AddCheckpoint, CheckpointAnswer, Member};

use super::alarm::{self, Alarm, Finding, SPACE};
use super::ledger::{self, checkpoint, origin};
use crate::consent::deliver::as_node;
use crate::records::longitudinal::ask_json;
use crate::{App, Error, Result};

/// How often the newest checkpoint is offered.
const EVERY: Duration = Duration::from_secs(60);
/// How long a peer has for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same when this node stops.
const LAST_PATIENCE: Duration = Duration::from_millis(1_500);
/// Peers that are asked at the same time.
const AT_ONCE: usize = 16;
const OWN: &[u8] = b"own";

/// What witnesses have of this node's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witnessed {
    /// The newest checkpoint that anybody cosigned, a note with all its cosignatures; empty where
    /// nobody did.
    pub checkpoint: String,
    /// By witness: how many entries its newest cosignature covers.
    pub sizes: BTreeMap<String, u64>,
    /// By witness: when it gave that, in seconds since the Unix epoch by its own clock.
    pub times_s: BTreeMap<String, u64>,
}

/// Offers the newest checkpoint to every peer: now, once a minute, and when the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let last = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => true,
            _ = every.tick() => false,
        };
        let patience = if last { LAST_PATIENCE } else { PATIENCE };
        if let Err(error) = offer(&app, patience).await {
            tracing::error!(reason = %error.message, "the audit log's checkpoint could not be offered");
        }
        if last {
            return;
        }
    }
}

/// Offers the newest checkpoint to every peer that has not cosigned it; returns what they have.
pub async fn offer(app: &App, patience: Duration) -> Result<Witnessed> {
    let (mut signed, mut known) = app.run(prepare).await?;
    if signed.head().number == 0 || !*app.answering().borrow() {
        return Ok(known);
    }
    let number = signed.head().number;
    let peers: Vec<Member> = app.network().active_others();
    let behind = peers.iter().filter(|peer| known.sizes.get(peer.id.as_str()) != Some(&number));
    let deadline = Instant::now() + patience;
    let asked = behind.map(|peer| {
        let old = known.sizes.get(peer.id.as_str()).copied().unwrap_or(0);
        let (app, signed, peer) = (app.clone(), signed.clone(), peer.clone());
        async move {
            let line = ask(&app, &signed, &peer, old, deadline).await;
            (peer, line)
        }
    });
    let asked: Vec<_> = asked.collect();
    let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut more = false;
    while let Some((peer, line)) = answers.next().await {
        let (line, id) = match line {
            Ok(Some(line)) => (line, peer.id.to_string()),
            Ok(None) => continue,
            Err(error) => {
                tracing::debug!(peer = %peer.id, reason = %error.message, "no cosignature");
                continue;
            }
        };
        let name = witness(&app.network().list().network, &peer.id);
        match signed.add(&line, &name, &peer.assertion_key) {
            Ok(time_s) => {
                known.sizes.insert(id.clone(), number);
                known.times_s.insert(id, time_s);
                more = true;
            }
            Err(error) => {
                tracing::warn!(peer = %peer.id, %error, "a cosignature does not hold");
            }
        }
    }
    drop(answers);
    if more {
        known.checkpoint = signed.to_string();
        let keep = known.clone();
        app.run(move |app| store(app, &keep)).await?;
    }
    Ok(known)
}

/// What witnesses have of this node's log.
pub fn witnessed(snapshot: &dyn Snapshot) -> Result<Witnessed> {
    let value = snapshot.side(SPACE, OWN)?;
    let known = value.map(|value| serde_json::from_slice(&value)).transpose();
    Ok(known
        .map_err(|e| Error::internal(format!("the log's witnesses cannot be read: {e}")))?
        .unwrap_or_default())
}

/// The newest checkpoint, with the cosignatures that it has already.
fn prepare(app: &App) -> Result<(SignedCheckpoint, Witnessed)> {
    let snapshot = app.store().snapshot()?;
    let known = witnessed(&*snapshot)?;
    let signed = checkpoint(app, &*snapshot)?;
    let key = app.peers().identity().assertion_key.public_key();
    let before = SignedCheckpoint::open(&known.checkpoint, signed.origin(), &key);
    let signed = before.ok().filter(|before| before.head() == signed.head()).unwrap_or(signed);
    Ok((signed, known))
}

fn store(app: &App, known: &Witnessed) -> Result<()> {
    let value = serde_json::to_vec(known).map_err(|e| Error::internal(e.to_string()))?;
    let side = vec![SideWrite { space: SPACE, key: OWN.to_vec(), value: Some(value) }];
    app.store().commit(Transaction { side, ..Transaction::default() })?;
    Ok(())
}

/// Asks one peer, a second time where the first shows what it has; `None` where it refuses.
async fn ask(
    app: &App,
    signed: &SignedCheckpoint,
    peer: &Member,
    mut old: u64,
    deadline: Instant,
) -> Result<Option<String>> {
    for _ in 0..2 {
        let number = signed.head().number;
        let proof = app
            .run(move |app| {
                let snapshot = app.store().snapshot()?;
                app.ledger().consistency(&*snapshot, old.min(number), number)
            })
            .await?;
        let message = AddCheckpoint {
            old: old.min(number),
            proof: proof.iter().map(|hash| STANDARD.encode(hash)).collect(),
            checkpoint: signed.to_string(),
        };
        let asking = as_node(app, app.new_id().as_str());
        let answer: CheckpointAnswer =
            ask_json(app, &peer.id, wire::path::WITNESS, &message, &asking, deadline)
                .await
                .map_err(|e| Error::new(crate::Kind::Busy, e.to_string()))?;
        if answer.outcome == Outcome::Cosigned {
            return Ok(answer.cosignature);
        }
        let (app, peer, signed) = (app.clone(), peer.clone(), signed.clone());
        let held = app.run(move |app| compare(app, &peer, &signed, answer.held)).await?;
        match held {
            Some(held) if held != old => old = held,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Compares what a peer holds with this node's own log: returns the size from which a proof is to
/// begin, or raises an alarm. What this node never signed says nothing about it.
fn compare(
    app: &App,
    peer: &Member,
    signed: &SignedCheckpoint,
    held: Option<String>,
) -> Result<Option<u64>> {
    let Some(held_note) = held else { return Ok(Some(0)) };
    let key = app.peers().identity().assertion_key.public_key();
    let own = origin(app, app.network().own());
    let held = match SignedCheckpoint::open(&held_note, &own, &key) {
        Ok(held) => held.head(),
        Err(error) => {
            tracing::warn!(peer = %peer.id, %error, "a peer holds a checkpoint that is not ours");
            return Ok(None);
        }
    };
    let snapshot = app.store().snapshot()?;
    let all = ledger::size(&*snapshot)?;
    let finding = if held.number > all {
        Finding::Shortened
    } else if app.ledger().head_at(&*snapshot, held.number)? != held {
        Finding::Rewritten
    } else {
        return Ok(Some(held.number));
    };
    drop(snapshot);
    let alarm = Alarm {
        log: app.org().id.clone(),
        witness: peer.id.to_string(),
        finding,
        found_ms: app.now_ms(),
        cosigned: held.number,
        offered: signed.head().number,
        cosigned_note: held_note,
        offered_note: signed.to_string(),
        accepted: None,
    };
    alarm::raise(app, &alarm)?;
    Ok(None)
}

//! What was unusual in peers' questions: kept for privacy officers and operators here, and told to
//! the peer, whose privacy officer sees it too.

use std::time::Duration;

use federation::Asserted;
use policy::Purpose;
use serde::{Deserialize, Serialize};
use store::{SideWrite, Snapshot, Transaction};
use tokio::time::Instant;
use wire::{Evidence, Flag, FlagReceipt, OrgId, Refusal, RefusalCode};

use super::SPACE;
use super::conduct::Question;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::consent::deliver::{as_node, may_speak};
use crate::records::answer::refused;
use crate::records::longitudinal::ask_json;
use crate::{App, Error, Result};

const PREFIX: &str = "flag/";
/// Most flags that are kept; the oldest make room.
const MOST: usize = 1_000;
/// Flags that are told in one round.
const AT_ONCE: usize = 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// A flag as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What was noticed.
    pub flag: Flag,
    /// Whose questions they are.
    pub asker: String,
    /// Who noticed it.
    pub noticed_by: String,
    /// Whether the other side has been told; true for flags that others have raised.
    pub told: bool,
}

impl Kept {
    fn key(&self) -> Vec<u8> {
        format!("{PREFIX}{:016}/{}/{}", self.flag.noticed, self.noticed_by, self.flag.id)
            .into_bytes()
    }

    fn sentence(&self) -> String {
        let Flag { kind, count, limit, .. } = &self.flag;
        let (kind, asker) = (kind.word(), &self.asker);
        format!("unusual questions of `{asker}`: {kind}, {count} where {limit} are usual")
    }
}

/// Counts a question that was answered; raises what has become unusual. A failure is logged: the
/// answer does not wait for it.
pub(crate) fn saw(app: &App, asserted: &Asserted, patient: &str, known: bool) {
    let assertion = &asserted.assertion;
    let treatment = Purpose::find(&assertion.purpose_of_use)
        .is_some_and(|purpose| purpose.is_a(Purpose::TREAT));
    let question = Question {
        org: assertion.issuer.as_str(),
        user: &assertion.subject.id,
        patient,
        known,
        treatment,
        proven: matches!(assertion.evidence, Some(Evidence::Reference(_))),
        now_ms: app.now_ms(),
    };
    // Patients who ask for their own record are nobody's prey.
    if assertion.subject.role == wire::Role::Patient {
        return;
    }
    let found = app.governance().conduct.lock().count(&question, &app.settings().conduct);
    for one in found {
        let flag = Flag {
            id: app.new_id().to_string(),
            kind: one.kind,
            user: one.user,
            count: one.count,
            limit: one.limit,
            since: one.since_ms,
            noticed: app.now_ms(),
        };
        let asker = assertion.issuer.to_string();
        let kept = Kept { flag, asker, noticed_by: app.org().id.clone(), told: false };
        if let Err(error) = keep(app, &kept) {
            tracing::error!(reason = %error.message, "a flag could not be kept");
        }
        app.governance().news.notify_one();
    }
}

/// Takes a flag from a peer that noticed something in this node's questions.
pub fn receive(
    app: &App,
    asserted: &Asserted,
    flag: &Flag,
) -> std::result::Result<FlagReceipt, Refusal> {
    may_speak(app).map_err(refused)?;
    let sound = (1..=64).contains(&flag.id.len())
        && flag.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && flag.user.len() <= 64
        && flag.noticed >= 0;
    if !sound {
        return Err(Refusal::new(RefusalCode::MessageInvalid, "the flag is not within bounds"));
    }
    let noticed_by = asserted.assertion.issuer.to_string();
    let kept = Kept { flag: flag.clone(), asker: app.org().id.clone(), noticed_by, told: true };
    let known = app.store().snapshot().and_then(|snapshot| snapshot.side(SPACE, &kept.key()));
    match known.map_err(|e| refused(e.into()))? {
        Some(_) => Ok(FlagReceipt { new: false }),
        None => keep(app, &kept).map(|()| FlagReceipt { new: true }).map_err(refused),
    }
}

/// The flags that are kept, the newest first.
pub fn list(snapshot: &dyn Snapshot) -> Result<Vec<Kept>> {
    let mut list = Vec::new();
    for (_, value) in snapshot.side_scan(SPACE, PREFIX.as_bytes(), 2 * MOST)? {
        let kept = serde_json::from_slice(&value);
        list.push(kept.map_err(|e| Error::internal(format!("a flag cannot be read: {e}")))?);
    }
    list.reverse();
    Ok(list)
}

fn keep(app: &App, kept: &Kept) -> Result<()> {
    tracing::warn!("{}", kept.sentence());
    let snapshot = app.store().snapshot()?;
    let all = snapshot.side_scan(SPACE, PREFIX.as_bytes(), 2 * MOST)?;
    let many = all.len().saturating_sub(MOST - 1);
    let gone = all.into_iter().take(many).map(|(key, _)| (key, None));
    let value = serde_json::to_vec(kept).map_err(|e| Error::internal(e.to_string()))?;
    let side = gone.chain([(kept.key(), Some(value))]);
    let side = side.map(|(key, value)| SideWrite { space: SPACE, key, value }).collect();
    let event = Event::by_node(Pattern::Refuse).serious(kept.sentence());
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(())
}

/// Tells peers of the flags that they have not been told of. Who is not there is told later.
pub(super) async fn tell(app: &App) {
    let waiting = app.run(|app| {
        let all = list(&*app.store().snapshot()?)?;
        Ok(all.into_iter().filter(|kept| !kept.told).take(AT_ONCE).collect::<Vec<_>>())
    });
    for kept in waiting.await.unwrap_or_default() {
        let Ok(org) = OrgId::new(&kept.asker) else { continue };
        let asking = as_node(app, app.new_id().as_str());
        let deadline = Instant::now() + PATIENCE;
        let path = wire::path::FLAG;
        let told = ask_json::<FlagReceipt>(app, &org, path, &kept.flag, &asking, deadline).await;
        if let Err(error) = told {
            tracing::debug!(peer = %org, %error, "a flag could not be told");
            continue;
        }
        let done = Kept { told: true, ..kept };
        let noted = app.run(move |app| {
            let value = serde_json::to_vec(&done).map_err(|e| Error::internal(e.to_string()))?;
            let side = vec![SideWrite { space: SPACE, key: done.key(), value: Some(value) }];
            app.store().commit(Transaction { side, ..Transaction::default() })?;
            Ok(())
        });
        if let Err(error) = noted.await {
            tracing::error!(reason = %error.message, "a flag could not be noted as told");
        }
    }
}

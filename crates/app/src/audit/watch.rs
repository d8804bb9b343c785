//! What nodes have of each other's audit logs, and what is wrong with any of them: for privacy
//! officers and operators.

use crypto::Head;

use super::alarm::{self, Alarm};
use super::witness::held;
use super::witnessed::witnessed;
use crate::operate::upkeep::authorise_upkeep;
use crate::{App, Caller, Result};

/// Another node and this one, as witnesses of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The other institution.
    pub org: String,
    /// Its log as this node has cosigned it: how many entries, and when in milliseconds since the
    /// Unix epoch.
    pub cosigned: Option<(u64, i64)>,
    /// This node's log as the other has cosigned it, the same.
    pub witnessed: Option<(u64, i64)>,
}

/// The state of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// This node's log.
    pub head: Head,
    /// The other members.
    pub pairs: Vec<Pair>,
    /// Alarms, the newest first.
    pub alarms: Vec<Alarm>,
}

/// The state of the logs. For whoever reviews or operates.
pub fn watch(app: &App, caller: &Caller) -> Result<Watch> {
    authorise_upkeep(app, Some(caller))?;
    let snapshot = app.store().snapshot()?;
    let known = witnessed(&*snapshot)?;
    let mut pairs = Vec::new();
    for member in app.network().others() {
        let org = member.id.to_string();
        let cosigned = match held(&*snapshot, &org)? {
            Some(held) => Some((held.head()?.number, held.cosigned_ms)),
            None => None,
        };
        let time_s = known.times_s.get(&org).copied().unwrap_or_default();
        let time_ms = i64::try_from(time_s).unwrap_or_default().saturating_mul(1000);
        let witnessed = known.sizes.get(&org).map(|size| (*size, time_ms));
        pairs.push(Pair { org, cosigned, witnessed });
    }
    let head = app.ledger().head(&*snapshot)?;
    Ok(Watch { head, pairs, alarms: alarm::all(&*snapshot, "")? })
}

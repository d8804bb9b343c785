//! The grounds a clinician has stated for asking about a patient, kept while they are at work on
//! the record. They live in memory only: after a restart they are stated again.

use std::collections::HashMap;

use app::Evidence;
use fhir::Id;
use parking_lot::Mutex;

/// How long grounds hold, in milliseconds.
const LIFETIME_MS: i64 = 30 * 60 * 1000;
/// Most grounds kept; the oldest go first.
const MAX_KEPT: usize = 10_000;

/// Why a clinician asks about a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Purpose of use, a v3-ActReason code.
    pub purpose: String,
    /// What shows that there is a reason.
    pub evidence: Evidence,
}

type Key = (String, Id);

/// The grounds of all clinicians, by account and patient.
#[derive(Debug, Default)]
pub struct AllGrounds(Mutex<HashMap<Key, (Kept, i64)>>);

impl AllGrounds {
    /// Keeps what was stated, in place of what was stated before.
    pub fn keep(&self, account: &str, patient: &Id, kept: Kept, now_ms: i64) {
        let mut all = self.0.lock();
        if all.len() >= MAX_KEPT {
            all.retain(|_, (_, at)| holds(*at, now_ms));
            let oldest = all.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest.filter(|_| all.len() >= MAX_KEPT) {
                all.remove(&oldest);
            }
        }
        all.insert((account.to_owned(), patient.clone()), (kept, now_ms));
    }

    /// What was stated and still holds.
    pub fn find(&self, account: &str, patient: &Id, now_ms: i64) -> Option<Kept> {
        let all = self.0.lock();
        let (kept, at) = all.get(&(account.to_owned(), patient.clone()))?;
        holds(*at, now_ms).then(|| kept.clone())
    }

    /// Forgets what an account has stated.
    pub fn forget(&self, account: &str) {
        self.0.lock().retain(|(owner, _), _| owner != account);
    }
}

fn holds(at_ms: i64, now_ms: i64) -> bool {
    (0..LIFETIME_MS).contains(&(now_ms - at_ms))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn grounds_hold_half_an_hour_for_one_account_and_one_patient() {
        let all = AllGrounds::default();
        let (one, other) = (Id::new("p-1").unwrap(), Id::new("p-2").unwrap());
        let evidence = Evidence::Reason("referred by letter".into());
        let kept = Kept { purpose: "TREAT".into(), evidence };
        all.keep("ana", &one, kept.clone(), 1_000);
        assert_eq!(all.find("ana", &one, 1_000 + LIFETIME_MS - 1), Some(kept));
        assert_eq!(all.find("ana", &one, 1_000 + LIFETIME_MS), None);
        assert_eq!(all.find("ana", &other, 2_000), None);
        assert_eq!(all.find("ben", &one, 2_000), None);
        all.forget("ana");
        assert_eq!(all.find("ana", &one, 2_000), None);
    }

    #[test]
    fn the_oldest_grounds_make_room() {
        let all = AllGrounds::default();
        let kept = Kept { purpose: "TREAT".into(), evidence: Evidence::Reason("r".into()) };
        for n in 0..=MAX_KEPT {
            let at = i64::try_from(n).unwrap();
            all.keep("ana", &Id::new(format!("p-{n}")).unwrap(), kept.clone(), at);
        }
        assert_eq!(all.0.lock().len(), MAX_KEPT);
        assert_eq!(all.find("ana", &Id::new("p-0").unwrap(), 10), None);
        assert!(all.find("ana", &Id::new("p-1").unwrap(), 10).is_some());
    }
}

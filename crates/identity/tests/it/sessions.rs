//! What happens to a session between its beginning and its end.

use std::sync::Arc;

use consilium_identity::{SessionError, Sessions, Settings, StepUpError, check_csrf, csrf};
use parking_lot::Mutex;
use store::{
    Committed, Figures, Pending, Restored, SharedStore, Snapshot, Store, StoreError, Transaction,
    Watch,
};

use crate::support::*;

const MINUTE: i64 = 60_000;

fn begin(sessions: &Sessions) -> String {
    let session = sessions.sign_in("ada", PASSWORD, None, HOME, START_MS).unwrap();
    session.token.as_str().to_owned()
}

fn seen(sessions: &Sessions, token: &str, now_ms: i64) -> String {
    match sessions.resolve(token, now_ms) {
        Ok(principal) => principal.username,
        Err(SessionError::Expired) => "expired".into(),
        Err(SessionError::Unknown) => "unknown".into(),
        Err(SessionError::Fault(fault)) => fault.to_string(),
    }
}

#[test]
fn use_keeps_a_session_alive_until_its_absolute_end() {
    let (sessions, _) = node(Settings::default());
    let token = begin(&sessions);
    let mut now_ms = START_MS;
    while now_ms < START_MS + 12 * 60 * MINUTE {
        assert_eq!(seen(&sessions, &token, now_ms), "ada");
        now_ms += 14 * MINUTE;
    }
    assert_eq!(seen(&sessions, &token, START_MS + 12 * 60 * MINUTE), "expired");
    let idle = begin(&sessions);
    assert_eq!(seen(&sessions, &idle, START_MS + 15 * MINUTE - 1), "ada");
    assert_eq!(seen(&sessions, &idle, START_MS + 30 * MINUTE - 1), "expired");
}

#[test]
fn unknown_tokens_stand_for_nobody() {
    let (sessions, _) = node(Settings::default());
    let token = begin(&sessions);
    let mut other = token.clone().into_bytes();
    other[0] = if other[0] == b'A' { b'B' } else { b'A' };
    for wrong in ["", "x", &String::from_utf8(other).unwrap(), &format!("{token}A")] {
        assert_eq!(seen(&sessions, wrong, START_MS), "unknown");
        sessions.sign_out(wrong).unwrap();
    }
    assert_eq!(seen(&sessions, &token, START_MS), "ada");
    sessions.sign_out(&token).unwrap();
    assert_eq!(seen(&sessions, &token, START_MS), "unknown");
    sessions.sign_out(&token).unwrap();
}

#[test]
fn the_store_holds_no_token_and_use_is_written_at_most_once_a_minute() {
    let (sessions, store) = node(Settings::default());
    let token = begin(&sessions);
    let stored = || store.snapshot().unwrap().side_scan("sessions", b"", 10).unwrap();
    let first = stored();
    assert_eq!(first.len(), 1);
    let shown = format!("{first:?} {}", String::from_utf8_lossy(&first[0].1));
    assert!(!shown.contains(&token));
    for (later_ms, written) in [(1_000, false), (59_999, false), (60_000, true)] {
        seen(&sessions, &token, START_MS + later_ms);
        assert_eq!(stored() != first, written, "{later_ms}");
    }
}

#[test]
fn disabling_an_account_or_changing_its_password_ends_its_sessions_at_once() {
    let (sessions, _) = node(Settings::default());
    let accounts = sessions.accounts();
    let ada = accounts.find("ada").unwrap().unwrap();
    let token = begin(&sessions);
    accounts.set_disabled(&ada.id, true, START_MS + 1).unwrap();
    assert_eq!(seen(&sessions, &token, START_MS + 2), "unknown");
    accounts.set_disabled(&ada.id, false, START_MS + 3).unwrap();
    assert_eq!(seen(&sessions, &token, START_MS + 4), "unknown");
    let enter = |now_ms| {
        let session = sessions.sign_in("ada", PASSWORD, None, HOME, now_ms).unwrap();
        session.token.as_str().to_owned()
    };
    let token = enter(START_MS + 5);
    assert_eq!(seen(&sessions, &token, START_MS + 6), "ada");
    accounts.end_sessions(&ada.id, START_MS + 7).unwrap();
    assert_eq!(seen(&sessions, &token, START_MS + 8), "unknown");
    let token = enter(START_MS + 9);
    let same = consilium_identity::Password::plain(PASSWORD);
    accounts.set_password(&ada.id, &same, START_MS + 10).unwrap();
    assert_eq!(seen(&sessions, &token, START_MS + 11), "unknown");
    // A new name is seen in sessions that run on.
    let token = enter(START_MS + 12);
    accounts.rename(&ada.id, "Dr. Ada Alm").unwrap();
    let principal = sessions.resolve(&token, START_MS + 13).unwrap();
    assert_eq!(principal.display_name, "Dr. Ada Alm");
}

#[test]
fn stepping_up_proves_presence_again() {
    let (sessions, _) = node(Settings::default());
    let token = begin(&sessions);
    let step_up = |typed: &str, now_ms| sessions.step_up(&token, typed, HOME, now_ms);
    let now_ms = START_MS + 10 * MINUTE;
    assert!(matches!(step_up(&wrong_code(now_ms), now_ms), Err(StepUpError::SecondFactorWrong)));
    let principal = step_up(&code(now_ms), now_ms).unwrap();
    assert_eq!(principal.amr, ["pwd", "otp", "mfa"]);
    assert_eq!((principal.auth_time_ms, principal.mfa_time_ms), (START_MS, Some(now_ms)));
    assert!(sessions.resolve(&token, now_ms + 1).unwrap().is_mfa_fresh(now_ms + 1));
    assert!(matches!(step_up(&code(now_ms), now_ms + 2), Err(StepUpError::SecondFactorReused)));
    // Nobody steps up out of an ended session.
    let late_ms = now_ms + 15 * MINUTE;
    assert!(matches!(
        step_up(&code(late_ms), late_ms),
        Err(StepUpError::Session(SessionError::Expired))
    ));
    let token = begin(&sessions);
    for _ in 0..5 {
        let outcome = sessions.step_up(&token, &wrong_code(START_MS), HOME, START_MS);
        assert!(matches!(outcome, Err(StepUpError::SecondFactorWrong)));
    }
    assert!(matches!(
        sessions.step_up(&token, &wrong_code(START_MS), HOME, START_MS),
        Err(StepUpError::Throttled { retry_after_s: 2 })
    ));
    let ada = sessions.accounts().find("ada").unwrap().unwrap();
    sessions.accounts().set_totp(&ada.id, None).unwrap();
    assert!(matches!(
        sessions.step_up(&token, "000000", HOME, START_MS + MINUTE),
        Err(StepUpError::NoSecondFactor)
    ));
}

#[test]
fn forms_are_bound_to_the_session() {
    let (sessions, _) = node(Settings::default());
    let (one, two) = (begin(&sessions), begin(&sessions));
    assert!(check_csrf(&one, &csrf(&one)));
    assert!(!check_csrf(&one, &csrf(&two)));
}

#[test]
fn sixteen_sweeps_remove_every_expired_session_and_no_other() {
    let (sessions, store) = node(Settings::default());
    let old: Vec<String> = (0..12).map(|_| begin(&sessions)).collect();
    let later_ms = START_MS + 20 * MINUTE;
    let young = sessions.sign_in("ada", PASSWORD, None, HOME, later_ms).unwrap();
    let removed: usize = (0..16).map(|_| sessions.sweep(later_ms).unwrap()).sum();
    assert_eq!(removed, old.len());
    assert_eq!(seen(&sessions, young.token.as_str(), later_ms), "ada");
    assert_eq!(seen(&sessions, &old[0], later_ms), "unknown");
    assert_eq!(store.snapshot().unwrap().side_scan("sessions", b"", 100).unwrap().len(), 1);
}

type Hook = Box<dyn FnOnce() + Send>;

/// Runs a hook between what a caller reads and what it then writes.
struct Interrupted {
    inner: SharedStore,
    hook: Mutex<Option<Hook>>,
}

impl Store for Interrupted {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.snapshot()
    }

    fn submit(&self, transaction: Transaction) -> Pending {
        let hook = self.hook.lock().take();
        if let Some(hook) = hook {
            hook();
        }
        self.inner.submit(transaction)
    }

    fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        self.submit(transaction).wait()
    }

    fn restore(&self, part: Restored) -> Result<(), StoreError> {
        self.inner.restore(part)
    }

    fn watch(&self) -> Watch {
        self.inner.watch()
    }

    fn newest(&self) -> &store::Newest {
        self.inner.newest()
    }

    fn registry(&self) -> Arc<fhirpath::search::Registry> {
        self.inner.registry()
    }

    fn reindex_progress(&self) -> Result<Vec<store::Reindex>, StoreError> {
        self.inner.reindex_progress()
    }

    fn figures(&self) -> Result<Figures, StoreError> {
        self.inner.figures()
    }

    fn integrity(&self) -> Result<Vec<String>, StoreError> {
        self.inner.integrity()
    }
}

#[test]
fn a_session_that_is_signed_out_while_it_is_used_does_not_come_back() {
    let store = Arc::new(Interrupted { inner: memory(), hook: Mutex::new(None) });
    let accounts = accounts(Arc::clone(&store) as SharedStore);
    accounts.create(clinician("ada"), START_MS).unwrap();
    let sessions = Sessions::new(accounts, Settings::default()).unwrap();
    let now_ms = START_MS + 5 * MINUTE;
    for step_up in [false, true] {
        let token = begin(&sessions);
        let (other, gone) = (sessions.clone(), token.clone());
        *store.hook.lock() = Some(Box::new(move || other.sign_out(&gone).unwrap()));
        if step_up {
            assert!(sessions.step_up(&token, &code(now_ms), HOME, now_ms).is_err());
        } else {
            assert_eq!(seen(&sessions, &token, now_ms), "unknown");
        }
        assert_eq!(seen(&sessions, &token, now_ms), "unknown");
        assert!(store.snapshot().unwrap().side_scan("sessions", b"", 9).unwrap().is_empty());
    }
}

//! Who gets in, and who is told what.

use std::sync::Arc;

use consilium_identity::{
    Password, Session, Sessions, Settings, SignInError, StepUpError, hash_password,
};
use crypto::SystemRandom;

use crate::support::*;

fn enter(sessions: &Sessions, now_ms: i64, code: Option<&str>) -> Result<Session, SignInError> {
    sessions.sign_in("Ada", PASSWORD, code, HOME, now_ms)
}

fn refusal(outcome: Result<Session, SignInError>) -> String {
    outcome.map_or_else(|error| error.to_string(), |_| "signed in".into())
}

#[test]
fn a_password_alone_and_with_a_code() {
    let (sessions, _) = node(Settings::default());
    let one = enter(&sessions, START_MS, None).unwrap();
    assert_eq!((one.principal.amr.as_slice(), one.principal.mfa_time_ms), (&["pwd"][..], None));
    assert_eq!(one.principal.practitioner.as_deref(), Some("Practitioner/ada"));
    assert!(!one.principal.is_mfa_fresh(START_MS));
    let two = enter(&sessions, START_MS, Some(&code(START_MS))).unwrap();
    assert_eq!(two.principal.amr, ["pwd", "otp", "mfa"]);
    assert_eq!(two.principal.mfa_time_ms, Some(START_MS));
    for (later_ms, fresh) in [(0, true), (300_000, true), (300_001, false), (-1, false)] {
        assert_eq!(two.principal.is_mfa_fresh(START_MS + later_ms), fresh, "{later_ms}");
    }
    assert_ne!(one.token, two.token);
}

#[test]
fn a_wrong_password_an_unknown_user_and_a_disabled_account_look_alike() {
    let (sessions, _) = node(Settings::default());
    let accounts = sessions.accounts();
    let bob = accounts.create(clinician("bob"), START_MS).unwrap();
    accounts.set_disabled(&bob.id, true, START_MS).unwrap();
    for (username, password) in [
        ("ada", "wrong password"),
        ("nobody", PASSWORD),
        ("bob", PASSWORD),
        ("bob", "wrong password"),
        ("not a name", PASSWORD),
        ("", ""),
    ] {
        let outcome = sessions.sign_in(username, password, None, HOME, START_MS);
        assert_eq!(refusal(outcome), "the username or the password is wrong", "{username}");
    }
    accounts.set_disabled(&bob.id, false, START_MS).unwrap();
    assert!(sessions.sign_in("bob", PASSWORD, None, HOME, START_MS).is_ok());
}

#[test]
fn a_code_is_accepted_once_and_never_an_older_one() {
    let (sessions, _) = node(Settings::default());
    let now_ms = START_MS + 60_000;
    assert!(enter(&sessions, now_ms, Some(&code(now_ms))).is_ok());
    let used = "the one-time code has been used; wait up to 30 seconds for the next";
    let wrong = "the one-time code is wrong";
    for (typed, expected) in [
        (code(now_ms), used),
        (code(now_ms - 30_000), used),
        (wrong_code(now_ms), wrong),
        (String::new(), wrong),
        (code(now_ms + 30_000), "signed in"),
        (code(now_ms), used),
    ] {
        assert_eq!(refusal(enter(&sessions, now_ms, Some(&typed))), expected, "{typed}");
    }
    // The code does not help without the password, and is not used up by the attempt.
    let later_ms = now_ms + 90_000;
    let outcome = sessions.sign_in("ada", "wrong password", Some(&code(later_ms)), HOME, later_ms);
    assert_eq!(refusal(outcome), "the username or the password is wrong");
    assert!(enter(&sessions, later_ms, Some(&code(later_ms))).is_ok());
}

#[test]
fn of_many_at_once_with_one_code_exactly_one_gets_in() {
    let (sessions, _) = node(Settings::default());
    let typed = code(START_MS);
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| enter(&sessions, START_MS, Some(&typed)).is_ok()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|got_in| **got_in).count(), 1, "{outcomes:?}");
}

#[test]
fn guessing_is_slowed_down_and_never_for_good() {
    let (sessions, _) = node(Settings::default());
    let guess = |username: &str, now_ms| match sessions.sign_in(
        username,
        "wrong password",
        None,
        HOME,
        now_ms,
    ) {
        Err(SignInError::Throttled { retry_after_s }) => retry_after_s,
        _ => 0,
    };
    // An unknown name is treated as a known one.
    for username in ["ada", "nobody"] {
        let waits: Vec<u64> = (0..7).map(|_| guess(username, START_MS)).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 2, 2], "{username}");
    }
    // Even the right password has to wait; after the wait it works and clears the count.
    assert!(enter(&sessions, START_MS + 1_000, None).is_err());
    assert!(enter(&sessions, START_MS + 2_000, None).is_ok());
    assert_eq!(guess("ada", START_MS + 2_000), 0);
    assert!(enter(&sessions, START_MS + 2_000, None).is_ok());
}

#[test]
fn wrong_codes_count_as_guesses_and_used_ones_do_not() {
    let (sessions, _) = node(Settings::default());
    assert!(enter(&sessions, START_MS, Some(&code(START_MS))).is_ok());
    for _ in 0..8 {
        let outcome = enter(&sessions, START_MS, Some(&code(START_MS)));
        assert!(matches!(outcome, Err(SignInError::SecondFactorReused)));
    }
    for _ in 0..5 {
        let outcome = enter(&sessions, START_MS, Some(&wrong_code(START_MS)));
        assert!(matches!(outcome, Err(SignInError::SecondFactorWrong)));
    }
    let outcome = enter(&sessions, START_MS, Some(&wrong_code(START_MS)));
    assert!(matches!(outcome, Err(SignInError::Throttled { retry_after_s: 2 })));
}

#[test]
fn whoever_has_the_password_gains_no_guesses_at_the_second_factor_by_it() {
    let (sessions, _) = node(Settings::default());
    let session = enter(&sessions, START_MS, None).unwrap();
    let wrong = wrong_code(START_MS);
    let (mut stepping_up, mut signing_in) = (0, 0);
    for number in 0..12 {
        // From ever new addresses, and with the right password between any two guesses.
        let address = format!("192.0.2.{number}");
        let in_between = sessions.sign_in("ada", PASSWORD, None, &address, START_MS);
        assert!(in_between.is_ok(), "{number}");
        let guess = sessions.step_up(session.token.as_str(), &wrong, &address, START_MS);
        stepping_up += u32::from(matches!(guess, Err(StepUpError::SecondFactorWrong)));
        let guess = sessions.sign_in("ada", PASSWORD, Some(&wrong), &address, START_MS);
        signing_in += u32::from(matches!(guess, Err(SignInError::SecondFactorWrong)));
    }
    assert_eq!(stepping_up + signing_in, 5, "{stepping_up} at step-up, {signing_in} at sign-in");
    // The right code has to wait as well, and clears the count.
    let later_ms = START_MS + 60_000;
    let right = code(later_ms);
    assert!(sessions.step_up(session.token.as_str(), &right, HOME, later_ms).is_ok());
    let guess = sessions.step_up(session.token.as_str(), &wrong, HOME, later_ms);
    assert!(matches!(guess, Err(StepUpError::SecondFactorWrong)));
}

#[test]
fn an_account_without_a_second_factor_accepts_no_code() {
    let (sessions, _) = node(Settings::default());
    let accounts = sessions.accounts();
    let ada = accounts.find("ada").unwrap().unwrap();
    accounts.set_totp(&ada.id, None).unwrap();
    let outcome = enter(&sessions, START_MS, Some(&code(START_MS)));
    assert!(matches!(outcome, Err(SignInError::SecondFactorWrong)));
    assert!(enter(&sessions, START_MS, None).is_ok());
}

#[test]
fn an_account_with_a_hash_made_before_signs_in() {
    let (sessions, _) = node(Settings::default());
    let hash = hash_password("another secret", &SystemRandom).unwrap();
    let mut new = clinician("bob");
    new.password = Password::hashed(hash);
    let bob = sessions.accounts().create(new, START_MS).unwrap();
    assert!(sessions.sign_in("bob", "another secret", None, HOME, START_MS).is_ok());
    let fresh = Password::plain("yet another secret");
    sessions.accounts().set_password(&bob.id, &fresh, START_MS).unwrap();
    assert!(sessions.sign_in("bob", "another secret", None, HOME, START_MS).is_err());
    assert!(sessions.sign_in("bob", "yet another secret", None, HOME, START_MS + 1).is_ok());
}

#[test]
fn another_node_key_opens_no_secret() {
    let (sessions, store) = node(Settings::default());
    drop(sessions);
    let key = consilium_identity::NodeKey::new(&[8; 32]).unwrap();
    let other = consilium_identity::Accounts::new(store, key, Arc::new(Counter::default()));
    let sessions = Sessions::new(other, Settings::default()).unwrap();
    assert_eq!(
        refusal(enter(&sessions, START_MS, Some(&code(START_MS)))),
        "the one-time-code secret cannot be opened; check the node key"
    );
}

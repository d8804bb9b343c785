//! Passkeys from the first to the last: added, used, refused, removed; and what to do without one.

use consilium_identity::{
    NewAccount, PasskeyError, Password, RECOVERY_CODES, Role, Session, Sessions, Settings,
    SignInError, Site, Standing, StepUpError, Token,
};

use crate::authenticator::Authenticator;
use crate::support::{HOME, PASSWORD, START_MS, clinician, code, node};

const ORIGIN: &str = "https://north.example:8443";
const MINUTE_MS: i64 = 60_000;

/// A node with passkeys, and the clinician `ada`; operators must have one.
fn site() -> Sessions {
    let site = Site::new(ORIGIN, "North", &[Role::Operator]).unwrap();
    node(Settings::default()).0.with_passkeys(site)
}

fn both_factors(sessions: &Sessions, name: &str, now_ms: i64) -> Session {
    sessions.sign_in(name, PASSWORD, Some(&code(now_ms)), HOME, now_ms).unwrap()
}

fn enrol(sessions: &Sessions, token: &Token, now_ms: i64) -> Result<Authenticator, PasskeyError> {
    let mut device = Authenticator::new(ORIGIN);
    let started = sessions.begin_passkey_enrolment(token.as_str(), HOME, now_ms)?;
    let answer = device.create(&started.options);
    let name = "Phone";
    sessions.finish_passkey_enrolment(
        token.as_str(),
        &started.ceremony,
        name,
        &answer,
        &[],
        now_ms,
    )?;
    Ok(device)
}

fn sign_in(
    sessions: &Sessions,
    device: &mut Authenticator,
    now_ms: i64,
) -> Result<Session, PasskeyError> {
    let started = sessions.begin_passkey_sign_in(HOME, now_ms)?;
    let answer = device.get(&started.options);
    sessions.finish_passkey_sign_in(&started.ceremony, &answer, HOME, now_ms)
}

fn step_up(
    sessions: &Sessions,
    token: &Token,
    device: &mut Authenticator,
    now_ms: i64,
) -> Result<Vec<&'static str>, PasskeyError> {
    let started = sessions.begin_passkey_step_up(token.as_str(), HOME, now_ms)?;
    let answer = device.get(&started.options);
    let (token, ceremony) = (token.as_str(), started.ceremony.as_str());
    Ok(sessions.finish_passkey_step_up(token, ceremony, &answer, HOME, now_ms)?.amr)
}

#[test]
fn a_passkey_is_added_signs_in_steps_up_and_is_removed() {
    let sessions = site();
    let first = both_factors(&sessions, "ada", START_MS);
    let mut phone = enrol(&sessions, &first.token, START_MS).unwrap();

    let later = START_MS + 60 * MINUTE_MS;
    let session = sign_in(&sessions, &mut phone, later).unwrap();
    let who = &session.principal;
    assert_eq!((who.username.as_str(), who.role), ("ada", Role::Clinician));
    assert_eq!(who.amr, ["pop", "user", "mfa"]);
    assert_eq!((who.auth_time_ms, who.mfa_time_ms), (later, Some(later)));
    assert!(
        who.is_mfa_fresh(later + 5 * MINUTE_MS) && !who.is_mfa_fresh(later + 5 * MINUTE_MS + 1)
    );

    let again = later + 10 * MINUTE_MS;
    step_up(&sessions, &session.token, &mut phone, again).unwrap();
    let who = sessions.resolve(session.token.as_str(), again).unwrap();
    assert_eq!((who.auth_time_ms, who.mfa_time_ms), (later, Some(again)));

    let list = sessions.passkeys(session.token.as_str(), again).unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].name.as_str(), list[0].added_ms), ("Phone", START_MS));
    assert_eq!((list[0].used_ms, list[0].suspect_ms), (Some(again), None));

    // Removing it ends the session that began with it, and the passkey is nobody's.
    let token = session.token.as_str();
    sessions.remove_passkey(token, &list[0].id, &[], again).unwrap();
    assert!(sessions.resolve(token, again).is_err());
    assert!(matches!(sign_in(&sessions, &mut phone, again), Err(PasskeyError::Unknown)));
}

/// Refuses a sign-in in which `lie` was told by the device.
#[track_caller]
fn refused(lie: impl FnOnce(&mut Authenticator), expected: fn(&PasskeyError) -> bool) {
    let sessions = site();
    let session = both_factors(&sessions, "ada", START_MS);
    let mut phone = enrol(&sessions, &session.token, START_MS).unwrap();
    sign_in(&sessions, &mut phone, START_MS).unwrap();
    lie(&mut phone);
    let error = sign_in(&sessions, &mut phone, START_MS).unwrap_err();
    assert!(expected(&error), "{error}");
    let error = step_up(&sessions, &session.token, &mut phone, START_MS).unwrap_err();
    assert!(expected(&error), "{error}");
    assert!(!error.to_string().contains("ada"), "{error}");
}

#[test]
fn lies_are_refused() {
    refused(
        |d| d.origin = "https://north.example.evil:8443".into(),
        |e| matches!(e, PasskeyError::WrongSite),
    );
    refused(
        |d| d.origin = "https://north.example".into(),
        |e| matches!(e, PasskeyError::WrongSite),
    );
    refused(
        |d| d.origin = "http://north.example:8443".into(),
        |e| matches!(e, PasskeyError::WrongSite),
    );
    refused(|d| d.rp_id = "evil.example".into(), |e| matches!(e, PasskeyError::WrongSite));
    refused(|d| d.verifies = false, |e| matches!(e, PasskeyError::NotVerified));
    refused(|d| d.handle = vec![7; 16], |e| matches!(e, PasskeyError::Unknown));
    refused(
        |d| {
            let handle = d.handle.clone();
            *d = Authenticator::new(ORIGIN);
            d.handle = handle;
        },
        |e| matches!(e, PasskeyError::Unknown),
    );
}

#[test]
fn a_counter_that_went_back_is_shown_to_its_owner() {
    let sessions = site();
    let session = both_factors(&sessions, "ada", START_MS);
    let mut phone = enrol(&sessions, &session.token, START_MS).unwrap();
    sign_in(&sessions, &mut phone, START_MS).unwrap();
    phone.counter = 0;
    assert!(sign_in(&sessions, &mut phone, START_MS + 7).is_err());
    let list = sessions.passkeys(session.token.as_str(), START_MS + 7).unwrap();
    assert_eq!(list[0].suspect_ms, Some(START_MS + 7));
    phone.counter = 0;
    let stepped = step_up(&sessions, &session.token, &mut phone, START_MS + 7);
    assert!(matches!(stepped, Err(PasskeyError::CounterWentBack { .. })));
    // The rightful device is ahead and goes on.
    phone.counter = 5;
    sign_in(&sessions, &mut phone, START_MS + 8).unwrap();
}

#[test]
fn an_answer_is_good_once_and_for_five_minutes() {
    let sessions = site();
    let session = both_factors(&sessions, "ada", START_MS);
    let mut phone = enrol(&sessions, &session.token, START_MS).unwrap();
    let finish = |ceremony: &str, answer: &str, now_ms| {
        sessions.finish_passkey_sign_in(ceremony, answer, HOME, now_ms).map(drop)
    };
    let started = sessions.begin_passkey_sign_in(HOME, START_MS).unwrap();
    let answer = phone.get(&started.options);
    finish(&started.ceremony, &answer, START_MS).unwrap();
    let replayed = finish(&started.ceremony, &answer, START_MS);
    assert!(matches!(replayed, Err(PasskeyError::Expired)));

    // The same answer to another challenge.
    let other = sessions.begin_passkey_sign_in(HOME, START_MS).unwrap();
    let moved = finish(&other.ceremony, &answer, START_MS);
    assert!(matches!(moved, Err(PasskeyError::Expired)));
    // That used the other challenge up.
    let answer = phone.get(&other.options);
    assert!(finish(&other.ceremony, &answer, START_MS).is_err());

    let started = sessions.begin_passkey_sign_in(HOME, START_MS).unwrap();
    let answer = phone.get(&started.options);
    let late = finish(&started.ceremony, &answer, START_MS + 5 * MINUTE_MS + 1);
    assert!(matches!(late, Err(PasskeyError::Expired)));

    for nonsense in ["", "{}", "null", &"x".repeat(40_000)] {
        let started = sessions.begin_passkey_sign_in(HOME, START_MS).unwrap();
        let read = finish(&started.ceremony, nonsense, START_MS);
        assert!(matches!(read, Err(PasskeyError::Malformed)), "{}", nonsense.len());
    }
}

#[test]
fn a_passkey_is_good_for_its_own_account_and_session_only() {
    let sessions = site();
    sessions.accounts().create(clinician("bob"), START_MS).unwrap();
    let (ada, bob) =
        (both_factors(&sessions, "ada", START_MS), both_factors(&sessions, "bob", START_MS));
    let mut hers = enrol(&sessions, &ada.token, START_MS).unwrap();
    let mut his = enrol(&sessions, &bob.token, START_MS).unwrap();

    // Another user's passkey does not step up a session.
    let other = step_up(&sessions, &bob.token, &mut hers, START_MS);
    assert!(matches!(other, Err(PasskeyError::Unknown)));
    // Nor does one that claims the handle of the account.
    hers.handle.clone_from(&his.handle);
    let other = step_up(&sessions, &bob.token, &mut hers, START_MS);
    assert!(matches!(other, Err(PasskeyError::Unknown)));
    assert!(matches!(sign_in(&sessions, &mut hers, START_MS), Err(PasskeyError::Unknown)));

    // A challenge of one session is of no use to another, nor to another ceremony.
    let (mine, theirs) = (ada.token.as_str(), bob.token.as_str());
    let started = sessions.begin_passkey_step_up(theirs, HOME, START_MS).unwrap();
    let answer = his.get(&started.options);
    let stolen = sessions.finish_passkey_step_up(mine, &started.ceremony, &answer, HOME, START_MS);
    assert!(matches!(stolen, Err(PasskeyError::Expired)));
    let started = sessions.begin_passkey_sign_in(HOME, START_MS).unwrap();
    let answer = his.get(&started.options);
    let moved = sessions.finish_passkey_step_up(theirs, &started.ceremony, &answer, HOME, START_MS);
    assert!(matches!(moved, Err(PasskeyError::Expired)));

    // A closed account is nobody's.
    sessions.accounts().set_disabled(&bob.principal.account_id, true, START_MS).unwrap();
    assert!(matches!(sign_in(&sessions, &mut his, START_MS), Err(PasskeyError::Unknown)));
}

#[test]
fn adding_and_removing_need_a_fresh_factor() {
    let sessions = site();
    let session = both_factors(&sessions, "ada", START_MS);
    let stale = START_MS + 6 * MINUTE_MS;
    assert!(matches!(enrol(&sessions, &session.token, stale), Err(PasskeyError::FactorNeeded)));
    let alone = sessions.sign_in("ada", PASSWORD, None, HOME, stale).unwrap();
    assert!(matches!(enrol(&sessions, &alone.token, stale), Err(PasskeyError::FactorNeeded)));
    let phone = enrol(&sessions, &session.token, START_MS).unwrap();
    drop(phone);
    let token = session.token.as_str();
    let list = sessions.passkeys(token, START_MS).unwrap();
    let removed = sessions.remove_passkey(token, &list[0].id, &[], stale);
    assert!(matches!(removed, Err(PasskeyError::FactorNeeded)));
    assert!(matches!(
        sessions.remove_passkey(token, "none", &[], START_MS),
        Err(PasskeyError::NotFound)
    ));
    // One device, one passkey.
    let mut again = Authenticator::new(ORIGIN);
    for expected in [true, false] {
        let started = sessions.begin_passkey_enrolment(token, HOME, START_MS).unwrap();
        let answer = again.create(&started.options);
        let added = sessions.finish_passkey_enrolment(
            token,
            &started.ceremony,
            "Key",
            &answer,
            &[],
            START_MS,
        );
        assert_eq!(added.is_ok(), expected);
    }
}

#[test]
fn the_last_second_factor_stays() {
    let sessions = site();
    let session = both_factors(&sessions, "ada", START_MS);
    let token = session.token.as_str();
    let last = sessions.remove_totp(token, &[], START_MS);
    assert!(matches!(last, Err(PasskeyError::LastFactor)));
    enrol(&sessions, &session.token, START_MS).unwrap();
    sessions.remove_totp(token, &[], START_MS).unwrap();
    let list = sessions.passkeys(token, START_MS).unwrap();
    let last = sessions.remove_passkey(token, &list[0].id, &[], START_MS);
    assert!(matches!(last, Err(PasskeyError::LastFactor)));
    enrol(&sessions, &session.token, START_MS).unwrap();
    sessions.remove_passkey(token, &list[0].id, &[], START_MS).unwrap();
}

#[test]
fn an_administrator_is_led_to_a_passkey_and_held_to_it() {
    let sessions = site();
    let sam = NewAccount { role: Role::Operator, practitioner: None, ..clinician("sam") };
    sessions.accounts().create(sam, START_MS).unwrap();
    let first = both_factors(&sessions, "sam", START_MS);
    assert_eq!(first.principal.standing, Standing::EnrolmentNeeded);
    let mut key = enrol(&sessions, &first.token, START_MS).unwrap();
    let who = sessions.resolve(first.token.as_str(), START_MS).unwrap();
    assert_eq!(who.standing, Standing::Open);

    // From now on a one-time code is not enough, neither for work nor for another passkey.
    let later = START_MS + 10 * MINUTE_MS;
    let second = both_factors(&sessions, "sam", later);
    assert_eq!(second.principal.standing, Standing::PasskeyNeeded);
    assert!(matches!(enrol(&sessions, &second.token, later), Err(PasskeyError::FactorNeeded)));
    let again = later + MINUTE_MS;
    let stepped = sessions.step_up(second.token.as_str(), &code(again), HOME, again);
    assert!(matches!(stepped, Err(StepUpError::PasskeyNeeded)));
    let amr = step_up(&sessions, &second.token, &mut key, later).unwrap();
    assert_eq!(amr, ["pwd", "otp", "pop", "user", "mfa"]);
    assert_eq!(sessions.resolve(second.token.as_str(), later).unwrap().standing, Standing::Open);

    // The last passkey stays, one-time codes or not.
    let token = second.token.as_str();
    let list = sessions.passkeys(token, later).unwrap();
    let last = sessions.remove_passkey(token, &list[0].id, &[], later);
    assert!(matches!(last, Err(PasskeyError::LastFactor)));
    assert_eq!(sign_in(&sessions, &mut key, later).unwrap().principal.standing, Standing::Open);
}

#[test]
fn recovery_codes_work_once_and_lead_back_to_a_passkey() {
    let sessions = site();
    let sam = NewAccount { role: Role::Operator, practitioner: None, ..clinician("sam") };
    sessions.accounts().create(sam, START_MS).unwrap();
    let first = both_factors(&sessions, "sam", START_MS);
    enrol(&sessions, &first.token, START_MS).unwrap();
    let codes = sessions.renew_recovery_codes(first.token.as_str(), &[], START_MS).unwrap();
    let codes = codes.reveal().clone();
    assert_eq!(codes.len(), RECOVERY_CODES);

    // Key and phone are lost.
    let now = START_MS + 60 * MINUTE_MS;
    let enter = |code: &str| sessions.sign_in("sam", PASSWORD, Some(code), HOME, now);
    let session = enter(&codes[0].to_lowercase()).unwrap();
    assert_eq!(session.principal.amr, ["pwd", "otp", "mfa"]);
    assert_eq!(session.principal.standing, Standing::PasskeyNeeded);
    assert!(matches!(enter(&codes[0]), Err(SignInError::SecondFactorWrong)));
    let account = sessions.accounts().find("sam").unwrap().unwrap();
    assert_eq!(account.recovery_codes, RECOVERY_CODES - 1);
    enrol(&sessions, &session.token, now).unwrap();
    assert_eq!(sessions.resolve(session.token.as_str(), now).unwrap().standing, Standing::Open);

    // A code also proves presence, and a new set replaces the old one.
    sessions.step_up(session.token.as_str(), &codes[1], HOME, now).unwrap();
    let new = sessions.renew_recovery_codes(session.token.as_str(), &[], now).unwrap();
    assert!(enter(&codes[2]).is_err());
    enter(&new.reveal()[0]).unwrap();
    // Another's codes are of no use.
    let ada = sessions.sign_in("ada", PASSWORD, Some(&new.reveal()[1]), HOME, now);
    assert!(matches!(ada, Err(SignInError::SecondFactorWrong)));
}

#[test]
fn an_account_without_second_factors_adds_its_first_soon_after_signing_in() {
    let sessions = site();
    let eve = NewAccount { totp_secret: None, ..clinician("eve") };
    sessions.accounts().create(eve, START_MS).unwrap();
    let sign_in = |now_ms| sessions.sign_in("eve", PASSWORD, None, HOME, now_ms).unwrap();
    let session = sign_in(START_MS);
    let late = START_MS + 6 * MINUTE_MS;
    assert!(matches!(enrol(&sessions, &session.token, late), Err(PasskeyError::SignInNeeded)));
    let codes = sessions.renew_recovery_codes(session.token.as_str(), &[], START_MS);
    assert!(matches!(codes, Err(PasskeyError::NoPasskey)));
    enrol(&sessions, &sign_in(late).token, late).unwrap();
    assert!(matches!(
        enrol(&sessions, &sign_in(late).token, late),
        Err(PasskeyError::FactorNeeded)
    ));
}

#[test]
fn failures_from_one_address_are_slowed_down_and_lock_nobody_out() {
    let sessions = site();
    let session = both_factors(&sessions, "ada", START_MS);
    let mut phone = enrol(&sessions, &session.token, START_MS).unwrap();
    for _ in 0..50 {
        let started = sessions.begin_passkey_sign_in("192.0.2.66", START_MS).unwrap();
        let failed =
            sessions.finish_passkey_sign_in(&started.ceremony, "{}", "192.0.2.66", START_MS);
        assert!(matches!(failed, Err(PasskeyError::Malformed)));
    }
    let started = sessions.begin_passkey_sign_in("192.0.2.66", START_MS).unwrap();
    let answer = phone.get(&started.options);
    let slowed =
        sessions.finish_passkey_sign_in(&started.ceremony, &answer, "192.0.2.66", START_MS);
    assert!(matches!(slowed, Err(PasskeyError::Throttled { retry_after_s: 2 })));
    sign_in(&sessions, &mut phone, START_MS).unwrap();
}

#[test]
fn without_a_site_there_are_no_passkeys_and_nobody_needs_one() {
    let sessions = node(Settings::default()).0;
    let sam = NewAccount {
        role: Role::Operator,
        password: Password::plain(PASSWORD),
        ..clinician("sam")
    };
    sessions.accounts().create(sam, START_MS).unwrap();
    let session = both_factors(&sessions, "sam", START_MS);
    assert_eq!(session.principal.standing, Standing::Open);
    assert!(matches!(sessions.begin_passkey_sign_in(HOME, START_MS), Err(PasskeyError::Unusable)));
    assert!(matches!(enrol(&sessions, &session.token, START_MS), Err(PasskeyError::Unusable)));
}

//! Creating, finding and changing accounts.

use std::sync::Arc;

use consilium_identity::{
    Account, AccountError, Amendment, Hidden, NewAccount, Password, Role, Settings,
};
use fhir::Id;

use crate::support::*;

#[test]
fn an_account_is_found_under_any_spelling_of_its_name() {
    let accounts = accounts(memory());
    let ada = accounts.create(clinician(" Ada.Ek "), START_MS).unwrap();
    assert_eq!(accounts.find("ADA.EK").unwrap().as_ref(), Some(&ada));
    assert_eq!(accounts.get(&ada.id).unwrap().as_ref(), Some(&ada));
    assert_eq!(accounts.find("ada").unwrap(), None);
    assert_eq!(accounts.find("no name at all").unwrap(), None);
    assert_eq!(accounts.get("other").unwrap(), None);
    assert_eq!(
        accounts.create(clinician("ada.ek"), START_MS).unwrap_err().to_string(),
        "the username is taken; choose another"
    );
    let bob = accounts.create(clinician("bob"), START_MS).unwrap();
    assert_ne!(ada.id, bob.id);
    let names: Vec<String> =
        accounts.list(10).unwrap().iter().map(|a| a.username.to_string()).collect();
    assert_eq!(names, ["ada.ek", "bob"]);
    assert_eq!(accounts.list(1).unwrap().len(), 1);
}

#[test]
fn what_does_not_fit_is_refused_with_advice() {
    let accounts = accounts(memory());
    let patient = Some(Id::new("p1").unwrap());
    let base = || clinician("new");
    for (new, expected) in [
        (
            NewAccount { username: "a b".into(), ..base() },
            "a username has 1 to 64 characters of a-z, 0-9, `.`, `_`, `@` and `-`",
        ),
        (
            NewAccount { display_name: " \n".into(), ..base() },
            "a display name has 1 to 200 characters",
        ),
        (
            NewAccount { password: Password::plain("short"), ..base() },
            "a password has at least 8 characters and at most 1024 bytes",
        ),
        (
            NewAccount { password: Password::hashed("{SHA}x"), ..base() },
            "a password hash must be Argon2id in PHC form with at most 256 MiB and 16 passes",
        ),
        (
            NewAccount { totp_secret: Some(Hidden::new(vec![0; 15])), ..base() },
            "a one-time-code secret has 16 to 64 bytes",
        ),
        (
            NewAccount { role: Role::Patient, ..base() },
            "an account of role `patient` names its patient, and no other role does",
        ),
        (
            NewAccount { patient: patient.clone(), ..base() },
            "an account of role `patient` names its patient, and no other role does",
        ),
    ] {
        assert_eq!(accounts.create(new, START_MS).unwrap_err().to_string(), expected);
    }
    assert!(accounts.list(10).unwrap().is_empty(), "a refused account left something behind");
    let new = NewAccount { role: Role::Patient, patient: patient.clone(), ..base() };
    assert_eq!(accounts.create(new, START_MS).unwrap().patient, patient);
    assert_eq!(accounts.rename("nobody", "X").unwrap_err().to_string(), "there is no such account");
}

#[test]
fn nothing_secret_is_readable_in_the_store_or_in_debug_output() {
    let store = memory();
    let accounts = accounts(Arc::clone(&store));
    let new = clinician("ada");
    let shown = format!("{new:?} {accounts:?}");
    let ada = accounts.create(new, START_MS).unwrap();
    let text = format!("{shown} {ada:?}");
    let base32 = consilium_identity::base32(SECRET);
    for secret in [PASSWORD, "12345678901234567890", base32.as_str(), "argon2id"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(!text.contains("49, 50, 51"), "the secret as numbers in {text}");
    let stored = store.snapshot().unwrap().side_scan("accounts", b"", 100).unwrap();
    assert_eq!(stored.len(), 2);
    for (_, value) in stored {
        let value = String::from_utf8(value).unwrap();
        for secret in [PASSWORD, "12345678901234567890", base32.as_str()] {
            assert!(!value.contains(secret), "{secret} is stored");
        }
    }
}

#[test]
fn a_new_secret_is_fresh_and_long() {
    let accounts = accounts(memory());
    let (one, two) = (accounts.new_totp_secret().unwrap(), accounts.new_totp_secret().unwrap());
    assert_eq!(one.reveal().len(), 20);
    assert_ne!(one.reveal(), two.reveal());
    let plain = NewAccount { totp_secret: None, ..clinician("ada") };
    let ada = accounts.create(plain, START_MS).unwrap();
    assert!(!ada.has_totp);
    assert!(accounts.set_totp(&ada.id, Some(&one)).unwrap().has_totp);
    assert!(!accounts.set_totp(&ada.id, None).unwrap().has_totp);
    assert_eq!(accounts.rename(&ada.id, " Ada E. ").unwrap().display_name, "Ada E.");
}

#[test]
fn another_role_ends_sessions_and_a_new_name_does_not() {
    let (sessions, _) = node(Settings::default());
    let accounts = sessions.accounts();
    let ada = accounts.find("ada").unwrap().unwrap();
    let session = sessions.sign_in("ada", PASSWORD, None, HOME, START_MS).unwrap();
    let token = session.token.as_str();
    let amend = |amendment: Amendment, at_ms: i64| {
        let none = |_: &Account, _: &Account| Ok::<_, AccountError>(Vec::new());
        accounts.amend(&ada.id, &amendment, at_ms, none)
    };
    let named = Amendment { display_name: Some(" Ada Eklund ".into()), ..Amendment::default() };
    let after = amend(named, START_MS + 1).unwrap();
    assert_eq!((after.display_name.as_str(), after.role_since_ms), ("Ada Eklund", START_MS));
    assert!(sessions.resolve(token, START_MS + 2).is_ok());
    let role = Amendment { role: Some(Role::Registrar), ..Amendment::default() };
    let after = amend(role.clone(), START_MS + 3).unwrap();
    assert_eq!((after.role, after.role_since_ms), (Role::Registrar, START_MS + 3));
    assert!(sessions.resolve(token, START_MS + 4).is_err());
    // The same again changes nothing; who may sign in again takes the role up anew.
    assert_eq!(amend(role, START_MS + 5).unwrap().role_since_ms, START_MS + 3);
    let state = |disabled| Amendment { disabled: Some(disabled), ..Amendment::default() };
    assert_eq!(amend(state(true), START_MS + 6).unwrap().role_since_ms, START_MS + 3);
    assert_eq!(amend(state(false), START_MS + 6).unwrap().role_since_ms, START_MS + 6);
    // Two moments that are one to the clock are still two.
    let other = Amendment { practitioner: Some(Some("Practitioner/x".into())), ..state(false) };
    assert_eq!(amend(other, START_MS + 6).unwrap().role_since_ms, START_MS + 7);
    let patient = Amendment { role: Some(Role::Patient), ..Amendment::default() };
    assert!(matches!(amend(patient, START_MS + 8), Err(AccountError::PatientLink)));
}

#[test]
fn the_last_operator_stays_one_whatever_comes_in_between() {
    let (sessions, _) = node(Settings::default());
    let accounts = sessions.accounts();
    let operator = |name: &str| {
        let new = NewAccount { role: Role::Operator, practitioner: None, ..clinician(name) };
        accounts.create(new, START_MS).unwrap()
    };
    let (sam, kim) = (operator("sam"), operator("kim"));
    let end = Amendment { disabled: Some(true), ..Amendment::default() };
    let none = |_: &Account, _: &Account| Ok::<_, AccountError>(Vec::new());
    // While Sam's account is being closed, Sam closes Kim's: only one of them can win.
    let once = std::cell::Cell::new(true);
    let closed = accounts.amend(&sam.id, &end, START_MS, |_, _| {
        if once.replace(false) {
            accounts.amend(&kim.id, &end, START_MS, none)?;
        }
        Ok::<_, AccountError>(Vec::new())
    });
    assert!(matches!(closed, Err(AccountError::LastOperator)), "{closed:?}");
    assert!(accounts.get(&kim.id).unwrap().unwrap().disabled);
    assert!(!accounts.get(&sam.id).unwrap().unwrap().disabled);
    let role = Amendment { role: Some(Role::Clinician), ..Amendment::default() };
    assert!(matches!(
        accounts.amend(&sam.id, &role, START_MS, none),
        Err(AccountError::LastOperator)
    ));
}

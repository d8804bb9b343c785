//! Creating, finding and changing accounts.

use std::sync::Arc;

use consilium_identity::{Hidden, NewAccount, Password, Role};
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

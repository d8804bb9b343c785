//! A patient invites somebody to act for them by a code that is used once.

use fhir::Id;
use serde::{Deserialize, Serialize};
use store::{Guard, Key, SideWrite, Transaction};

use super::arrangement::{Arrangement, Limits};
use super::{Basis, Rights, appoint, list, stand, write};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Kind, Result};

/// Where invitations wait, under the SHA-256 of their codes.
const SPACE: &str = "proxy-invitations";
/// How long one waits, in milliseconds: 7 days.
const WAITS_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Most invitations that wait at a time.
const MAX_WAITING: usize = 10_000;
/// Most that wait of one patient.
const MAX_OF_PATIENT: usize = 10;
/// Letters of a code: 60 bits, so that nobody guesses one in a week.
const CODE_LETTERS: usize = 12;
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

#[derive(Clone, Serialize, Deserialize)]
struct Invitation {
    patient: String,
    relationship: String,
    labels: Vec<String>,
    kinds: Vec<String>,
    consents: bool,
    invites: bool,
    until_ms: Option<i64>,
    /// Who invited, as a reference.
    by: String,
    expires_ms: i64,
}

/// Invites whoever brings the code that is returned; it is shown once.
///
/// Errors: [`Kind::Unprocessable`] for an end in the past and codes that are not known,
/// [`Kind::Busy`] where too many wait.
pub fn invite(
    app: &App,
    caller: &Caller,
    patient: &Id,
    relationship: &str,
    limits: Limits,
) -> Result<String> {
    list::may_appoint(app, caller, patient)?;
    list::check(&limits, relationship)?;
    let by = match (&caller.user.acting, crate::authorise::role(caller)?) {
        (None, policy::Role::Patient) => format!("Patient/{patient}"),
        (Some(acting), _) => {
            // Nobody hands on more than they have, and the right to invite not at all.
            if limits.rights != Rights::default() {
                let message = "you can invite others to see the record, and to nothing else";
                return Err(Error::new(Kind::Forbidden, message).by_rule("not-entrusted"));
            }
            format!("RelatedPerson/{}", acting.related)
        }
        _ => {
            return Err(Error::new(
                Kind::Forbidden,
                "patients invite; officers record on evidence",
            ));
        }
    };
    let now = app.now_ms();
    if limits.until_ms.is_some_and(|until_ms| until_ms <= now) {
        return Err(Error::new(Kind::Unprocessable, "choose an end that lies in the future"));
    }
    let limits = within(app, caller, limits)?;
    let waiting = swept(app, now)?;
    let of_patient = waiting.iter().filter(|one| one.patient == patient.as_str()).count();
    if waiting.len() >= MAX_WAITING || of_patient >= MAX_OF_PATIENT {
        return Err(Error::new(Kind::Busy, "too many invitations wait; let some be used first"));
    }
    let invitation = Invitation {
        patient: patient.to_string(),
        relationship: relationship.to_owned(),
        labels: limits.labels,
        kinds: limits.kinds,
        consents: limits.rights.consents,
        invites: limits.rights.invites,
        until_ms: limits.until_ms,
        by,
        expires_ms: now + WAITS_MS,
    };
    let code = new_code(app);
    let side = vec![SideWrite {
        space: SPACE,
        key: place(&code),
        value: Some(serde_json::to_vec(&invitation).unwrap_or_default()),
    }];
    let event = Event::by(caller, Pattern::Delegate).note("somebody was invited to act");
    let writes = vec![event.patients([patient.clone()]).write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(code)
}

/// What whoever acts keeps from others is what is kept from them.
fn within(app: &App, caller: &Caller, limits: Limits) -> Result<Limits> {
    let Some(acting) = &caller.user.acting else { return Ok(limits) };
    let own = stand::arrangement(&*app.store().snapshot()?, &acting.related)?;
    let own = own.ok_or_else(Error::not_found)?.limits;
    let joined = |mine: Vec<String>, theirs: Vec<String>| {
        let mut all: Vec<String> = mine.into_iter().chain(theirs).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let until_ms = own.until_ms.into_iter().chain(limits.until_ms).min();
    Ok(Limits {
        labels: joined(own.labels, limits.labels),
        kinds: joined(own.kinds, limits.kinds),
        until_ms,
        ..limits
    })
}

/// Accepts the invitation of a code, for the account that is signed in. Returns the id of the
/// RelatedPerson, as whom it may act from now on.
///
/// Errors: [`Kind::NotFound`] for a code that is not known, was used or has run out;
/// [`Kind::Unprocessable`] for an account that cannot act for this patient.
pub fn accept(app: &App, caller: &Caller, code: &str) -> Result<Id> {
    super::refuse(caller, "accepting an invitation")?;
    if caller.granted.is_some() {
        return Err(Error::new(Kind::Forbidden, "people accept invitations, apps do not"));
    }
    let gone = || Error::new(Kind::NotFound, "this code is not known, was used or has run out");
    let code = spelled(code).ok_or_else(gone)?;
    let key = place(&code);
    let snapshot = app.store().snapshot()?;
    let bytes = snapshot.side(SPACE, &key)?.ok_or_else(gone)?;
    let invitation: Invitation =
        serde_json::from_slice(&bytes).map_err(|_| Error::internal("an invitation is faulty"))?;
    let now = app.now_ms();
    let over = invitation.until_ms.is_some_and(|until_ms| until_ms <= now);
    if invitation.expires_ms <= now || over || !by_stands(app, &invitation)? {
        return Err(gone());
    }
    let patient = Id::new(&invitation.patient).map_err(|_| gone())?;
    let record = Key { resource_type: "Patient", id: patient.clone() };
    stand::live(&*snapshot, &record)?.ok_or_else(gone)?;
    let account = app.identity().accounts().get(&caller.user.id);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    let account = account.filter(|account| appoint::can_act(account, &patient));
    let account = account.ok_or_else(|| {
        Error::new(Kind::Unprocessable, "this account cannot act for the patient of the code")
    })?;
    let arrangement = Arrangement {
        id: write::new_id(app)?,
        patient,
        account: account.id,
        name: account.display_name,
        relationship: invitation.relationship,
        basis: Basis::Invited,
        evidence: String::new(),
        since_ms: now,
        limits: Limits {
            labels: invitation.labels,
            kinds: invitation.kinds,
            released: Vec::new(),
            rights: Rights { consents: invitation.consents, invites: invitation.invites },
            until_ms: invitation.until_ms,
        },
        by: invitation.by,
        active: true,
    };
    appoint::once(&list::all(&*snapshot, &arrangement.patient)?, &arrangement)?;
    drop(snapshot);
    let guard = Guard::Side { space: SPACE, key: key.clone(), value: Some(bytes) };
    let side = SideWrite { space: SPACE, key, value: None };
    let event = Event::by(caller, Pattern::Delegate).note("an invitation to act was accepted");
    write::commit(app, &arrangement, event, (vec![guard], vec![side]))?;
    Ok(arrangement.id)
}

/// Whether whoever invited could still do so: the patient always, others while they act.
fn by_stands(app: &App, invitation: &Invitation) -> Result<bool> {
    let Some(related) = invitation.by.strip_prefix("RelatedPerson/") else { return Ok(true) };
    let Ok(id) = Id::new(related) else { return Ok(false) };
    let found = stand::arrangement(&*app.store().snapshot()?, &id)?;
    let Some(found) = found else { return Ok(false) };
    let acting = stand::acting(app, &found.account, related)?;
    Ok(acting.is_some_and(|acting| acting.rights.invites))
}

/// The invitations that wait, after what has run out was removed.
fn swept(app: &App, now: i64) -> Result<Vec<Invitation>> {
    let (mut waiting, mut side) = (Vec::new(), Vec::new());
    for (key, bytes) in app.store().snapshot()?.side_scan(SPACE, b"", MAX_WAITING)? {
        match serde_json::from_slice::<Invitation>(&bytes) {
            Ok(one) if one.expires_ms > now => waiting.push(one),
            _ => side.push(SideWrite { space: SPACE, key, value: None }),
        }
    }
    if !side.is_empty() {
        app.store().commit(Transaction { side, ..Transaction::default() })?;
    }
    Ok(waiting)
}

fn new_code(app: &App) -> String {
    let secret = app.new_secret();
    let letters = secret.iter().take(CODE_LETTERS);
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'A');
    letters.map(|byte| char::from(letter(byte))).collect()
}

/// A code in its one spelling: capitals without spaces and dashes.
fn spelled(code: &str) -> Option<String> {
    let kept = code.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let code: String = kept.map(|c| c.to_ascii_uppercase()).take(CODE_LETTERS + 1).collect();
    let known = code.len() == CODE_LETTERS && code.bytes().all(|b| ALPHABET.contains(&b));
    known.then_some(code)
}

fn place(code: &str) -> Vec<u8> {
    crypto::hash::sha256(code.as_bytes()).to_vec()
}

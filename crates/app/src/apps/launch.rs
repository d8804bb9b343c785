//! EHR launch: somebody opens an app from a patient's record, and the app comes back with a token
//! that stands for this person and this patient.

use fhir::Id;
use oauth::{Client, Scope, Token};
use store::{Key, Transaction};

use super::fhir_base;
use super::record::{Held, client, put_token};
use super::register::all;
use crate::{App, Caller, Error, Result};

/// How long an app may take to come back, in milliseconds.
const LAUNCH_MS: i64 = 5 * 60 * 1000;

/// The apps that can be opened from a record.
pub fn offered(app: &App, caller: &Caller, patient: &Id) -> Result<Vec<Client>> {
    see(app, caller, patient)?;
    Ok(all(app)?.into_iter().filter(|client| client.launch.is_some()).collect())
}

/// Opens an app for a patient, within `encounter` where one is named. Returns the address to which the browser goes: the app's own, with
/// `iss` and `launch` (SMART App Launch 2.2, launch app: EHR launch).
///
/// Errors: [`crate::Kind::NotFound`] for a patient or an encounter that the caller may not see, for
/// an encounter of somebody else, and for an app that cannot be opened.
pub fn open(
    app: &App,
    caller: &Caller,
    patient: &Id,
    encounter: Option<&Id>,
    id: &str,
) -> Result<String> {
    see(app, caller, patient)?;
    if let Some(encounter) = encounter {
        let key = Key { resource_type: "Encounter", id: encounter.clone() };
        let stored = crate::records::read::read(app, caller, &key, None)?;
        if !crate::records::patients_of(&crate::records::parse(&stored)?).contains(patient) {
            return Err(Error::not_found());
        }
    }
    let client = client(app, id)?.ok_or_else(Error::not_found)?;
    let address = client.launch.clone().ok_or_else(Error::not_found)?;
    if !client.allowed().has(&Scope::Launch) {
        return Err(Error::not_found());
    }
    let token = Token::new(oauth::Kind::Launch, &app.new_token());
    let held = Held::Launch {
        client: client.id,
        account: caller.user.id.clone(),
        patient: patient.to_string(),
        expires_ms: app.now_ms() + LAUNCH_MS,
        encounter: encounter.map(ToString::to_string),
    };
    let side = vec![put_token(&token, &held)];
    app.store().commit(Transaction { side, ..Transaction::default() })?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("iss", &fhir_base(app)).append_pair("launch", token.reveal());
    let joint = if address.contains('?') { '&' } else { '?' };
    Ok(format!("{address}{joint}{}", query.finish()))
}

/// Refuses whoever may not see the patient; the look is recorded.
fn see(app: &App, caller: &Caller, patient: &Id) -> Result<()> {
    crate::authorise::by_a_person(app, caller, policy::Action::Read)?;
    let key = Key { resource_type: "Patient", id: patient.clone() };
    crate::records::read::read(app, caller, &key, None).map(|_| ())
}

//! The patient restricts what one who acts for them sees and does, or ends it. It holds at once.

use fhir::Id;

use super::arrangement::{Arrangement, Limits};
use super::{Basis, list, stand, write};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::role;
use crate::{App, Caller, Error, Kind, Result};

/// Puts `limits` in the place of those that held. For the patient; somebody who was appointed on
/// evidence because the patient cannot decide is limited by the privacy officer alone.
///
/// Errors: [`Kind::NotFound`], [`Kind::Forbidden`], and [`Kind::Unprocessable`] for codes that are not
/// known.
pub fn limit(app: &App, caller: &Caller, patient: &Id, id: &Id, limits: Limits) -> Result<()> {
    let found = changeable(app, caller, patient, id)?;
    list::check(&limits, &found.relationship)?;
    if !limits.released.is_empty() && role(caller)? != policy::Role::Patient {
        return Err(Error::new(Kind::Forbidden, "only the patient permits what age keeps back"));
    }
    let changed = Arrangement { limits, ..found };
    commit(app, caller, changed, "limits of a proxy were changed")
}

/// Ends it. Sessions, apps and whatever else acts by it end with it.
///
/// Errors: [`Kind::NotFound`], [`Kind::Forbidden`].
pub fn end(app: &App, caller: &Caller, patient: &Id, id: &Id) -> Result<()> {
    let found = changeable(app, caller, patient, id)?;
    let ended = Arrangement { active: false, ..found };
    commit(app, caller, ended, "a proxy was ended")
}

fn changeable(app: &App, caller: &Caller, patient: &Id, id: &Id) -> Result<Arrangement> {
    list::may_appoint(app, caller, patient)?;
    super::refuse(caller, "what is left to those who act for a patient")?;
    let found = stand::arrangement(&*app.store().snapshot()?, id)?;
    let found = found.filter(|one| one.patient == *patient && one.active);
    let found = found.ok_or_else(Error::not_found)?;
    // Whom a court or the law has set over somebody is not ended by them, but for an adolescent's
    // limits; whom they chose themselves always is.
    let by_patient = role(caller)? == policy::Role::Patient;
    if by_patient && found.basis == Basis::Court {
        let message = "a court has appointed this person; ask the privacy officer";
        return Err(Error::new(Kind::Forbidden, message).by_rule("appointed-by-court"));
    }
    Ok(found)
}

fn commit(app: &App, caller: &Caller, arrangement: Arrangement, note: &str) -> Result<()> {
    let by = match role(caller)? {
        policy::Role::Patient => format!("Patient/{}", arrangement.patient),
        _ => format!("Organization/{}", app.org().id),
    };
    let event = Event::by(caller, Pattern::Delegate).note(note);
    write::commit(app, &Arrangement { by, ..arrangement }, event, (Vec::new(), Vec::new()))
}

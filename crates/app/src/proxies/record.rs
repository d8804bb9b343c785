//! What this institution holds on a patient, for whoever acts for them. Other institutions are not
//! asked: they cannot know what is kept from the proxy here.

use fhir::Resource;
use record::Source;

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::records::{holdings, in_scope};
use crate::{App, Caller, Error, Result};

/// The record as far as it is left to the caller; recorded with the kinds that were seen.
///
/// Errors: [`crate::Kind::Forbidden`] where the caller acts for nobody.
pub fn here(app: &App, caller: &Caller) -> Result<(Source, Vec<Resource>)> {
    let permit = authorise(app, caller, Action::reading("*"))?;
    let acting = caller.user.acting.as_ref().ok_or_else(Error::not_found)?;
    let mut resources = holdings::record(&*app.store().snapshot()?, &acting.patient)?;
    resources.retain(|resource| in_scope(resource, permit.scope()));
    app.audit(Event::by(caller, Pattern::Query).query("Patient/$everything").seen(&resources))?;
    let source = Source {
        org: app.org().id.clone(),
        name: app.org().name.clone(),
        base_url: app.org().base_url.clone(),
        patients: Vec::new(),
    };
    Ok((source, resources))
}

//! Recording where a released answer was published.

use store::Transaction;
use wire::research::MAX_PUBLICATIONS;
pub use wire::research::Publication;

use super::outcome;
use super::output::{Output, State, keep, read};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, projects};

/// Records a publication. For the researchers of the project, once the answer is released.
///
/// Errors: [`Kind::NotFound`], [`Kind::Forbidden`] for others, [`Kind::Conflict`] before the release,
/// [`Kind::Invalid`].
pub fn publish(
    app: &App,
    caller: &Caller,
    question: &str,
    publication: Publication,
) -> Result<Output> {
    authorise(app, caller, Action::of(policy::Action::Research))?;
    if !publication.is_sound() {
        let message = "a publication has a title and an address that begins with https://, of at most 500 characters each";
        return Err(Error::invalid("value", message));
    }
    let snapshot = app.store().snapshot()?;
    let mut output = read(&*snapshot, question)?;
    let known = projects::known(&*snapshot, &output.project)?;
    if !known.project.researchers.iter().any(|one| one.account == caller.user.id) {
        let message = "publications are recorded by the researchers of the project";
        return Err(Error::new(Kind::Forbidden, message));
    }
    let conflict = |message: &'static str| Err(Error::new(Kind::Conflict, message));
    if !matches!(output.state, State::Released { .. }) {
        return conflict("this answer is not released");
    }
    if output.publications.len() >= MAX_PUBLICATIONS || output.publications.contains(&publication) {
        return conflict("this publication is recorded, or there are too many");
    }
    output.publications.push(publication);
    let event = Event::by(caller, Pattern::Configure)
        .request_id(question)
        .data(format!("ResearchStudy/{}", known.id))
        .note("records a publication of a research question's answer");
    let mut side = vec![keep(&output)?];
    side.extend(outcome::put(app, &output)?);
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { side, writes, ..Transaction::default() })?;
    app.rounds().nudge();
    Ok(output)
}

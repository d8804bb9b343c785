//! Recording where a released answer was published.

use serde::{Deserialize, Serialize};
use store::Transaction;

use super::output::{Output, State, keep, read};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, projects};

/// Most publications of one answer.
const MOST: usize = 100;

/// A publication that rests on a released answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Its title, at most 500 characters.
    pub title: String,
    /// Where it is: `https://…`, a DOI's address for instance, at most 500 characters.
    pub address: String,
}

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
    let words = |text: &str| !text.trim().is_empty() && text.chars().count() <= 500;
    if !words(&publication.title)
        || !words(&publication.address)
        || !publication.address.starts_with("https://")
        || publication.address.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        let message = "a publication has a title and an address that begins with https://";
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
    if output.publications.len() >= MOST || output.publications.contains(&publication) {
        return conflict("this publication is recorded, or there are too many");
    }
    output.publications.push(publication);
    let event = Event::by(caller, Pattern::Configure)
        .request_id(question)
        .data(format!("ResearchStudy/{}", known.id))
        .note("records a publication of a research question's answer");
    let (side, writes) = (vec![keep(&output)?], vec![event.write(app)?]);
    app.store().commit(Transaction { side, writes, ..Transaction::default() })?;
    Ok(output)
}

//! Applying for a project.

use wire::research::{MAX_PROGRAMS, Privacy, Project, ReleaseRule, Researcher};
use wire::{OrgId, Sealed};

use super::{known, take_project};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, programs};

/// The kind of analysis that is a program.
const PROGRAM: &str = "program";

/// What a researcher wants to do.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Id of the project that it amends.
    pub amends: Option<String>,
    /// In one line.
    pub title: String,
    /// What is to be found out and why, in words.
    pub purpose: String,
    /// Others at this institution who may ask, beside whoever applies.
    pub researchers: Vec<Researcher>,
    /// The institutions whose data are asked.
    pub holders: Vec<OrgId>,
    /// The two that add up what holders give.
    pub aggregators: [OrgId; 2],
    /// The data set, by its name.
    pub dataset: String,
    /// Kinds of analysis, in the words of questions.
    pub analyses: Vec<String>,
    /// Programs that may be asked, where `program` is among the kinds.
    pub programs: Vec<programs::Draft>,
    /// Fewest holders in any sum.
    pub min_sites: u32,
    /// Fewest rows behind any answer.
    pub min_rows: u32,
    /// Which answers leave without anybody having looked at them.
    pub release: ReleaseRule,
    /// What all its questions together may cost of a data set, where they are answered with noise.
    pub privacy: Option<Privacy>,
    /// For how many days from now, 1 to 1,830.
    pub days: u32,
}

/// Applies for a project and returns its id. For researchers with a second factor of the last five
/// minutes; their node signs the application, and the parties find it when they next ask.
///
/// Errors: [`Kind::Invalid`] where it is not within bounds, or names somebody who is no member; for an
/// amendment [`Kind::NotFound`] and [`Kind::Forbidden`] where it is not of an own project,
/// [`Kind::Conflict`] where that has ended.
pub fn apply(app: &App, caller: &Caller, draft: Draft) -> Result<String> {
    authorise(app, caller, Action::of(policy::Action::Research))?;
    let invalid = |message: String| Error::invalid("value", message);
    if !(1..=1_830).contains(&draft.days) {
        return Err(invalid("a project lasts 1 to 1,830 days".to_owned()));
    }
    if let Some(id) = &draft.amends {
        check_amendable(app, caller, id)?;
    }
    let list = app.network().list();
    for org in draft.holders.iter().chain(&draft.aggregators) {
        if list.member(org).is_none() {
            return Err(invalid(format!("`{org}` is no member of the network")));
        }
    }
    if !draft.privacy.is_none_or(Privacy::is_sound) {
        return Err(invalid("the `epsilon` of a project is from 0.1 to 100".to_owned()));
    }
    if draft.programs.len() > MAX_PROGRAMS {
        return Err(invalid(format!("a project names at most {MAX_PROGRAMS} programs")));
    }
    if draft.programs.is_empty() == draft.analyses.iter().any(|kind| kind == PROGRAM) {
        return Err(invalid(
            "name programs, and `program` among the analyses, or neither".to_owned(),
        ));
    }
    let named = draft.programs.into_iter().map(|program| programs::name(app, program));
    let named = named.collect::<Result<Vec<_>>>()?;
    let own = Researcher { account: caller.user.id.clone(), name: caller.user.name.clone() };
    let made = app.now_ms();
    let project = Project {
        version: 1,
        network: list.network.clone(),
        amends: draft.amends,
        coordinator: app.network().own().clone(),
        title: draft.title,
        purpose: draft.purpose,
        researchers: [vec![own], draft.researchers].concat(),
        holders: draft.holders,
        aggregators: draft.aggregators.into(),
        dataset: draft.dataset,
        analyses: draft.analyses,
        programs: named,
        min_sites: draft.min_sites,
        min_rows: draft.min_rows,
        release: draft.release,
        privacy: draft.privacy,
        from: made,
        until: made + i64::from(draft.days) * 24 * 60 * 60 * 1000,
        made,
    };
    let key = &app.peers().identity().assertion_key;
    let sealed = Sealed::seal(&project, key).map_err(|e| invalid(e.to_string()))?;
    let event = Event::by(caller, Pattern::Configure).note("applies for a research project");
    take_project(app, &sealed, Some(event))?;
    Ok(sealed.id())
}

/// An own project that goes on can be amended by whoever is named in it.
fn check_amendable(app: &App, caller: &Caller, id: &str) -> Result<()> {
    let known = known(&*app.store().snapshot()?, id)?;
    let is_named = known.project.researchers.iter().any(|one| one.account == caller.user.id);
    if known.project.coordinator != *app.network().own() || !is_named {
        return Err(Error::new(Kind::Forbidden, "the project is somebody else's"));
    }
    match known.ended.is_some() || known.project.until <= app.now_ms() {
        true => Err(Error::new(Kind::Conflict, "the project has ended; apply for a new one")),
        false => Ok(()),
    }
}

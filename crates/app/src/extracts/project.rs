//! Whether a project lets records of single people be extracted for it, here and now.

use crate::projects::{self, council};
use crate::{App, Kind, Result};

/// What stands among the analyses of a project that asks for extracts. No question is of this kind.
const ANALYSIS: &str = "extract";

/// A rule that stands against an extract, and what it says in words.
pub(super) type Against = (&'static str, String);

/// What stands against extracts for a project. It must ask this institution's data and ask for extracts of
/// them; the institution must approve it still, and so must its patient council where that is asked.
pub(super) fn against(app: &App, id: &str) -> Result<Option<Against>> {
    let is = |rule, why: &str| Ok(Some((rule, why.to_owned())));
    let snapshot = app.store().snapshot()?;
    let known = match projects::known(&*snapshot, id) {
        Ok(known) => known,
        Err(error) if error.kind == Kind::NotFound => {
            return is("project-not-approved", "there is no such project here");
        }
        Err(error) => return Err(error),
    };
    let own = app.network().own();
    if !known.project.holders.contains(own) {
        return is("project-no-holder", "the project does not ask this institution's data");
    }
    if !known.project.analyses.iter().any(|kind| kind == ANALYSIS) {
        return is("project-no-extract", "the project has no `extract` among its analyses");
    }
    if let Some(ended) = &known.ended {
        return is("project-not-approved", ended.reason());
    }
    if !known.is_approved_by(own, app.now_ms()) {
        let why = "this institution has not approved the project, or its time is over";
        return is("project-not-approved", why);
    }
    let stand = council::stands(app, &*snapshot, &known)?;
    Ok(stand.against().map(|why| ("patient-council", why)))
}

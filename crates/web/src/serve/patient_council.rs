//! The pages of the patient council: which projects ask this institution's data, one of them, and a
//! member's word about it.

use app::projects::council::{self, Say, Seen, Stand};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use wire::OrgId;
use wire::research::{CouncilWord as Told, ReleaseRule};

use super::amend;
use super::patient::name_of;
use super::research::project::program_row;
use super::research::{said, state};
use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::{Notice, Role};
use crate::fault::Fault;
use crate::form::Field;
use crate::paths::CouncilProject;
use crate::research::apply::EXTRACT;
use crate::research::council::{
    self as pages, ApplicationView, CouncilRow, CouncilShown, CouncilView, WordForm,
};

const MEMBERS: &[Role] = &[Role::Representative];

/// `GET /patient-council`
pub async fn list(visit: Visit) -> Response {
    let made = try_list(&visit).await;
    visit.finish(made)
}

async fn try_list(visit: &Visit) -> Made {
    let caller = visit.caller(visit.require(MEMBERS)?);
    let found = visit.app().run(move |app| council::list(app, &caller)).await?;
    let app = visit.app();
    let row = |seen: &Seen| CouncilRow {
        id: seen.known.id.clone(),
        title: seen.known.project.title.clone(),
        by: name_of(app, seen.known.project.coordinator.as_str()),
        state: state(&seen.known, app.now_ms()),
        said: own(seen),
        until_ms: seen.known.project.until,
    };
    let needed = app.settings().patient_council.into();
    let view = CouncilView { needed, projects: found.iter().map(row).collect() };
    page(pages::render_list(&view, &visit.chrome)?)
}

/// `GET /patient-council/{id}`
pub async fn one(visit: Visit, Path(id): Path<String>) -> Response {
    let made = shown(&visit, &id, None, Field::default()).await;
    visit.finish(made)
}

async fn shown(visit: &Visit, id: &str, fault: Option<String>, conditions: Field) -> Made {
    let caller = visit.caller(visit.require(MEMBERS)?);
    let wanted = id.to_owned();
    let seen = visit.app().run(move |app| council::one(app, &caller, &wanted)).await?;
    let app = visit.app();
    let now = app.now_ms();
    let project = &seen.known.project;
    let name = |org: &OrgId| name_of(app, org.as_str());
    let (extracts, analyses): (Vec<String>, Vec<String>) =
        project.analyses.iter().cloned().partition(|kind| kind == EXTRACT);
    let typed = match (&seen.own, &fault, conditions.is_sound()) {
        (Some(word), None, true) => Field::new(word.conditions.clone()),
        _ => conditions,
    };
    let (earlier, w) = (seen.earlier.as_ref(), visit.chrome.words());
    let changes = earlier.map(|earlier| amend::changes(app, &w, &seen.known, earlier));
    let view = ApplicationView {
        id: id.to_owned(),
        title: project.title.clone(),
        purpose: project.purpose.clone(),
        by: name(&project.coordinator),
        researchers: project.researchers.iter().map(|one| one.name.clone()).collect(),
        holders: project.holders.iter().map(name).collect(),
        aggregators: project.aggregators.iter().map(name).collect(),
        dataset: project.dataset.clone(),
        analyses,
        extracts: !extracts.is_empty(),
        programs: project.programs.iter().map(program_row).collect(),
        least: (project.min_sites.into(), project.min_rows.into()),
        term: (project.from, project.until),
        checked: project.release == ReleaseRule::Checked,
        privacy: project.privacy.map(|of| of.micro_epsilon),
        amends: seen.earlier.as_ref().map(|one| (one.id.clone(), one.project.title.clone())),
        changes: changes.unwrap_or_default(),
        state: state(&seen.known, now),
        council: standing(&seen.stand),
        said: own(&seen),
        may_speak: project.until > now && seen.known.ended.is_none(),
        fault,
        conditions: typed,
    };
    page(pages::render(&view, &visit.chrome)?)
}

/// `POST /patient-council/{id}/word`
pub async fn say(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<WordForm>, FormRejection>,
) -> Response {
    let made = try_say(&visit, id, form).await;
    visit.finish(made)
}

async fn try_say(visit: &Visit, id: String, form: Result<Form<WordForm>, FormRejection>) -> Made {
    let user = visit.require(MEMBERS)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let (word, conditions) = match form.say.as_str() {
        "agree" => (Say::Agree, Field::optional(&form.conditions, council::MAX_CONDITION)),
        "object" => (Say::Object, Field::required(&form.conditions, council::MAX_CONDITION)),
        _ => return Err(Stop::Fault(Fault::BadRequest)),
    };
    if !conditions.is_sound() {
        return shown(visit, &id, None, conditions).await;
    }
    let (caller, project, text) = (visit.caller(user), id.clone(), conditions.value.clone());
    let work = move |app: &app::App| council::give(app, &caller, &project, word, &text);
    match visit.app().run(work).await {
        Ok(()) => done(CouncilProject(&id), Notice::CouncilSaid),
        Err(error) => {
            let fault = Some(said(error)?);
            shown(visit, &id, fault, conditions).await
        }
    }
}

/// What the reader has said, as a key.
fn own(seen: &Seen) -> &'static str {
    match seen.own.as_ref().map(|word| word.say) {
        Some(Say::Agree) => "council-agreed",
        Some(Say::Object) => "council-objected",
        None => "council-silent",
    }
}

/// How a council stands, as it is known here: every word whole.
pub(super) fn standing(stand: &Stand) -> CouncilShown {
    CouncilShown {
        needed: stand.needed.into(),
        agree: stand.count(Say::Agree).into(),
        object: stand.count(Say::Object).into(),
        conditions: stand.conditions().into_iter().map(str::to_owned).collect(),
    }
}

/// How a council stood, as a decision tells of it.
pub(super) fn told(told: &Told) -> CouncilShown {
    CouncilShown {
        needed: told.needed.into(),
        agree: told.agree.into(),
        object: told.object.into(),
        conditions: told.conditions.clone(),
    }
}

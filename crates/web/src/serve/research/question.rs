//! One question: its page with the answer, who decides whether that leaves, and where it was published.

use app::release::{self, Publication, State};
use app::rounds::ask::{self, End};
use app::rounds::asked;
use app::{App, Error, projects};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use privacy::disclosure;

use super::{READERS, RESEARCHER, STEWARD, listed, said, worded};
use crate::chrome::Notice;
use crate::fault::Fault;
use crate::form::Field;
use crate::paths::Question;
use crate::research::QuestionState;
use crate::research::found::Found;
use crate::research::question::{self, PublishForm, QuestionView, ReleaseForm};
use crate::serve::patient::name_of;
use crate::serve::session::{Made, Stop, Visit, done, page};

/// `GET /questions/{id}`
pub async fn question(visit: Visit, Path(id): Path<String>) -> Response {
    let made = shown_question(&visit, &id, Answered::default()).await;
    visit.finish(made)
}

/// What was typed into the forms of a question's page, and what went wrong.
#[derive(Default)]
struct Answered {
    fault: Option<String>,
    reason: Field,
    title: Field,
    address: Field,
}

async fn shown_question(visit: &Visit, id: &str, typed: Answered) -> Made {
    let user = visit.require(READERS)?;
    let caller = visit.caller(user);
    let decides = visit.require(STEWARD).is_ok();
    if decides {
        visit.require_fresh_factor(user)?;
    }
    let wanted = id.to_owned();
    let found = visit.app().run(move |app| {
        let asked = asked::asked(app, &caller, &wanted)?;
        let all = projects::list(app, &caller)?;
        let known = all.into_iter().find(|known| known.id == asked.project);
        let known = known.ok_or_else(Error::not_found)?;
        let is_named = known.project.researchers.iter().any(|one| one.account == caller.user.id);
        let standing = is_named.then(|| ask::standing(app, &caller, &wanted)).transpose()?;
        let output = match decides {
            true => release::one(app, &caller, &wanted).ok(),
            false => None,
        };
        let outputs = release::mine(app, &caller, &known.id)?;
        let told = outputs.into_iter().find(|output| output.question == wanted);
        Ok((asked, known, standing, output, told))
    });
    let (asked, known, standing, output, told) = found.await?;
    let app = visit.app();
    let w = visit.chrome.words();
    let mut view = QuestionView {
        id: id.to_owned(),
        project: (known.id.clone(), known.project.title.clone()),
        asked: worded(&asked.analysis),
        state: listed(&asked).state,
        rounds: asked.rounds.into(),
        missing: Vec::new(),
        reasons: Vec::new(),
        until_ms: None,
        found: None,
        release: None,
        checked: Vec::new(),
        checks: Vec::new(),
        may_decide: false,
        may_publish: false,
        publications: Vec::new(),
        fault: typed.fault,
        reason: typed.reason,
        title: typed.title,
        address: typed.address,
    };
    if let Some(standing) = &standing {
        let missing = standing.missing.iter();
        view.missing =
            missing.map(|(org, why)| (name_of(app, org.as_str()), why.clone())).collect();
        match &standing.end {
            Some(End::Answered(answer)) => view.found = Some(Found::of(answer, &w)),
            Some(End::Failed(reason) | End::Withheld(reason)) => view.reasons.push(reason.clone()),
            Some(End::Checking(reasons)) => view.reasons.clone_from(reasons),
            Some(End::KeptBack(until)) => view.until_ms = Some(*until),
            None => {}
        }
    }
    if let Some(told) = &told {
        if let State::Released { id, .. } = &told.state {
            view.release = Some(id.clone());
        }
        let publications = told.publications.iter();
        view.publications =
            publications.map(|one| (one.title.clone(), one.address.clone())).collect();
        view.may_publish = standing.is_some() && view.state == QuestionState::Answered;
        let check = |check: &release::Check| {
            (check.name.clone(), check.release, check.reason.clone(), check.at_ms)
        };
        view.checks = told.checks.iter().map(check).collect();
    }
    if let Some((output, answer)) = &output {
        view.found = Some(Found::of(answer, &w));
        view.reasons.clone_from(&output.reasons);
        view.checked = output.findings.iter().map(found_by_rules).collect();
        let me = visit.user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        view.may_decide =
            output.state == State::Waits && !output.checks.iter().any(|check| check.account == me);
    }
    page(question::render(&view, &visit.chrome)?)
}

/// The verdicts on a part of an answer with its noise, and the people behind the smallest number in it.
fn found_by_rules(part: &disclosure::Checked) -> (Vec<String>, Option<u64>) {
    let reasons = part.verdicts.iter().map(disclosure::Verdict::reason);
    (reasons.chain(part.evidence.noise.clone()).collect(), part.evidence.smallest)
}

/// `POST /questions/{id}/decision`
pub async fn decide_answer(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<ReleaseForm>, FormRejection>,
) -> Response {
    let made = try_decide_answer(&visit, id, form).await;
    visit.finish(made)
}

async fn try_decide_answer(
    visit: &Visit,
    id: String,
    form: Result<Form<ReleaseForm>, FormRejection>,
) -> Made {
    let user = visit.require(STEWARD)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let choice = match form.choice.as_str() {
        "release" => release::Choice::Release,
        "withhold" => release::Choice::Withhold,
        _ => return Err(Stop::Fault(Fault::BadRequest)),
    };
    let reason = Field::required(&form.reason, 2_000);
    if !reason.is_sound() {
        return shown_question(visit, &id, Answered { reason, ..Answered::default() }).await;
    }
    let (caller, question, said_why) = (visit.caller(user), id.clone(), reason.value.clone());
    let work = move |app: &App| release::decide(app, &caller, &question, choice, &said_why);
    match visit.app().run(work).await {
        Ok(_) => done(Question(&id), Notice::AnswerDecided),
        Err(error) => {
            let fault = Some(said(error)?);
            shown_question(visit, &id, Answered { fault, reason, ..Answered::default() }).await
        }
    }
}

/// `POST /questions/{id}/publications`
pub async fn publish(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<PublishForm>, FormRejection>,
) -> Response {
    let made = try_publish(&visit, id, form).await;
    visit.finish(made)
}

async fn try_publish(
    visit: &Visit,
    id: String,
    form: Result<Form<PublishForm>, FormRejection>,
) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let title = Field::required(&form.title, 500);
    let address = Field::required(&form.address, 500);
    let typed = |fault| Answered {
        fault,
        title: title.clone(),
        address: address.clone(),
        ..Answered::default()
    };
    if !title.is_sound() || !address.is_sound() {
        return shown_question(visit, &id, typed(None)).await;
    }
    let publication = Publication {
        title: title.value.trim().to_owned(),
        address: address.value.trim().to_owned(),
    };
    let (caller, question) = (visit.caller(user), id.clone());
    let work = move |app: &App| release::publish(app, &caller, &question, publication);
    match visit.app().run(work).await {
        Ok(_) => done(Question(&id), Notice::PublicationRecorded),
        Err(error) => shown_question(visit, &id, typed(Some(said(error)?))).await,
    }
}

//! Cohorts: criteria by a form without scripts, which carries them along, and their numbers.

use app::cohorts::{self, Answer, Asked, Plan, Reach, Row, Shown, Status};
use app::{Error, Kind};
use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::response::Response;
use population::criteria::Cohort;
use population::distinct;

use super::session::{Made, Stop, Visit, page};
use crate::chrome::Role;
use crate::form::{Field, FieldFault};
use crate::research::cohort::{
    self, AnswerView, CohortForm, CohortView, CriterionFields, DistinctView, InstitutionRow, Label,
    PlanView,
};
use crate::research::criterion::{self, word_of};
use crate::research::ruled::with_rule;
use crate::research::said;
use crate::words::Words;

const RESEARCHER: &[Role] = &[Role::Researcher];
/// Millionths.
const MICRO: f64 = 1e6;

/// `GET /cohorts`
pub async fn home(visit: Visit) -> Response {
    let view = CohortView { network: true, epsilon: Field::new("1"), ..CohortView::default() };
    let made = shown(&visit, view, &nobody()).await;
    visit.finish(made)
}

fn nobody() -> Cohort {
    Cohort { index: None, named: Vec::new(), steps: Vec::new() }
}

/// `POST /cohorts`
pub async fn act(visit: Visit, form: Result<Form<CohortForm>, FormRejection>) -> Response {
    let made = try_act(&visit, form).await;
    visit.finish(made)
}

async fn try_act(visit: &Visit, form: Result<Form<CohortForm>, FormRejection>) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    let mut cohort = match form.cohort.as_str() {
        "" => nobody(),
        text => match serde_json::from_str::<Cohort>(text) {
            Ok(cohort) => cohort,
            Err(_) => return Err(Stop::Fault(crate::fault::Fault::BadRequest)),
        },
    };
    let mut view = CohortView {
        network: form.scope != "own",
        epsilon: Field::optional(&form.epsilon, 10),
        new: CriterionFields::default(),
        ..CohortView::default()
    };
    if view.epsilon.value.is_empty() {
        view.epsilon.value = "1".to_owned();
    }
    match form.act.as_str() {
        "add" => match criterion::add(cohort.clone(), &form) {
            Ok(more) => match more.check() {
                Ok(()) => cohort = more,
                Err(fault) => {
                    view.fault = Some(fault.to_string());
                    view.new = CriterionFields::of(&form);
                }
            },
            Err(fields) => view.new = *fields,
        },
        "remove-index" => cohort.index = None,
        "check" | "ask" => {
            let epsilon = view.epsilon.value.replace(',', ".").parse::<f64>();
            let Some(epsilon) = epsilon.ok().filter(|epsilon| (0.1..=1_000.0).contains(epsilon))
            else {
                view.epsilon.fault = Some(FieldFault::NotANumber);
                return shown(visit, view, &cohort).await;
            };
            let reach = if view.network { Reach::Network } else { Reach::Own };
            let micro_epsilon = (epsilon * MICRO).round() as u64;
            let asked = Asked { cohort: cohort.clone(), micro_epsilon, reach };
            let caller = visit.caller(user);
            let outcome = match form.act.as_str() {
                "ask" => cohorts::ask(visit.app(), caller, asked).await.map(|answer| {
                    view.answer = Some(answer_view(&answer, &cohort, &visit.chrome.words()));
                }),
                _ => {
                    let plan =
                        visit.app().run(move |app| cohorts::plan(app, &caller, &asked)).await;
                    plan.map(|plan| {
                        view.plan = Some(plan_view(&plan, &cohort, &visit.chrome.words()));
                    })
                }
            };
            if let Err(error) = outcome {
                view.fault = Some(told(error)?);
            }
        }
        act => {
            let at = act.strip_prefix("remove-").and_then(|at| at.parse::<usize>().ok());
            match at.filter(|at| *at < cohort.steps.len()) {
                Some(at) => drop(cohort.steps.remove(at)),
                None => return Err(Stop::Fault(crate::fault::Fault::BadRequest)),
            }
        }
    }
    shown(visit, view, &cohort).await
}

/// What went wrong in words, where the reader can do something about it.
fn told(error: Error) -> Result<String, Stop> {
    let is_budget = error.kind == Kind::Forbidden && error.rule.as_deref() == Some("budget");
    match error.kind {
        Kind::Invalid(_) | Kind::Busy | Kind::TooCostly => Ok(error.message),
        _ if is_budget => Ok(with_rule(error.rule.as_deref(), error.message)),
        _ => Err(error.into()),
    }
}

async fn shown(visit: &Visit, mut view: CohortView, cohort: &Cohort) -> Made {
    let caller = visit.caller(visit.require(RESEARCHER)?);
    let by = caller.clone();
    let left = visit.app().run(move |app| cohorts::standing(app, &by)).await?;
    view.budget = (left.left as f64 / MICRO, left.of as f64 / MICRO, left.until_ms);
    let choices = cohorts::choices(visit.app(), caller).await?;
    let w = visit.chrome.words();
    view.choices = choices
        .into_iter()
        .map(|one| {
            let code = one.code.split_once('|').map_or(one.code.as_str(), |(_, code)| code);
            let shown = format!("{}: {} ({code})", w.say(said::kind(one.kind)), one.called);
            (format!("{} {}", word_of(one.kind), one.code), shown)
        })
        .collect();
    view.index = cohort.index.as_ref().map(|index| said::entry(index, &w));
    view.steps = cohort.steps.iter().map(|step| said::step(step, &w)).collect();
    let text = serde_json::to_string(cohort);
    view.cohort = text.map_err(|e| Error::internal(e.to_string()))?;
    page(cohort::render(&view, &visit.chrome)?)
}

fn label(row: &Row, cohort: &Cohort, w: &Words<'_>) -> Label {
    match row {
        Row::Everybody => Label::Key("cohort-everybody"),
        Row::Entered => Label::Key("cohort-entered"),
        Row::Step(label) => {
            let step = cohort.steps.iter().find(|step| step.label == *label);
            Label::Text(step.map_or_else(|| label.clone(), |step| said::label(step, w)))
        }
    }
}

fn people(shown: Shown) -> Option<u64> {
    match shown {
        Shown::About(people) => Some(people),
        Shown::FewerThan(_) => None,
    }
}

fn plan_view(plan: &Plan, cohort: &Cohort, w: &Words<'_>) -> PlanView {
    PlanView {
        sites: plan.sites as u64,
        epsilon: plan.micro_epsilon as f64 / MICRO,
        lines: plan.lines.iter().map(|(row, error)| (label(row, cohort, w), *error)).collect(),
        distinct_error: plan.distinct_error,
    }
}

fn answer_view(answer: &Answer, cohort: &Cohort, w: &Words<'_>) -> AnswerView {
    let line =
        |line: &cohorts::Line| (label(&line.row, cohort, w), people(line.people), line.error);
    let institution = |one: &cohorts::Institution| {
        let (state, class) = match one.status {
            Status::Answered => ("cohort-answered", "good"),
            Status::Refused => ("cohort-refused", "alert"),
            Status::TimedOut => ("cohort-timed-out", "note"),
            Status::Unreachable => ("cohort-unreachable", "note"),
        };
        InstitutionRow {
            name: one.name.clone(),
            state,
            class,
            reason: one
                .reason
                .clone()
                .map_or_else(String::new, |(code, said)| with_rule(Some(code.as_str()), said)),
            counted_ms: one.counted_ms,
            again: one.again,
            people: one.people.last().map(|shown| people(*shown)),
        }
    };
    AnswerView {
        lines: answer.lines.iter().map(line).collect(),
        distinct: answer.distinct.as_ref().map(|distinct| match distinct {
            distinct::Answer::FewerThan(least) => DistinctView::Few(*least),
            distinct::Answer::About(found) => DistinctView::About {
                people: found.people,
                range: (found.low, found.high),
                sum: found.sum,
            },
        }),
        institutions: answer.institutions.iter().map(institution).collect(),
    }
}

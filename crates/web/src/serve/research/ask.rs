//! Questions in a project: asked, or told what they would cost.

use app::rounds::ask::{self, Plan};
use app::{App, Kind};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use wire::research::Privacy;

use super::project::{Typed, shown};
use super::{RESEARCHER, said};
use crate::form::{Field, FieldFault};
use crate::paths::Question;
use crate::research::micro_epsilon;
use crate::research::project::{AskForm, AskPlan};
use crate::research::ruled::with_rule;
use crate::serve::session::{Made, Visit, see_other};
use crate::serve::typed;

/// `POST /projects/{id}/questions`
pub async fn ask(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<AskForm>, FormRejection>,
) -> Response {
    let made = try_ask(&visit, id, form).await;
    visit.finish(made)
}

async fn try_ask(visit: &Visit, id: String, form: Result<Form<AskForm>, FormRejection>) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let text = Field::required(&form.text, 2_000);
    let mut epsilon = Field::optional(&form.epsilon, 10);
    let micro = micro_epsilon(&epsilon.value);
    if !epsilon.value.is_empty() && micro.is_none() {
        epsilon.fault = Some(FieldFault::NotANumber);
    }
    if !text.is_sound() || !epsilon.is_sound() {
        let asked = (form.kind, text);
        return shown(visit, &id, Typed { asked, epsilon, ..Typed::default() }).await;
    }
    let noise = micro.map(|micro_epsilon| Privacy { micro_epsilon });
    let (caller, project) = (visit.caller(user), id.clone());
    let (kind, written, dry) = (form.kind.clone(), text.value.clone(), form.choice == "dry");
    let work = move |app: &App| {
        let question = typed::question(app, &caller, &project, (&kind, &written))?;
        match dry {
            true => ask::plan(app, &caller, &project, &question, noise).map(Asking::Planned),
            false => ask::ask_with(app, &caller, &project, &question, noise).map(Asking::Asked),
        }
    };
    let typed = match visit.app().run(work).await {
        Ok(Asking::Asked(question)) => return Ok(see_other(&Question(&question).to_string())),
        Ok(Asking::Planned(plan)) => {
            let plan = AskPlan {
                cost: plan.micro_epsilon,
                within: plan.within,
                project: (plan.left, plan.of),
                here: plan.here.map(|here| (here.left, here.of)),
            };
            Typed { plan: Some(plan), ..Typed::default() }
        }
        Err(error) => {
            let fault = match error.kind {
                Kind::Forbidden => Some(with_rule(error.rule.as_deref(), error.message)),
                _ => Some(said(error)?),
            };
            Typed { fault, ..Typed::default() }
        }
    };
    shown(visit, &id, Typed { asked: (form.kind, text), epsilon, ..typed }).await
}

/// What comes of the form of a question.
enum Asking {
    /// It was asked, and has this id.
    Asked(String),
    /// It was told what it would cost.
    Planned(Plan),
}

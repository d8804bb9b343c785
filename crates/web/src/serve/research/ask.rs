//! Questions as they are typed on a project's page: read, asked, or told what they would cost.

use app::rounds::ask::{self, Plan};
use app::{App, Caller, Error, Kind, catalog, projects};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use statistics::{Analysis, Dictionary, Kind as Holds, Question as Query};
use wire::research::{NamedProgram, Privacy};

use super::project::{Typed, shown};
use super::{RESEARCHER, said};
use crate::form::{Field, FieldFault};
use crate::paths::Question;
use crate::research::micro_epsilon;
use crate::research::project::{AskForm, AskPlan};
use crate::serve::session::{Made, Visit, see_other};

/// Most rows of one site that a question from a page allows.
const MOST_ROWS: u32 = 1 << 20;

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
        let question = typed_question(app, &caller, &project, (&kind, &written))?;
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
                Kind::Forbidden => Some(error.message),
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

/// The question that was typed, of the data set as it is here.
fn typed_question(
    app: &App,
    caller: &Caller,
    project: &str,
    (kind, written): (&str, &str),
) -> app::Result<Query> {
    let known = projects::list(app, caller)?.into_iter().find(|known| known.id == project);
    let wire::research::Project { dataset, programs, .. } =
        known.ok_or_else(Error::not_found)?.project;
    let sets = catalog::list(app, caller)?;
    let set = sets.into_iter().find(|set| set.name == dataset).ok_or_else(|| {
        let message = "this institution does not hold the data set; ask through the Python package";
        Error::new(Kind::Conflict, message)
    })?;
    match kind {
        "program" => read_program(written, &programs, set.dictionary),
        _ => read(kind, written, set.dictionary),
    }
}

/// A question to a program: its name, and after a colon what is said to it.
fn read_program(
    text: &str,
    programs: &[NamedProgram],
    mut dictionary: Dictionary,
) -> app::Result<Query> {
    let (name, parameters) = text.split_once(':').unwrap_or((text, ""));
    let named = programs.iter().find(|one| one.name == name.trim() || one.hash == name.trim());
    let named = named.ok_or_else(|| {
        Error::invalid("value", "write the name of a program that the project names")
    })?;
    dictionary.variables.retain(|variable| named.variables.contains(&variable.name));
    let analysis = Analysis::Program(statistics::program::Program {
        program: named.hash.clone(),
        parameters: parameters.trim().to_owned(),
        block_rows: None,
        fuel: named.fuel,
        memory: named.memory,
    });
    Ok(Query { dictionary, most_rows: named.rows, analysis })
}

/// A question as it was typed.
fn read(kind: &str, text: &str, dictionary: Dictionary) -> app::Result<Query> {
    let (before, group) = match text.split_once(" by ") {
        Some((before, group)) => (before, Some(group.trim())),
        None => (text, None),
    };
    let parts: Vec<&str> = names(before).collect();
    let analysis = match (kind, parts.as_slice()) {
        ("regression", _) => serde_json::json!({"kind": "regression", "formula": text.trim()}),
        ("summary", variables) => {
            serde_json::json!({"kind": "summary", "variables": variables, "by": group})
        }
        ("crosstab", by) => serde_json::json!({"kind": "crosstab", "by": by}),
        ("survival", [time, event]) => {
            let grid = grid(&dictionary, time)?;
            serde_json::json!({
                "kind": "survival", "time": time, "event": event, "group": group, "grid": grid,
                "least": 10,
            })
        }
        _ => return Err(Error::invalid("value", "write the question as the hint shows it")),
    };
    let analysis: Analysis =
        serde_json::from_value(analysis).map_err(|e| Error::invalid("value", e.to_string()))?;
    Ok(Query { dictionary, most_rows: MOST_ROWS, analysis })
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// A hundred points up to the greatest time that the dictionary allows.
fn grid(dictionary: &Dictionary, time: &str) -> app::Result<Vec<f64>> {
    match dictionary.variable(time).map(|variable| &variable.kind) {
        Some(Holds::Number { max: Some(max), .. }) if *max > 0.0 => {
            Ok((1..=100).map(|point| max * f64::from(point) / 100.0).collect())
        }
        _ => {
            let message = "the dictionary must say how great a time can be; see the variables";
            Err(Error::invalid("value", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary() -> Dictionary {
        serde_json::from_value(serde_json::json!({"variables": [
            {"name": "time", "kind": "number", "min": 0.0, "max": 200.0},
            {"name": "died", "kind": "number", "min": 0.0, "max": 1.0},
            {"name": "arm", "kind": "category", "levels": ["a", "b"]},
        ]}))
        .unwrap()
    }

    #[test]
    fn a_question_is_read_as_the_hint_shows_it() {
        for (kind, text) in [
            ("regression", "logistic(died) ~ arm"),
            ("summary", "time, died by arm"),
            ("crosstab", "arm"),
            ("survival", "time, died by arm"),
        ] {
            let question = read(kind, text, dictionary()).unwrap();
            assert!(question.start().is_ok(), "{kind}");
        }
        for (kind, text) in [
            ("survival", "time"),
            ("survival", "arm, died"),
            ("regression", "died ~"),
            ("else", "arm"),
        ] {
            assert!(read(kind, text, dictionary()).is_err(), "{kind}: {text}");
        }
    }
}

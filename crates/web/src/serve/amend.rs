//! What becomes of a project that was applied for: its amendment, beside what stands, and taking it back.

use app::projects::{self, Change, Known};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use serde_json::Value;
use wire::OrgId;

use super::patient::name_of;
use super::research::{RESEARCHER, said, shown_with_fault};
use super::session::{Made, Visit, done};
use crate::chrome::Notice;
use crate::form::Field;
use crate::paths::Project;
use crate::research::project::{ChangeRow, EndForm};

/// `POST /projects/{id}/end`
pub async fn end(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<EndForm>, FormRejection>,
) -> Response {
    let made = try_end(&visit, id, form).await;
    visit.finish(made)
}

async fn try_end(visit: &Visit, id: String, form: Result<Form<EndForm>, FormRejection>) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let why = Field::optional(&form.why, 2_000).value;
    let (caller, project) = (visit.caller(user), id.clone());
    match visit.app().run(move |app| projects::end(app, &caller, &project, &why)).await {
        Ok(()) => done(Project(&id), Notice::ProjectEnded),
        Err(error) => shown_with_fault(visit, &id, said(error)?).await,
    }
}

/// What an amendment changes, in words.
pub(super) fn changes(app: &app::App, amendment: &Known, earlier: &Known) -> Vec<ChangeRow> {
    let shown = |field: &str, value: &Value| match (field, value) {
        ("holders" | "aggregators", Value::Array(orgs)) => {
            let orgs = orgs.iter().filter_map(|org| OrgId::new(org.as_str()?).ok());
            orgs.map(|org| name_of(app, org.as_str())).collect::<Vec<_>>().join(", ")
        }
        ("researchers" | "programs", Value::Array(all)) => {
            let names = all.iter().filter_map(|one| one.get("name").and_then(Value::as_str));
            names.collect::<Vec<_>>().join(", ")
        }
        (_, Value::Array(all)) => {
            let words: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            words.join(", ")
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Null) => String::new(),
        (_, value) => value.to_string(),
    };
    let row = |change: &Change| ChangeRow {
        label: label(change.field),
        before: shown(change.field, &change.before),
        after: shown(change.field, &change.after),
    };
    projects::changes(&earlier.project, &amendment.project).iter().map(row).collect()
}

/// The key of what a field is called.
fn label(field: &str) -> &'static str {
    match field {
        "title" => "project-title",
        "purpose" => "project-about",
        "researchers" => "project-people",
        "holders" => "project-holders",
        "aggregators" => "project-aggregators",
        "dataset" => "project-dataset",
        "analyses" => "project-analyses",
        "programs" => "programs-title",
        "min_sites" => "project-sites",
        "min_rows" => "project-rows",
        "release" => "project-release",
        "from" => "project-from",
        _ => "project-until",
    }
}

//! What patients are told of the research with their data.

use app::projects::{self, Told};
use app::rounds::used::Use;
use axum::response::Response;
use statistics::Analysis;
use wire::OrgId;

use super::{state, worded};
use crate::chrome::Role;
use crate::research::apply::EXTRACT;
use crate::research::council::CouncilShown;
use crate::research::mine::{self, MineRow, MineView, UseRow};
use crate::serve::patient::name_of;
use crate::serve::patient_council;
use crate::serve::session::{Made, Visit, page};

const PATIENT: &[Role] = &[Role::Patient];

/// `GET /me/research`
pub async fn mine(visit: Visit) -> Response {
    let made = try_mine(&visit).await;
    visit.finish(made)
}

async fn try_mine(visit: &Visit) -> Made {
    let caller = visit.caller(visit.require(PATIENT)?);
    let found = visit.app().run(move |app| projects::for_patient(app, &caller)).await?;
    let app = visit.app();
    let of_use = |one: &Use| UseRow {
        kind: kind_of(&one.analysis),
        asked: worded(&one.analysis),
        at_ms: one.at_ms,
        micro_epsilon: one.micro_epsilon,
    };
    let row = |told: &Told| MineRow {
        title: told.known.project.title.clone(),
        purpose: told.known.project.purpose.clone(),
        by: name_of(app, told.known.project.coordinator.as_str()),
        state: state(&told.known, app.now_ms()),
        term: (told.known.project.from, told.known.project.until),
        extracts: told.known.project.analyses.iter().any(|kind| kind == EXTRACT),
        uses: told.uses.iter().map(of_use).collect(),
        council: own_council(told, app.network().own()),
        publications: told
            .publications
            .iter()
            .map(|one| (one.title.clone(), one.address.clone()))
            .collect(),
    };
    let view = MineView { projects: found.iter().map(row).collect() };
    page(mine::render(&view, &visit.chrome)?)
}

/// The message that says to patients what kind of question it is.
fn kind_of(analysis: &Analysis) -> &'static str {
    match serde_json::to_value(analysis).unwrap_or_default()["kind"].as_str() {
        Some("summary" | "histogram" | "quantiles") => "my-research-kind-summary",
        Some("crosstab" | "chi-squared") => "my-research-kind-counts",
        Some("regression" | "mixed" | "correlation" | "weighting" | "two-stage") => {
            "my-research-kind-model"
        }
        Some("survival") => "my-research-kind-survival",
        Some("t-test" | "anova") => "my-research-kind-compare",
        _ => "my-research-kind-other",
    }
}

/// How the patient council of this institution stood when it decided.
fn own_council(of: &Told, own: &OrgId) -> Option<CouncilShown> {
    of.known
        .decisions
        .get(own)
        .and_then(|decision| decision.council.as_ref())
        .map(patient_council::told)
}

//! SQL over the records of this institution, for its researchers.

use app::workspace::{self, Answered, MAX_QUERY_BYTES};
use app::{Error, Kind, projects};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::session::{Made, Visit, page};
use crate::chrome::Role;
use crate::form::Field;
use crate::research::ruled::with_rule;
use crate::research::workspace::{self as shown, EXAMPLES, ResultView, SqlForm, WorkspaceView};

const RESEARCHER: &[Role] = &[Role::Researcher];

/// What an address asks for.
#[derive(Default, serde::Deserialize)]
pub struct Example {
    /// Which example to show.
    #[serde(default)]
    example: Option<usize>,
}

/// `GET /workspace`
pub async fn home(visit: Visit) -> Response {
    let made = shown_page(&visit, None, WorkspaceView::default()).await;
    visit.finish(made)
}

/// `GET /workspace/{id}`
pub async fn one(
    visit: Visit,
    Path(id): Path<String>,
    query: Result<Query<Example>, QueryRejection>,
) -> Response {
    let wanted = query.ok().and_then(|Query(query)| query.example);
    let text = wanted.and_then(|at| EXAMPLES.get(at)).map_or("", |(_, text)| *text);
    let view = WorkspaceView { sql: Field::new(text), ..WorkspaceView::default() };
    let made = shown_page(&visit, Some(&id), view).await;
    visit.finish(made)
}

/// `POST /workspace/{id}`
pub async fn ask(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<SqlForm>, FormRejection>,
) -> Response {
    let made = try_ask(&visit, &id, form).await;
    visit.finish(made)
}

async fn try_ask(visit: &Visit, id: &str, form: Result<Form<SqlForm>, FormRejection>) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    let sql = Field::required(&form.sql, MAX_QUERY_BYTES);
    if !sql.is_sound() {
        return shown_page(visit, Some(id), WorkspaceView { sql, ..Default::default() }).await;
    }
    let asked = workspace::ask(visit.app(), &visit.caller(user), id, &sql.value).await;
    let view = match asked {
        Ok(answer) if form.form == "csv" => return Ok(file(&answer)),
        Ok(answer) => {
            let words = visit.chrome.words();
            let result = Some(ResultView::of(&answer, &words));
            WorkspaceView { result, sql, ..WorkspaceView::default() }
        }
        Err(error) => WorkspaceView { fault: Some(said(error)?), sql, ..WorkspaceView::default() },
    };
    shown_page(visit, Some(id), view).await
}

fn file(answer: &Answered) -> Response {
    let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8");
    let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"found.csv\"");
    ([kind, name], shown::csv(&answer.frame)).into_response()
}

/// What stands against a query, in words, where the reader can do something about it.
fn said(error: Error) -> Result<String, Error> {
    match (&error.kind, &error.rule) {
        (
            Kind::Invalid(_) | Kind::TooCostly | Kind::Unprocessable | Kind::Conflict | Kind::Busy,
            _,
        ) => Ok(with_rule(error.rule.as_deref(), error.message)),
        // A rule of the project or of the lake, and not of policy.
        (Kind::Forbidden, Some(rule)) if !rule.contains('-') => {
            Ok(with_rule(Some(rule.as_str()), error.message))
        }
        _ => Err(error),
    }
}

/// The page, with what is known of projects and tables.
async fn shown_page(visit: &Visit, id: Option<&str>, mut view: WorkspaceView) -> Made {
    let caller = visit.caller(visit.require(RESEARCHER)?);
    let wanted = id.map(str::to_owned);
    let found = visit.app().run(move |app| {
        let open: Vec<(String, String)> = projects::list(app, &caller)?
            .into_iter()
            .filter(|known| workspace::is_open(app, &caller, known))
            .map(|known| (known.id, known.project.title))
            .collect();
        let project = match wanted {
            Some(id) => {
                let known = open.iter().find(|(known, _)| *known == id).cloned();
                Some(known.ok_or_else(Error::not_found)?)
            }
            None => None,
        };
        Ok((open, project, workspace::views(app, &caller)))
    });
    let (open, project, views) = found.await?;
    (view.projects, view.project) = (open, project);
    match views {
        Ok(views) => view.views = views,
        Err(error) => view.closed = Some(said(error)?),
    }
    page(shown::render(&view, &visit.chrome)?)
}

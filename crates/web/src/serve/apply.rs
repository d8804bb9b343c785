//! Applying for a project, out of the catalogue: whoever applies types no ids.

use app::catalog::{self, Listing};
use app::projects::{self, Draft};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query};
use axum::response::Response;
use wire::OrgId;
use wire::research::{Privacy, ReleaseRule};

use super::catalog::people;
use super::patient::name_of;
use super::research::{RESEARCHER, said};
use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::Notice;
use crate::fault::Fault;
use crate::form::{Field, FieldFault};
use crate::paths::Project;
use crate::research::apply::{self, ApplyForm, ApplyQuery, ApplyView, HolderChoice};
use crate::research::micro_epsilon;

/// For how many days a project lasts where nobody says otherwise.
const DAYS: &str = "365";

/// `GET /projects/new`
pub async fn apply_page(
    visit: Visit,
    query: Result<Query<ApplyQuery>, QueryRejection>,
) -> Response {
    let made = try_page(&visit, query).await;
    visit.finish(made)
}

async fn try_page(visit: &Visit, query: Result<Query<ApplyQuery>, QueryRejection>) -> Made {
    let Query(query) = query.map_err(|_| Stop::Fault(Fault::BadRequest))?;
    let dataset = Field::optional(&query.dataset, 50);
    shown(visit, ApplyView { dataset, ..ApplyView::default() }, true).await
}

/// The form; a new one begins with everybody who holds the data set, and with what suits most projects.
async fn shown(visit: &Visit, mut view: ApplyView, is_new: bool) -> Made {
    let caller = visit.caller(visit.require(RESEARCHER)?);
    let listing = visit.app().run(move |app| catalog::listing(app, &caller)).await?;
    let network = visit.app().network();
    let mut members = vec![network.own().to_string()];
    members.extend(network.active_others().into_iter().map(|member| member.id.to_string()));
    view.datasets =
        listing.sets.iter().map(|held| (held.set.name.clone(), held.set.title.clone())).collect();
    view.datasets.dedup_by(|one, other| one.0 == other.0);
    let chosen: Vec<String> = view.holders.iter().map(|one| one.id.clone()).collect();
    view.holders = choices(visit, &listing, &view.dataset.value, &members);
    for holder in &mut view.holders {
        holder.chosen = match is_new {
            true => holder.people.is_some(),
            false => chosen.contains(&holder.id),
        };
    }
    if is_new {
        let of_it = listing.sets.iter().filter(|held| held.set.name == view.dataset.value);
        let rows = of_it.map(|held| held.set.min_rows).max().unwrap_or(10);
        view.rows = Field::new(rows.to_string());
        view.sites = Field::new("2");
        view.days = Field::new(DAYS);
        // Of three or more, two that do not ask themselves.
        let from = if members.len() > 2 { 1 } else { 0 };
        let mut adders = members.iter().skip(from);
        view.adder = Field::new(adders.next().cloned().unwrap_or_default());
        view.other_adder = Field::new(adders.next().cloned().unwrap_or_default());
    }
    let named = |id: String| (id.clone(), name_of(visit.app(), &id));
    view.members = members.into_iter().map(named).collect();
    page(apply::render(&view, &visit.chrome)?)
}

/// Who can be asked: whoever holds the data set; every member where nobody is known to.
fn choices(
    visit: &Visit,
    listing: &Listing,
    dataset: &str,
    members: &[String],
) -> Vec<HolderChoice> {
    let app = visit.app();
    let of_it = listing.sets.iter().filter(|held| held.set.name == dataset);
    let held: Vec<HolderChoice> = of_it
        .map(|held| HolderChoice {
            id: held.holder.clone(),
            name: name_of(app, &held.holder),
            people: Some(people(&held.set.people)),
            chosen: false,
        })
        .collect();
    let unknown = members.iter().filter(|id| !held.iter().any(|one| one.id == **id));
    let unknown: Vec<HolderChoice> = unknown
        .map(|id| HolderChoice {
            id: id.clone(),
            name: name_of(app, id),
            people: None,
            chosen: false,
        })
        .collect();
    if held.is_empty() { unknown } else { held }
}

/// `POST /projects/new`
pub async fn apply(visit: Visit, form: Result<Form<ApplyForm>, FormRejection>) -> Response {
    let made = try_apply(&visit, form).await;
    visit.finish(made)
}

async fn try_apply(visit: &Visit, form: Result<Form<ApplyForm>, FormRejection>) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let mut view = ApplyView::of(&form);
    let holders: Option<Vec<OrgId>> =
        view.holders.iter().map(|one| OrgId::new(&one.id).ok()).collect();
    if holders.is_none() {
        view.holders_fault = Some(FieldFault::NotAChoice);
    }
    let adders = [org(&mut view.adder), org(&mut view.other_adder)];
    let (true, Some(holders), [Some(adder), Some(other)]) = (view.is_sound(), holders, adders)
    else {
        return shown(visit, view, false).await;
    };
    let number = |field: &Field| field.value.trim().parse::<u32>().unwrap_or_default();
    let draft = Draft {
        title: view.title.value.clone(),
        purpose: view.purpose.value.clone(),
        researchers: Vec::new(),
        holders,
        aggregators: [adder, other],
        dataset: view.dataset.value.clone(),
        analyses: view.analyses.clone(),
        // What a program asks for is declared by whoever writes it, through the API.
        programs: Vec::new(),
        min_sites: number(&view.sites),
        min_rows: number(&view.rows),
        release: if view.checked { ReleaseRule::Checked } else { ReleaseRule::Automatic },
        privacy: micro_epsilon(&view.epsilon.value).map(|micro_epsilon| Privacy { micro_epsilon }),
        days: number(&view.days),
    };
    let caller = visit.caller(user);
    match visit.app().run(move |app| projects::apply(app, &caller, draft)).await {
        Ok(id) => done(Project(&id), Notice::ProjectApplied),
        Err(error) => {
            view.fault = Some(said(error)?);
            shown(visit, view, false).await
        }
    }
}

fn org(field: &mut Field) -> Option<OrgId> {
    let read = OrgId::new(&field.value).ok();
    if read.is_none() && field.is_sound() {
        field.fault = Some(FieldFault::NotAChoice);
    }
    read
}

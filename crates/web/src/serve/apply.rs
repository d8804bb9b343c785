//! Applying for a project, out of the catalogue: whoever applies types no ids.

use app::catalog::{self, Listing};
use app::projects::{self, Draft, Known};
use app::{Error, programs};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query};
use axum::response::Response;
use wire::OrgId;
use wire::research::{
    MAX_PROGRAM_FUEL, MAX_PROGRAM_MEMORY, NamedProgram, Privacy, ProgramOutput, ReleaseRule,
};

use super::catalog::people;
use super::patient::name_of;
use super::research::{RESEARCHER, said};
use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::Notice;
use crate::fault::Fault;
use crate::form::{Field, FieldFault};
use crate::paths::Project;
use crate::research::apply::{self, ApplyForm, ApplyQuery, ApplyView, HolderChoice, SumLine, sums};
use crate::research::micro_epsilon;

/// For how many days a project lasts where nobody says otherwise.
const DAYS: &str = "365";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The kind of analysis that is a program.
const PROGRAM: &str = "program";
/// Instructions of a program in a round, and bytes of its memory, where it is named on the page.
const FUEL: u64 = MAX_PROGRAM_FUEL / 20;
const MEMORY: u64 = MAX_PROGRAM_MEMORY / 4;

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
    if !query.amends.is_empty() {
        return amending(visit, &query.amends).await;
    }
    let dataset = Field::optional(&query.dataset, 50);
    shown(visit, ApplyView { dataset, ..ApplyView::default() }, true).await
}

/// The form filled with what stands in the project that is to be amended.
async fn amending(visit: &Visit, id: &str) -> Made {
    let known = earlier(visit, id).await?;
    let project = &known.project;
    let choice = |org: &OrgId| HolderChoice {
        id: org.to_string(),
        name: String::new(),
        people: None,
        chosen: true,
    };
    let mut adders = project.aggregators.iter().map(|org| Field::new(org.as_str()));
    let days = (project.until - project.from) / DAY_MS;
    let view = ApplyView {
        amends: known.id.clone(),
        kept: kept(&known),
        title: Field::new(project.title.clone()),
        purpose: Field::new(project.purpose.clone()),
        dataset: Field::new(project.dataset.clone()),
        holders: project.holders.iter().map(choice).collect(),
        adder: adders.next().unwrap_or_default(),
        other_adder: adders.next().unwrap_or_default(),
        analyses: project.analyses.clone(),
        sites: Field::new(project.min_sites.to_string()),
        rows: Field::new(project.min_rows.to_string()),
        days: Field::new(days.max(1).to_string()),
        checked: project.release == ReleaseRule::Checked,
        epsilon: project.privacy.map(typed_epsilon).unwrap_or_default(),
        ..ApplyView::default()
    };
    shown(visit, view, false).await
}

/// ε of a project, as it is typed.
fn typed_epsilon(of: Privacy) -> Field {
    Field::new((of.micro_epsilon as f64 / 1e6).to_string())
}

/// The project that is to be amended.
async fn earlier(visit: &Visit, id: &str) -> Result<Known, Stop> {
    let caller = visit.caller(visit.require(RESEARCHER)?);
    let wanted = id.to_owned();
    let found = visit.app().run(move |app| {
        let all = projects::list(app, &caller)?;
        all.into_iter().find(|known| known.id == wanted).ok_or_else(Error::not_found)
    });
    Ok(found.await?)
}

/// The programs of a project, by name.
fn kept(known: &Known) -> Vec<String> {
    known.project.programs.iter().map(|one| format!("{} {}", one.name, one.version)).collect()
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
    // Whoever holds it and does not tell of it now stays chosen.
    for id in &chosen {
        if !view.holders.iter().any(|one| one.id == *id) {
            let name = name_of(visit.app(), id);
            view.holders.push(HolderChoice { id: id.clone(), name, people: None, chosen: true });
        }
    }
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
    let earlier = match view.amends.is_empty() {
        true => None,
        false => Some(earlier(visit, &view.amends).await?),
    };
    view.kept = earlier.as_ref().map(kept).unwrap_or_default();
    if !view.kept.is_empty() && view.analyses.is_empty() {
        view.analyses_fault = None;
    }
    let adders = [org(&mut view.adder), org(&mut view.other_adder)];
    let (true, Some(holders), [Some(adder), Some(other)]) = (view.is_sound(), holders, adders)
    else {
        return shown(visit, view, false).await;
    };
    let number = |field: &Field| field.value.trim().parse::<u32>().unwrap_or_default();
    let mut programs: Vec<programs::Draft> = Vec::new();
    let mut researchers = Vec::new();
    if let Some(Known { project, .. }) = &earlier {
        programs.extend(project.programs.iter().map(again));
        researchers
            .extend(project.researchers.iter().filter(|one| one.account != user.id).cloned());
    }
    if let Some(program) = own_program(&view) {
        programs.push(program);
    }
    let mut analyses = view.analyses.clone();
    if !programs.is_empty() {
        analyses.push(PROGRAM.to_owned());
    }
    let draft = Draft {
        amends: earlier.map(|earlier| earlier.id),
        title: view.title.value.clone(),
        purpose: view.purpose.value.clone(),
        researchers,
        holders,
        aggregators: [adder, other],
        dataset: view.dataset.value.clone(),
        analyses,
        programs,
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

/// A program as the amended project names it.
fn again(named: &NamedProgram) -> programs::Draft {
    programs::Draft {
        hash: named.hash.clone(),
        variables: named.variables.clone(),
        rows: named.rows,
        outputs: named.outputs.clone(),
        fuel: named.fuel,
        memory: named.memory,
    }
}

/// The program that was typed, where there is one. It says itself what it reads where nothing was typed.
fn own_program(view: &ApplyView) -> Option<programs::Draft> {
    if view.program.value.is_empty() {
        return None;
    }
    let output = |line: SumLine| {
        let SumLine { name, length, is_count, bound } = line;
        ProgramOutput { name, length, is_count, bound }
    };
    Some(programs::Draft {
        hash: view.program.value.clone(),
        variables: view.program_variables.value.split_whitespace().map(str::to_owned).collect(),
        rows: view.program_rows.value.trim().parse().ok()?,
        outputs: sums(&view.program_sums.value)?.into_iter().map(output).collect(),
        fuel: FUEL,
        memory: MEMORY,
    })
}

fn org(field: &mut Field) -> Option<OrgId> {
    let read = OrgId::new(&field.value).ok();
    if read.is_none() && field.is_sound() {
        field.fault = Some(FieldFault::NotAChoice);
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amendment_keeps_the_privacy_budget_as_it_stands() {
        for millionths in [100_000, 500_000, 2_000_000, 12_345_678, 99_999_999, 100_000_000] {
            let typed = typed_epsilon(Privacy { micro_epsilon: millionths });
            assert!(typed.value.chars().count() <= 10, "{}", typed.value);
            assert_eq!(micro_epsilon(&typed.value), Some(millionths), "{}", typed.value);
        }
    }
}

//! The catalogue of data sets.

use std::collections::BTreeMap;

use app::catalog::{self, Held, Listing, twin};
use app::{App, Kind};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::response::Response;
use wire::ToldSet;
use wire::catalog::{ToldCount, ToldVariable};

use super::patient::name_of;
use super::research::{READERS, RESEARCHER};
use super::session::{Made, Stop, Visit, page, see_other};
use crate::fault::Fault;
use crate::form::{Bare, Field};
use crate::paths::Catalog;
use crate::research::apply::People;
use crate::research::catalog::{
    self as pages, Card, CatalogView, FindQuery, Holder, HolderFacts, SetView, Silent, TwinFacts,
    TwinRows, VariableRow,
};

/// Most data sets on one page.
const MOST_CARDS: usize = 50;
/// Most variables on one page.
const MOST_VARIABLES: usize = 100;
/// Most variables of a twin's first rows, and most pairs that are named.
const MOST_SHOWN: usize = 12;
/// Most levels that are written out.
const MOST_LEVELS: usize = 12;

/// `GET /catalog`
pub async fn find(visit: Visit, query: Result<Query<FindQuery>, QueryRejection>) -> Response {
    let made = try_find(&visit, query).await;
    visit.finish(made)
}

async fn try_find(visit: &Visit, query: Result<Query<FindQuery>, QueryRejection>) -> Made {
    let user = visit.require(READERS)?;
    let Query(query) = query.map_err(|_| Stop::Fault(Fault::BadRequest))?;
    let caller = visit.caller(user);
    let listing = visit.app().run(move |app| catalog::listing(app, &caller)).await?;
    let app = visit.app();
    let mut view = CatalogView {
        q: Field::optional(&query.q, 100),
        holder: Field::optional(&query.holder, 100),
        variable: Field::optional(&query.variable, 100),
        institutions: institutions(app, &listing),
        may_apply: visit.require(RESEARCHER).is_ok(),
        ..CatalogView::default()
    };
    let mut by_name: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
    for held in &listing.sets {
        by_name.entry(&held.set.name).or_default().push(held);
    }
    by_name.retain(|_, holders| is_wanted(holders, &view));
    view.more = by_name.len().saturating_sub(MOST_CARDS);
    let cards = by_name.values().take(MOST_CARDS);
    view.cards = cards.filter_map(|holders| card(app, &listing, holders)).collect();
    let silent = listing.tellers.iter();
    let silent = silent.filter(|one| one.unreached_ms.is_some() || one.heard_ms.is_none());
    view.silent = silent
        .map(|one| Silent { institution: name_of(app, &one.org), heard_ms: one.heard_ms })
        .collect();
    page(pages::render(&view, &visit.chrome)?)
}

/// Those who hold something, by name.
fn institutions(app: &App, listing: &Listing) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        listing.sets.iter().map(|held| (held.holder.clone(), name_of(app, &held.holder))).collect();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    all.dedup();
    all
}

/// Whether data sets of one name are what the reader looks for.
fn is_wanted(holders: &[&Held], view: &CatalogView) -> bool {
    let is_held = |id: &str| id.is_empty() || holders.iter().any(|held| held.holder == id);
    let has = |prefix: &str| {
        let prefix = prefix.to_lowercase();
        let mut variables = holders.iter().flat_map(|held| &held.set.variables);
        prefix.is_empty() || variables.any(|one| one.name.to_lowercase().starts_with(&prefix))
    };
    let texts: Vec<String> = holders.iter().map(|held| words_of(&held.set)).collect();
    let said = view.q.value.to_lowercase();
    let says = |word: &str| texts.iter().any(|text| text.contains(word));
    is_held(&view.holder.value) && has(&view.variable.value) && said.split_whitespace().all(says)
}

fn words_of(set: &ToldSet) -> String {
    let ToldSet { name, title, description, .. } = set;
    let mut text = format!("{name}\n{title}\n{description}");
    for word in set.keywords.iter().chain(&set.coding_systems) {
        text.push('\n');
        text.push_str(word);
    }
    for variable in &set.variables {
        text.push('\n');
        text.push_str(&variable.name);
        text.push('\n');
        text.push_str(&variable.description);
    }
    text.to_lowercase()
}

fn card(app: &App, listing: &Listing, holders: &[&Held]) -> Option<Card> {
    let first = &holders.first()?.set;
    let holder = |held: &&Held| holder(app, listing, held);
    Some(Card {
        name: first.name.clone(),
        title: first.title.clone(),
        description: first.description.clone(),
        keywords: first.keywords.clone(),
        variables: first.variables_total.into(),
        holders: holders.iter().map(holder).collect(),
    })
}

fn holder(app: &App, listing: &Listing, held: &Held) -> Holder {
    let teller = listing.tellers.iter().find(|teller| teller.org == held.holder);
    let shares = held.set.variables.iter().filter_map(|one| one.completeness);
    let (sum, count) = shares
        .fold((0_u32, 0_u32), |(sum, count), share| (sum + u32::from(share.value), count + 1));
    Holder {
        institution: name_of(app, &held.holder),
        people: people(&held.set.people),
        complete: sum.checked_div(count).and_then(|mean| u8::try_from(mean).ok()),
        heard_ms: teller.and_then(|teller| teller.heard_ms),
        unreached: teller.is_some_and(|teller| teller.unreached_ms.is_some()),
    }
}

/// How many people, for a page.
pub(super) fn people(count: &ToldCount) -> People {
    match count.about {
        Some(about) => People::About(about, count.margin),
        None => People::FewerThan(count.threshold),
    }
}

/// `POST /catalog`
pub async fn refresh(visit: Visit, form: Result<Form<Bare>, FormRejection>) -> Response {
    let made = try_refresh(&visit, form).await;
    visit.finish(made)
}

async fn try_refresh(visit: &Visit, form: Result<Form<Bare>, FormRejection>) -> Made {
    let user = visit.require(READERS)?;
    visit.form(form)?;
    let caller = visit.caller(user);
    visit.app().run(move |app| catalog::refresh(app, &caller)).await?;
    Ok(see_other(&Catalog.to_string()))
}

/// `GET /catalog/{name}`
pub async fn one(visit: Visit, Path(name): Path<String>) -> Response {
    let made = try_one(&visit, &name).await;
    visit.finish(made)
}

async fn try_one(visit: &Visit, name: &str) -> Made {
    let user = visit.require(READERS)?;
    let caller = visit.caller(user);
    let of = name.to_owned();
    let work = move |app: &App| {
        let twin = match twin::about(app, Some(&caller), &of) {
            Ok(drawn) => Some(first_rows(&drawn)),
            Err(error) if error.kind == Kind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok((catalog::listing(app, &caller)?, twin))
    };
    let (listing, twin) = visit.app().run(work).await?;
    let app = visit.app();
    let holders: Vec<&Held> = listing.sets.iter().filter(|held| held.set.name == name).collect();
    let Some(first) = holders.first() else { return Err(Stop::Fault(Fault::NotFound)) };
    let mut names: Vec<&ToldVariable> = Vec::new();
    for variable in holders.iter().flat_map(|held| &held.set.variables) {
        match names.iter_mut().find(|known| known.name == variable.name) {
            // Who says more of it is believed.
            Some(known) if known.unit.is_none() && variable.unit.is_some() => *known = variable,
            Some(_) => {}
            None => names.push(variable),
        }
    }
    let told = names.len();
    let total = usize::try_from(first.set.variables_total).unwrap_or(told).max(told);
    let view = SetView {
        name: first.set.name.clone(),
        title: first.set.title.clone(),
        description: first.set.description.clone(),
        holders: holders.iter().map(|held| facts(app, &listing, held)).collect(),
        variables: names.iter().take(MOST_VARIABLES).map(|one| row(one, &holders)).collect(),
        more: total - told.min(MOST_VARIABLES),
        twin,
        may_apply: visit.require(RESEARCHER).is_ok(),
    };
    page(pages::render_set(&view, &visit.chrome)?)
}

fn first_rows(drawn: &twin::Drawn) -> TwinRows {
    let variables = drawn.dictionary.variables.iter().take(MOST_SHOWN);
    let row = |row: &Vec<String>| row.iter().take(MOST_SHOWN).cloned().collect();
    TwinRows {
        variables: variables.map(|one| one.name.clone()).collect(),
        rows: drawn.first.iter().map(row).collect(),
        pairs: drawn.pairs.iter().take(MOST_SHOWN).cloned().collect(),
    }
}

fn facts(app: &App, listing: &Listing, held: &Held) -> HolderFacts {
    let set = &held.set;
    let period = match (&set.from, &set.until) {
        (None, None) => String::new(),
        (from, until) => {
            let day = |day: &Option<String>| day.clone().unwrap_or_else(|| "…".to_owned());
            format!("{} – {}", day(from), day(until))
        }
    };
    let base = (!held.is_own).then(|| app.base_url_of(&held.holder));
    HolderFacts {
        holder: holder(app, listing, held),
        period,
        coding_systems: set.coding_systems.clone(),
        conditions: set.conditions.clone(),
        min_rows: set.min_rows.into(),
        contact: set.contact.clone(),
        mail: set.mail.clone(),
        version: set.version.clone(),
        modified_ms: set.modified,
        twin: set.twin.map(|twin| TwinFacts {
            epsilon: (twin.micro_epsilon as f64 / 1e6).to_string(),
            rows: twin.rows,
            drawn_ms: twin.drawn,
        }),
        base: base.map(|base| base.trim_end_matches('/').to_owned()),
    }
}

fn row(variable: &ToldVariable, holders: &[&Held]) -> VariableRow {
    let share = |held: &&Held| {
        let found = held.set.variables.iter().find(|one| one.name == variable.name);
        found.and_then(|one| one.completeness).map(|share| share.value)
    };
    VariableRow {
        name: variable.name.clone(),
        description: variable.description.clone(),
        values: values(variable),
        complete: holders.iter().map(share).collect(),
    }
}

/// What a variable can be: bounds with unit, or levels, as many as fit.
fn values(variable: &ToldVariable) -> String {
    if variable.kind == "category" {
        let shown = variable.levels.iter().take(MOST_LEVELS).map(String::as_str);
        let shown: Vec<&str> = shown.collect();
        let total = usize::try_from(variable.levels_total).unwrap_or(usize::MAX);
        return match total > shown.len() {
            true => format!("{}, … ({total})", shown.join(", ")),
            false => shown.join(", "),
        };
    }
    let bound =
        |bound: Option<f64>| bound.map_or_else(|| "…".to_owned(), |bound| bound.to_string());
    let range = match (variable.least, variable.most) {
        (None, None) => "1, 2.5, …".to_owned(),
        (least, most) => format!("{} – {}", bound(least), bound(most)),
    };
    match &variable.unit {
        Some(unit) => format!("{range} {unit}"),
        None => range,
    }
}

//! The form of a draft: a new agreement, or a change of a version of one.

use app::agreements::{read, say};
use app::{App, Kind};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use policy::agreement::{Class, Clause, Obligation, Party, Terms};
use policy::label::Confidentiality;

use super::agreements::STEWARD;
use super::patient::name_of;
use super::session::{Made, Stop, Visit, done, page};
use crate::agreements::form::{self, CEILINGS, Chosen, ChosenClause, DraftForm, DraftView};
use crate::agreements::form::{KINDS, MOST_CLAUSES, PURPOSES};
use crate::agreements::wording::{self, COMMON};
use crate::chrome::Notice;
use crate::fault::Fault;
use crate::form::{Field, FieldFault};
use crate::paths::Agreement;
use crate::words::Words;

/// Agreement and hash of the version that is changed.
type Version = (String, String);

/// `GET /agreements/new`
pub async fn draft_page(visit: Visit) -> Response {
    let made = try_draft_page(&visit, None).await;
    visit.finish(made)
}

/// `GET /agreements/{id}/versions/{text}/change`
pub async fn change_page(visit: Visit, Path(version): Path<Version>) -> Response {
    let made = try_draft_page(&visit, Some(version)).await;
    visit.finish(made)
}

async fn try_draft_page(visit: &Visit, changes: Option<Version>) -> Made {
    let user = visit.require(STEWARD)?;
    visit.require_fresh_factor(user)?;
    let chosen = match changed(visit, changes.as_ref()).await? {
        None => Chosen {
            notice: Field::new("30"),
            clauses: vec![ChosenClause::fresh()],
            ..Chosen::default()
        },
        Some(old) => chosen_of(&visit.chrome.words(), &old),
    };
    shown(visit, changes, chosen, None)
}

/// The text that is changed.
async fn changed(visit: &Visit, changes: Option<&Version>) -> Result<Option<Terms>, Stop> {
    let Some((id, text)) = changes.cloned() else { return Ok(None) };
    let caller = visit.caller(visit.require(STEWARD)?);
    let dossier = visit.app().run(move |app| read::one(app, &caller, &id)).await?;
    dossier.text(&text).map(|terms| Some((**terms).clone())).ok_or(Stop::Fault(Fault::NotFound))
}

fn shown(visit: &Visit, changes: Option<Version>, chosen: Chosen, fault: Option<String>) -> Made {
    let others = visit.app().network().active_others().into_iter();
    let members = others.map(|member| (member.id.to_string(), member.display_name)).collect();
    page(form::render(&DraftView { changes, members, chosen, fault }, &visit.chrome)?)
}

fn chosen_of(w: &Words<'_>, terms: &Terms) -> Chosen {
    let day = |ms: i64| Field::new(fhir::time::instant(ms).chars().take(10).collect::<String>());
    let clauses = terms.clauses.iter().take(MOST_CLAUSES).enumerate();
    Chosen {
        title: Field::new(&*terms.title),
        parties: terms.parties.iter().map(|party| party.org.to_string()).collect(),
        from: day(terms.from_ms),
        until: day(terms.until_ms - 1),
        notice: Field::new(terms.notice_days.to_string()),
        clauses: clauses
            .map(|(at, clause)| ChosenClause {
                base: at + 1,
                purposes: clause.purposes.iter().map(|p| p.code().to_owned()).collect(),
                kinds: clause.classes.iter().map(|c| c.kind.unwrap_or("*").to_owned()).collect(),
                ceiling: clause.ceiling.code().to_owned(),
                obligations: clause.obligations.iter().map(|o| o.code().to_owned()).collect(),
                kept: kept(w, terms, clause),
            })
            .collect(),
    }
}

/// What the form has no choices for, in words.
fn kept(w: &Words<'_>, terms: &Terms, clause: &Clause) -> Vec<String> {
    let name = |org: &str| wording::party_name(terms, org);
    let said = wording::clause(w, clause, &name);
    let mut kept = Vec::new();
    if clause.asks.len() < terms.parties.len() {
        kept.push(format!("{}: {}", w.say("agreement-asks"), said.asks));
    }
    if clause.answers.len() < terms.parties.len() {
        kept.push(format!("{}: {}", w.say("agreement-answers"), said.answers));
    }
    let of = |list: &[String], is_kept: &dyn Fn(usize) -> bool| {
        let named = list.iter().enumerate().filter(|(at, _)| is_kept(*at));
        named.map(|(_, text)| text.clone()).collect::<Vec<_>>()
    };
    kept.extend(of(&said.purposes, &|at| clause.purposes.get(at).is_some_and(is_other_purpose)));
    kept.extend(of(&said.classes, &|at| {
        clause.classes.get(at).is_some_and(|one| is_other_kind(one) || !one.categories.is_empty())
    }));
    kept.extend(of(&said.obligations, &|at| {
        clause.obligations.get(at).is_some_and(is_other_obligation)
    }));
    if !said.topics.is_empty() {
        kept.push(format!("{}: {}", w.say("agreement-topics"), said.topics.join(", ")));
    }
    if !CEILINGS.contains(&clause.ceiling.code()) {
        kept.push(format!("{}: {}", w.say("agreement-ceiling"), clause.ceiling.code()));
    }
    kept
}

fn is_other_purpose(purpose: &policy::Purpose) -> bool {
    !PURPOSES.contains(&purpose.code())
}

fn is_other_kind(class: &Class) -> bool {
    class.kind.is_some_and(|kind| kind != "Patient" && !KINDS.contains(&kind))
}

fn is_other_obligation(obligation: &Obligation) -> bool {
    !COMMON.iter().any(|(code, _)| *code == obligation.code())
}

/// `POST /agreements/new`
pub async fn draft(visit: Visit, form: Result<Form<DraftForm>, FormRejection>) -> Response {
    let made = try_draft(&visit, None, form).await;
    visit.finish(made)
}

/// `POST /agreements/{id}/versions/{text}/change`
pub async fn change(
    visit: Visit,
    Path(version): Path<Version>,
    form: Result<Form<DraftForm>, FormRejection>,
) -> Response {
    let made = try_draft(&visit, Some(version), form).await;
    visit.finish(made)
}

async fn try_draft(
    visit: &Visit,
    changes: Option<Version>,
    form: Result<Form<DraftForm>, FormRejection>,
) -> Made {
    let user = visit.require(STEWARD)?;
    let form = visit.form(form)?;
    let caller = visit.caller(user);
    let old = changed(visit, changes.as_ref()).await?;
    let mut chosen = typed(&form);
    if let Some(old) = &old {
        let w = visit.chrome.words();
        for one in &mut chosen.clauses {
            one.kept = base(one, Some(old)).map(|was| kept(&w, old, was)).unwrap_or_default();
        }
    }
    if form.text("do") == "add" {
        // Nothing is wrong yet with what is not written yet.
        for field in [&mut chosen.title, &mut chosen.from, &mut chosen.until, &mut chosen.notice] {
            field.fault = None;
        }
        chosen.clauses.push(ChosenClause::fresh());
        return shown(visit, changes, chosen, None);
    }
    let Some(terms) = terms(visit.app(), &mut chosen, old.as_ref()) else {
        return shown(visit, changes, chosen, None);
    };
    let replaces = changes.clone();
    let proposed = visit.app().run(move |app| {
        let replaces = replaces.as_ref().map(|(id, text)| (id.as_str(), text.as_str()));
        say::propose_terms(app, &caller, terms, replaces)
    });
    match proposed.await {
        Ok(made) => done(Agreement(&made.agreement), Notice::AgreementProposed),
        Err(error) if matches!(error.kind, Kind::Unprocessable | Kind::Invalid(_)) => {
            shown(visit, changes, chosen, Some(error.message))
        }
        Err(error) => Err(error.into()),
    }
}

fn typed(form: &DraftForm) -> Chosen {
    Chosen {
        title: Field::required(form.text("title"), 200),
        parties: form.all("party"),
        from: Field::required(form.text("from"), 10),
        until: Field::required(form.text("until"), 10),
        notice: Field::required(form.text("notice"), 3),
        clauses: form.clauses(),
    }
}

/// The text that the form stands for; `None` where a field has a fault, which is then marked.
fn terms(app: &App, chosen: &mut Chosen, old: Option<&Terms>) -> Option<Terms> {
    let day = |field: &mut Field| {
        let range = fhir::time::parse(&field.value).filter(|_| field.value.len() == 10);
        if range.is_none() && field.is_sound() {
            field.fault = Some(FieldFault::NotADate);
        }
        range
    };
    let (from, until) = (day(&mut chosen.from), day(&mut chosen.until));
    let notice = chosen.notice.value.parse::<u32>().ok().filter(|days| (1..=365).contains(days));
    if notice.is_none() && chosen.notice.is_sound() {
        chosen.notice.fault = Some(FieldFault::NotAChoice);
    }
    if !chosen.title.is_sound() {
        return None;
    }
    let parties = match old {
        Some(old) => old.parties.clone(),
        None => parties(app, &chosen.parties),
    };
    let orgs: Vec<Box<str>> = parties.iter().map(|party| party.org.clone()).collect();
    let clauses = chosen.clauses.iter().map(|one| clause(one, base(one, old), &orgs));
    Some(Terms {
        id: "".into(),
        version: 1,
        replaces: None,
        issued_ms: 0,
        title: chosen.title.value.as_str().into(),
        from_ms: from?.start_ms,
        until_ms: until?.end_ms,
        notice_days: notice?,
        clauses: clauses.collect(),
        parties,
    })
}

/// The chosen parties and this organisation.
fn parties(app: &App, chosen: &[String]) -> Vec<Party> {
    let all = std::iter::once(&app.org().id).chain(chosen);
    let mut named: Vec<Party> =
        all.map(|org| Party { name: name_of(app, org).into(), org: org.as_str().into() }).collect();
    named.sort();
    named.dedup();
    named
}

/// The clause of the changed version that a chosen one was.
fn base<'a>(one: &ChosenClause, old: Option<&'a Terms>) -> Option<&'a Clause> {
    old?.clauses.get(one.base.checked_sub(1)?)
}

/// The clause that is chosen, with what it was before as far as the form has no choices for that.
fn clause(chosen: &ChosenClause, was: Option<&Clause>, orgs: &[Box<str>]) -> Clause {
    let mut purposes: Vec<_> =
        chosen.purposes.iter().filter_map(|code| policy::Purpose::find(code)).collect();
    let mut obligations: Vec<_> =
        chosen.obligations.iter().filter_map(|code| Obligation::find(code)).collect();
    if let Some(was) = was {
        purposes.extend(was.purposes.iter().filter(|one| is_other_purpose(one)));
        obligations.extend(was.obligations.iter().filter(|one| is_other_obligation(one)));
    }
    purposes.sort();
    purposes.dedup();
    obligations.sort();
    obligations.dedup();
    let before = was.map(|was| was.ceiling).unwrap_or(Confidentiality::Normal);
    Clause {
        asks: was.map_or_else(|| orgs.to_vec(), |was| was.asks.clone()),
        answers: was.map_or_else(|| orgs.to_vec(), |was| was.answers.clone()),
        purposes,
        classes: classes(&chosen.kinds, was),
        ceiling: Confidentiality::find(&chosen.ceiling).unwrap_or(before),
        topics: was.map(|was| was.topics.clone()).unwrap_or_default(),
        obligations,
    }
}

/// The classes of the chosen types; who the patient is goes with each. Categories within a type, and
/// types that the form does not offer, stay as they were.
fn classes(kinds: &[String], was: Option<&Clause>) -> Vec<Class> {
    let before: &[Class] = was.map(|was| was.classes.as_slice()).unwrap_or_default();
    let all = kinds.iter().any(|kind| kind == "*");
    let mut classes: Vec<Class> = Vec::new();
    let mut take = |kind: Option<&'static str>| {
        let same = before.iter().filter(|class| class.kind == kind);
        let known = classes.len();
        classes.extend(same.cloned());
        if classes.len() == known {
            classes.push(Class { kind, categories: Vec::new() });
        }
    };
    if all {
        take(None);
    } else {
        let known = kinds.iter().filter_map(|kind| fhir::resource_type(kind));
        known.for_each(|kind| take(Some(kind)));
        let is_chosen = kinds.iter().any(|kind| fhir::resource_type(kind).is_some());
        if is_chosen || before.iter().any(is_other_kind) {
            take(Some("Patient"));
        }
        classes.extend(before.iter().filter(|class| is_other_kind(class)).cloned());
    }
    classes.sort();
    classes.dedup();
    classes
}

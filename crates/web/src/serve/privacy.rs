//! The privacy officer's pages: uses of emergency access, refusals, objections of patients, the
//! witnesses of audit logs and their comparison.

use app::audit::alarm::{self, Finding};
use app::audit::watch::watch;
use app::audit::{objection, reconcile};
use app::consent::break_glass::{self, Override};
use app::records::search;
use app::{App, Error};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::response::Response;
use fhir::{Resource, Value};
use serde::Deserialize;

use super::patient::{name_of, standing_of};
use super::person::{parse, text};
use super::session::{Made, Visit, done, id, page};
use crate::chrome::{Notice, Role};
use crate::form::Field;
use crate::paths::{BreakGlassReviews, Denials, Encoded, Objections, Reconciliation, Witnesses};
use crate::privacy::break_glass::{
    self as pages, BreakGlassView, Outcome, Review, ReviewForm, Use,
};
use crate::privacy::denials::{self, Denial, DenialsView, Ground};
use crate::privacy::objections::{self as objections_page, AnswerForm, Case, ObjectionsView};
use crate::privacy::reconciliation::{
    self as reconciliation_page, Compared, Gap, ReconciliationView,
};
use crate::privacy::witnesses::{
    self as witnesses_page, AcceptForm, Alarm, Watched, WitnessesView,
};
use crate::terms::Purpose;

const OFFICER: &[Role] = &[Role::PrivacyOfficer];
const WATCHERS: &[Role] = &[Role::PrivacyOfficer, Role::Operator];
/// Refusals on a page.
const COUNT: usize = 50;

/// `GET /privacy/break-glass`
pub async fn reviews(visit: Visit) -> Response {
    let made = try_reviews(&visit, None).await;
    visit.finish(made)
}

/// The page; `typed` are the fields of a review that had a fault, with the id of its use.
async fn try_reviews(visit: &Visit, typed: Option<(String, Field, Field)>) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let list = visit.app().run(move |app| break_glass::list(app, &caller)).await?;
    let mut view = BreakGlassView::default();
    for one in &list {
        let mut shown = use_view(one);
        if let Some((_, outcome, comment)) = typed.as_ref().filter(|(id, ..)| *id == shown.id) {
            (shown.outcome, shown.comment) = (outcome.clone(), comment.clone());
        }
        match shown.review {
            None => view.waiting.push(shown),
            Some(_) => view.reviewed.push(shown),
        }
    }
    // The list is newest first, and who has waited longest comes first.
    view.waiting.reverse();
    page(pages::render(&view, &visit.chrome)?)
}

fn use_view(one: &Override) -> Use {
    Use {
        id: one.task.to_string(),
        at_ms: one.start_ms,
        until_ms: one.end_ms,
        who: one.name.clone(),
        organisation: one.organisation.clone(),
        // The privacy officer may not read demographics; the id leads whoever may to the person.
        patient: one.patient.to_string(),
        patient_identifier: String::new(),
        reason: one.reason.clone(),
        seen: Vec::new(),
        // The notice is written in one transaction with the use itself.
        patient_told: true,
        review: one.review.as_deref().map(|finding| read_finding(finding, one.changed_ms)),
        outcome: Field::default(),
        comment: Field::default(),
    }
}

/// A review as the text of the finding: `justified (Jonas Weber): comment`.
fn finding(outcome: Outcome, by: &str, comment: &str) -> String {
    format!("{} ({by}): {comment}", outcome.code())
}

fn read_finding(finding: &str, at_ms: i64) -> Review {
    let read = || {
        let (code, rest) = finding.split_once(" (")?;
        let (by, comment) = rest.split_once("):")?;
        Some((Outcome::from_code(code)?, by, comment.trim()))
    };
    // A review written by another program is in words only; it is open to judgement.
    let (outcome, by, comment) = read().unwrap_or((Outcome::InClarification, "", finding));
    Review { outcome, comment: comment.to_owned(), by: by.to_owned(), at_ms }
}

/// `POST /privacy/break-glass/{id}/review`
pub async fn review(
    visit: Visit,
    Path(task): Path<String>,
    form: Result<Form<ReviewForm>, FormRejection>,
) -> Response {
    let made = try_review(&visit, task, form).await;
    visit.finish(made)
}

async fn try_review(
    visit: &Visit,
    task: String,
    form: Result<Form<ReviewForm>, FormRejection>,
) -> Made {
    let user = visit.require(OFFICER)?;
    let (outcome, comment) = match visit.form(form)?.read() {
        Ok(read) => read,
        Err((outcome, comment)) => return try_reviews(visit, Some((task, outcome, comment))).await,
    };
    let finding = finding(outcome, &user.name, &comment);
    let (caller, task) = (visit.caller(user), id(&task)?);
    visit.app().run(move |app| break_glass::review(app, &caller, &task, &finding)).await?;
    done(BreakGlassReviews, Notice::ReviewSaved)
}

/// Where in the list of refusals the reader is.
#[derive(Default, Deserialize)]
pub struct Turn {
    page: Option<String>,
    #[serde(default)]
    offset: usize,
}

/// `GET /privacy/denials`
pub async fn denials(visit: Visit, turn: Result<Query<Turn>, QueryRejection>) -> Response {
    let made = try_denials(&visit, turn.map(|Query(turn)| turn).unwrap_or_default()).await;
    visit.finish(made)
}

async fn try_denials(visit: &Visit, turn: Turn) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let view = visit
        .app()
        .run(move |app| {
            let found = match &turn.page {
                Some(token) => search::turn(app, &caller, token, turn.offset, COUNT)?,
                None => {
                    let params = [("outcome", "4"), ("_sort", "-date"), ("_count", "50")];
                    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    search::search(app, &caller, "AuditEvent", &params, "AuditEvent?outcome=4")?
                }
            };
            let next = found.offset + found.matches.len();
            let more = next < usize::try_from(found.total).unwrap_or(usize::MAX);
            let token = found.token.as_deref().filter(|_| more);
            let older =
                token.map(|token| format!("{Denials}?page={}&offset={next}", Encoded(token)));
            let mut list = Vec::with_capacity(found.matches.len());
            for stored in found.matches {
                list.extend(denial(app, &parse(stored)?));
            }
            Ok::<_, Error>(DenialsView { denials: list, older })
        })
        .await?;
    page(denials::render(&view, &visit.chrome)?)
}

fn denial(app: &App, event: &Resource) -> Option<Denial> {
    let root = event.root();
    let at_ms = fhir::time::parse(&root.str_at("recorded")?)?.start_ms;
    let is_requestor =
        |agent: &Value<'_>| agent.get("requestor").and_then(Value::as_bool) == Some(true);
    let agent = root.get("agent").and_then(|agents| agents.items().find(is_requestor));
    let asker = |path: &[&str]| text(agent.and_then(|agent| agent.path(path)));
    let system = asker(&["who", "identifier", "system"]).unwrap_or_default();
    let org = system
        .strip_prefix("urn:consilium:org:")
        .and_then(|rest| rest.strip_suffix(":account"))
        .unwrap_or(&app.org().id);
    let purpose = root
        .get("purposeOfEvent")
        .and_then(|list| list.items().next()?.get("coding")?.items().next()?.get("code"));
    let patient = root.get("entity").and_then(|entities| {
        let references = entities.items().filter_map(|e| e.path(&["what", "reference"]));
        references
            .filter_map(|reference| text(Some(reference)))
            .find_map(|reference| reference.strip_prefix("Patient/").map(ToOwned::to_owned))
    });
    Some(Denial {
        at_ms,
        who: asker(&["who", "display"]).unwrap_or_default(),
        organisation: name_of(app, org),
        purpose: Purpose::from_code(&text(purpose).unwrap_or_default()),
        patient: patient.unwrap_or_default(),
        ground: ground(&text(root.get("outcomeDesc")).unwrap_or_default()),
    })
}

/// The ground of a refusal, from the code of the rule that the entry names.
fn ground(rule: &str) -> Ground {
    let names = |words: &[&str]| words.iter().any(|word| rule.contains(word));
    if names(&["second-factor", "credentials", "throttled", "no-session", "authentication"]) {
        Ground::Authentication
    } else if names(&["evidence"]) {
        Ground::Evidence
    } else if names(&["consent", "withheld"]) {
        Ground::Consent
    } else if names(&["identity", "assertion", "signature", "replay"]) {
        Ground::Identity
    } else if rule.is_empty() {
        Ground::Other
    } else {
        Ground::Policy
    }
}

/// `GET /privacy/witnesses`
pub async fn witnesses(visit: Visit) -> Response {
    let made = try_witnesses(&visit, None).await;
    visit.finish(made)
}

/// The page; `typed` is the reason of a form that had a fault, with the log that it is about.
async fn try_witnesses(visit: &Visit, typed: Option<(String, Field)>) -> Made {
    let user = visit.require(WATCHERS)?;
    let (caller, may_accept) = (visit.caller(user), visit.require(OFFICER).is_ok());
    let found = visit.app().run(move |app| watch(app, &caller)).await?;
    let app = visit.app();
    let peers = found.pairs.into_iter().map(|pair| Watched {
        name: name_of(app, &pair.org),
        cosigned: pair.cosigned,
        witnessed: pair.witnessed,
    });
    let reason = |log: &str| {
        let typed = typed.as_ref().filter(|(about, _)| about == log);
        typed.map(|(_, field)| field.clone()).unwrap_or_default()
    };
    let alarms = found.alarms.into_iter().map(|alarm| Alarm {
        at_ms: alarm.found_ms,
        log: name_of(app, &alarm.log),
        reason: reason(&alarm.log),
        org: alarm.log,
        accepted: alarm.accepted.map(|accepted| (accepted.by, accepted.at_ms, accepted.reason)),
        witness: name_of(app, &alarm.witness),
        shortened: alarm.finding == Finding::Shortened,
        cosigned: alarm.cosigned,
        offered: alarm.offered,
        cosigned_note: alarm.cosigned_note,
        offered_note: alarm.offered_note,
    });
    let view = WitnessesView {
        entries: found.head.number,
        root: crypto::hash::hex(&found.head.hash),
        peers: peers.collect(),
        alarms: alarms.collect(),
        may_accept,
    };
    page(witnesses_page::render(&view, &visit.chrome)?)
}

/// `POST /privacy/witnesses/{id}/accept`
pub async fn accept(
    visit: Visit,
    Path(log): Path<String>,
    form: Result<Form<AcceptForm>, FormRejection>,
) -> Response {
    let made = try_accept(&visit, log, form).await;
    visit.finish(made)
}

async fn try_accept(
    visit: &Visit,
    log: String,
    form: Result<Form<AcceptForm>, FormRejection>,
) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let reason = match visit.form(form)?.read() {
        Ok(reason) => reason,
        Err(field) => return try_witnesses(visit, Some((log, field))).await,
    };
    visit.app().run(move |app| alarm::accept(app, &caller, &log, &reason)).await?;
    done(Witnesses, Notice::LogAccepted)
}

/// `GET /privacy/objections`
pub async fn objections(visit: Visit) -> Response {
    let made = try_objections(&visit, None).await;
    visit.finish(made)
}

/// The page; `typed` are the fields of an answer that had a fault, with the id of its objection.
async fn try_objections(visit: &Visit, typed: Option<(String, Field, Field)>) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let found = visit.app().run(move |app| objection::cases(app, &caller)).await?;
    let mut view = ObjectionsView::default();
    for case in &found {
        let mut shown = case_view(visit.app(), case);
        if let Some((_, outcome, answer)) = typed.as_ref().filter(|(id, ..)| *id == shown.id) {
            (shown.typed_outcome, shown.typed_answer) = (outcome.clone(), answer.clone());
        }
        match case.matter.state.is_open() {
            true => view.waiting.push(shown),
            false => view.answered.push(shown),
        }
    }
    view.waiting.sort_by_key(|case| case.due_ms);
    page(objections_page::render(&view, &visit.chrome)?)
}

fn case_view(app: &App, case: &objection::Case) -> Case {
    let one = &case.matter;
    let access = case.access.as_ref().map(|access| {
        let organisation = name_of(app, &access.organisation);
        // Where a node acted of itself, there is no person.
        let who = if access.user.is_empty() { organisation.clone() } else { access.user.clone() };
        (who, organisation, Purpose::from_code(&access.purpose), access.recorded_ms)
    });
    Case {
        id: one.task.to_string(),
        at_ms: one.opened_ms,
        due_ms: one.due_ms,
        standing: standing_of(one),
        patient: one.patient.to_string(),
        from: name_of(app, &one.origin.0),
        reason: one.reason.clone(),
        access,
        answer: one.answer.clone(),
        typed_outcome: Field::default(),
        typed_answer: Field::default(),
    }
}

/// `POST /privacy/objections/{id}/answer`
pub async fn answer(
    visit: Visit,
    Path(task): Path<String>,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Response {
    let made = try_answer(&visit, task, form).await;
    visit.finish(made)
}

async fn try_answer(
    visit: &Visit,
    task: String,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let (upheld, answer) = match visit.form(form)?.read() {
        Ok(read) => read,
        Err((outcome, answer)) => {
            return try_objections(visit, Some((task, outcome, answer))).await;
        }
    };
    let task = id(&task)?;
    visit.app().run(move |app| objection::answer(app, &caller, &task, upheld, &answer)).await?;
    done(Objections, Notice::ObjectionAnswered)
}

/// `GET /privacy/reconciliation`
pub async fn reconciliation(visit: Visit) -> Response {
    let made = try_reconciliation(&visit, None).await;
    visit.finish(made)
}

/// The page; `typed` is the explanation of a form that had a fault, with whom it is about.
async fn try_reconciliation(visit: &Visit, typed: Option<(String, Field)>) -> Made {
    let user = visit.require(WATCHERS)?;
    let (caller, may_close) = (visit.caller(user), visit.require(OFFICER).is_ok());
    let (standings, gaps) = visit.app().run(move |app| reconcile::review(app, &caller)).await?;
    let app = visit.app();
    let peers = standings.into_iter().map(|(org, standing)| Compared {
        name: name_of(app, &org),
        until_ms: (standing.until_ms > 0).then_some(standing.until_ms),
        entries: standing.entries as u64,
        failed: standing.failed,
    });
    let gaps = gaps.into_iter().map(|gap| Gap {
        name: name_of(app, &gap.org),
        here: gap.finding == reconcile::Finding::NoQuestionHere,
        request: gap.request_id,
        at_ms: gap.recorded_ms,
        closed: gap.closed,
        reason: match &typed {
            Some((about, field)) if *about == gap.org => field.clone(),
            _ => Field::default(),
        },
        org: gap.org,
    });
    let view = ReconciliationView { peers: peers.collect(), gaps: gaps.collect(), may_close };
    page(reconciliation_page::render(&view, &visit.chrome)?)
}

/// `POST /privacy/reconciliation/{id}/close`
pub async fn close(
    visit: Visit,
    Path(org): Path<String>,
    form: Result<Form<AcceptForm>, FormRejection>,
) -> Response {
    let made = try_close(&visit, org, form).await;
    visit.finish(made)
}

async fn try_close(
    visit: &Visit,
    org: String,
    form: Result<Form<AcceptForm>, FormRejection>,
) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let reason = match visit.form(form)?.read() {
        Ok(reason) => reason,
        Err(field) => return try_reconciliation(visit, Some((org, field))).await,
    };
    visit.app().run(move |app| reconcile::close(app, &caller, &org, &reason)).await?;
    done(Reconciliation, Notice::GapsClosed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_read_back_as_it_was_written() {
        for (outcome, by, comment) in [
            (Outcome::Justified, "Jonas Weber", ""),
            (Outcome::NotJustified, "J. (deputy)", "neighbour (see: letter)"),
        ] {
            let text = finding(outcome, by, comment);
            let review = read_finding(&text, 7);
            assert_eq!((review.outcome, review.at_ms), (outcome, 7), "{text}");
            assert_eq!((review.by.as_str(), review.comment.as_str()), (by, comment), "{text}");
        }
        let foreign = read_finding("it was fine", 7);
        assert_eq!((foreign.outcome, foreign.by.as_str()), (Outcome::InClarification, ""));
        assert_eq!(foreign.comment, "it was fine");
    }

    #[test]
    fn rules_are_grouped_by_what_a_reader_can_do_about_them() {
        for (rule, expected) in [
            ("ask second-factor-too-old", Ground::Authentication),
            ("invalid-credentials", Ground::Authentication),
            ("ask evidence-missing", Ground::Evidence),
            ("withheld by consent", Ground::Consent),
            ("read role-purpose", Ground::Policy),
            ("", Ground::Other),
        ] {
            assert_eq!(ground(rule), expected, "{rule}");
        }
    }
}

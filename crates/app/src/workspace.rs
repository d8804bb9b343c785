//! The workspace: SQL over the records for researchers, who see aggregates over people and never a row.
//!
//! A query runs in a project that everybody has approved, that names `sql` among its analyses, and of
//! which this institution is a holder. It sees whoever takes part in research at that moment. The lake's
//! own rules decide what is shown ([`::lake::Engine::aggregates`]). That somebody asks is in the audit with a
//! hash of the text before any row is read, and what is refused beside it: who closes the connection
//! leaves a trace.
//!
//! Nor do answers together show fewer people than one may: what was shown within a year, here and in other
//! projects, is kept ([`shown`]). Where a query cannot be answered of the records as they are, since few
//! people came or went after an earlier answer, it is answered of the records as they were when that
//! was given, if that was within a day, without whoever has left research since. That a query is refused so
//! tells something, too, and so a project is refused so often and no more.

pub(crate) mod shown;

use std::sync::Arc;

use ::lake::{Answer, Rules};
use store::Snapshot;
use wire::OrgId;

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::projects::{self, Known};
use crate::{App, Caller, Error, Kind, Result, lake};

pub use ::lake::{Frame, MAX_QUERY_BYTES, NamedColumn, Refused, Rule, Values};

/// The analysis that a project names where its researchers may ask by SQL.
pub const ANALYSIS: &str = "sql";
/// Groups of fewer people are not shown.
pub const LEAST_PEOPLE: u32 = 10;
/// What the rules are called in the audit beside those of the lake.
const NOT_ALLOWED: &str = "project";
const BUSY: &str = "busy";
/// The rule of a limit, whichever it was.
const LIMIT: &str = "limit";

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The groups that are shown.
    pub frame: Frame,
    /// Groups of fewer people are left out.
    pub min_cell: u32,
    /// When the records were as they were asked, in milliseconds since the Unix epoch; `None` for now.
    pub as_of_ms: Option<i64>,
}

/// A table that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its columns: name, type, and whether it tells who somebody is, which can be counted and joined by
    /// alone.
    pub columns: Vec<(String, &'static str, bool)>,
}

/// The tables that can be asked, by name. Blocks.
///
/// Errors: [`Kind::Busy`] while the lake is not open, [`Kind::Conflict`] where there is none.
pub fn views(app: &App, caller: &Caller) -> Result<Vec<View>> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let look = lake::look(app)?;
    let mut views: Vec<View> = look
        .snapshot
        .tables()
        .map(|(name, columns)| View {
            name: name.to_owned(),
            columns: columns
                .iter()
                .map(|column| (column.name.clone(), word(column.kind), column.identifier))
                .collect(),
        })
        .collect();
    views.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(views)
}

fn word(kind: ::lake::Kind) -> &'static str {
    match kind {
        ::lake::Kind::Boolean => "boolean",
        ::lake::Kind::Integer => "integer",
        ::lake::Kind::Number => "number",
        ::lake::Kind::Text => "text",
        ::lake::Kind::Date => "date",
        ::lake::Kind::Moment => "moment",
    }
}

/// Whether somebody may ask in a project at this institution: what the pages offer. Blocks.
pub fn is_open(app: &App, caller: &Caller, known: &Known) -> bool {
    stands(app, caller, known).is_ok()
}

/// Answers a query. For researchers who are named in the project, with a second factor of the last
/// hour. Dropping the future ends the query.
///
/// Errors: [`Kind::NotFound`] for an unknown project; [`Kind::Conflict`] where not everybody has approved;
/// [`Kind::Forbidden`] with the rule of the project or of the lake that stands against it; an invalid value
/// where it is no SQL; [`Kind::TooCostly`] beyond a limit; [`Kind::Busy`] where others ask.
pub async fn ask(app: &App, caller: &Caller, project: &str, sql: &str) -> Result<Answered> {
    let asked = Asked {
        caller: caller.clone(),
        project: project.to_owned(),
        hash: crypto::hash::hex(&crypto::sha256(sql.as_bytes())),
    };
    let begin = asked.clone();
    app.run(move |app| begin.allowed(app)).await?;
    let Ok(leave) = app.lake().ask() else {
        app.run(move |app| asked.refuse(app, BUSY)).await?;
        return Err(shown::busy());
    };
    let found = answer(app, project, sql).await;
    drop(leave);
    app.run(move |app| asked.audited(app, found)).await
}

/// Why there is no answer.
enum Against {
    /// A rule of the lake, or a limit.
    Query(Refused),
    /// Something else.
    Node(Error),
}

impl From<Error> for Against {
    fn from(error: Error) -> Self {
        Self::Node(error)
    }
}

/// Answers a query of the records as they are or, where earlier answers stand against that and not
/// against it, as they were when the first answer within a day was given.
async fn answer(app: &App, project: &str, sql: &str) -> std::result::Result<Answered, Against> {
    let mut refused = None;
    for of_before in [false, true] {
        let turn = app.lake().shown_by_sql.turn(app, project).await?;
        // Who has left research while it waited is not in it.
        let look = app.run(lake::look).await?;
        let (as_of_ms, tables) = match (of_before, look.open.held(app.now_ms())) {
            (false, _) => (None, Arc::clone(&look.snapshot)),
            (true, Some((at_ms, before))) => (Some(at_ms), before.seen_by(&look.snapshot)),
            (true, None) => break,
        };
        let (engine, rules) = (&look.open.engine, Rules::new(LEAST_PEOPLE));
        match engine.aggregates(&tables, sql, rules, turn).await {
            Ok((Answer { frame, min_cell }, turn)) => {
                // Nothing is shown before it is kept what is.
                app.run(move |app| turn.kept(app)).await?;
                if as_of_ms.is_none() {
                    look.hold(app.now_ms());
                }
                return Ok(Answered { frame, min_cell, as_of_ms });
            }
            Err(why) if is_beside(&why) => {
                refused.get_or_insert(why);
            }
            Err(why) => return Err(Against::Query(why)),
        }
    }
    let not_tried = || Error::internal("a query was not tried").into();
    Err(refused.map_or_else(not_tried, Against::Query))
}

/// Whether a query is refused because of what was shown earlier.
fn is_beside(why: &Refused) -> bool {
    matches!(why.rule, Rule::Differencing | Rule::Groups)
}

/// A query as the audit knows it.
#[derive(Clone)]
struct Asked {
    caller: Caller,
    project: String,
    hash: String,
}

impl Asked {
    /// Whether it may be asked. That it is asked is in the audit before.
    fn allowed(&self, app: &App) -> Result<()> {
        authorise(app, &self.caller, Action::of(policy::Action::Explore))?;
        let snapshot = app.store().snapshot()?;
        let known = known(&*snapshot, &self.project)?;
        let stands = stands(app, &self.caller, &known)
            .and_then(|()| shown::has_refusals_left(app, &*snapshot, &self.project));
        match stands {
            Ok(()) => {
                let note = format!("asks the records by SQL of SHA-256 {}", self.hash);
                app.audit(self.event(Pattern::Query).note(note))
            }
            Err(error) => {
                let rule = error.rule.clone().unwrap_or_else(|| NOT_ALLOWED.to_owned());
                self.refuse(app, &rule)?;
                Err(error)
            }
        }
    }

    /// What was found; what is refused is in the audit.
    fn audited(
        &self,
        app: &App,
        found: std::result::Result<Answered, Against>,
    ) -> Result<Answered> {
        match found {
            Ok(answer) => Ok(answer),
            Err(Against::Query(against)) => {
                if is_beside(&against) {
                    shown::note_refusal(app, &self.project)?;
                }
                self.refuse(app, against.rule.name())?;
                Err(told(against))
            }
            Err(Against::Node(error)) => {
                self.refuse(app, BUSY)?;
                Err(error)
            }
        }
    }

    fn refuse(&self, app: &App, rule: &str) -> Result<()> {
        let why = format!("rule {rule}: SQL of SHA-256 {} is not answered", self.hash);
        app.audit(self.event(Pattern::Refuse).refused(why))
    }

    fn event(&self, pattern: Pattern) -> Event<'_> {
        Event::by(&self.caller, pattern).data(format!("ResearchStudy/{}", self.project))
    }
}

fn known(snapshot: &dyn Snapshot, id: &str) -> Result<Known> {
    projects::known(snapshot, id)
}

/// Whether a project lets the caller ask here now.
fn stands(app: &App, caller: &Caller, known: &Known) -> Result<()> {
    let (own, now) = (app.network().own(), app.now_ms());
    let against =
        |rule: &str, message: String| Err(Error::new(Kind::Forbidden, message).by_rule(rule));
    if known.project.coordinator != *own || !known.project.holders.contains(own) {
        let message = "SQL is asked where the project was applied for, of data that are held there";
        return against("sites", message.to_owned());
    }
    if !known.project.researchers.iter().any(|one| one.account == caller.user.id) {
        return against("asker", "who asks is not named in the project".to_owned());
    }
    if !known.project.analyses.iter().any(|kind| kind == ANALYSIS) {
        return against(
            "analysis",
            format!("the project does not allow the analysis `{ANALYSIS}`"),
        );
    }
    if let Some(ended) = &known.ended {
        return Err(Error::new(Kind::Conflict, ended.reason()));
    }
    let open =
        known.parties().into_iter().filter(|party: &OrgId| !known.is_approved_by(party, now));
    let open: Vec<String> = open.map(|party| format!("`{party}`")).collect();
    if !open.is_empty() {
        let message = format!("the project is not approved by {}", open.join(", "));
        return Err(Error::new(Kind::Conflict, message));
    }
    Ok(())
}

/// The rule of the lake that stands against a researcher's query. Which limit was reached depends on rows
/// that the researcher does not see, so all are told alike.
fn told(against: Refused) -> Error {
    match against.rule {
        Rule::Time | Rule::Memory | Rule::Failed => {
            let message = "rule limit, query: the query needs more time or memory than it may have";
            Error::new(Kind::TooCostly, message).by_rule(LIMIT)
        }
        _ => refused(against),
    }
}

/// The rule of the lake that stands against a query.
pub(crate) fn refused(against: Refused) -> Error {
    let kind = match against.rule {
        Rule::Syntax | Rule::OneQuery | Rule::QuerySize | Rule::Unknown | Rule::Plan => {
            Kind::Invalid("value")
        }
        Rule::Time | Rule::Memory | Rule::Rows => Kind::TooCostly,
        Rule::Failed => Kind::Unprocessable,
        _ => Kind::Forbidden,
    };
    Error::new(kind, against.to_string()).by_rule(against.rule.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_researcher_is_not_told_which_limit_was_reached() {
        let refused = |rule, place: &str| Refused { rule, place: place.to_owned() };
        let told = [
            told(refused(Rule::Time, "query")),
            told(refused(Rule::Memory, "answer")),
            told(refused(Rule::Failed, "session")),
        ];
        let shown = |one: &Error| (one.kind.clone(), one.message.clone(), one.rule.clone());
        for one in &told {
            assert_eq!(shown(one), shown(&told[0]));
        }
    }
}

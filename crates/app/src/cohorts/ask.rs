//! Asking: this institution, or all of the network.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use population::criteria::Cohort;
use population::distinct::{self, Cells, Merged, Sketch};
use wire::{CohortRequest, Raw};

use super::count::{Asker, Given, give};
use super::question::{Dealt, Question, cells_for};
use super::told::{self, Answer, Institution, Plan, Status};
use super::{LEAST, elsewhere, keep};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::budget::{self, Ledger};
use crate::{App, Caller, Error, Kind, Result};

/// How many matching people at each institution the error is stated for before anything is counted.
const SUPPOSED: u64 = 1_000;

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This institution.
    Own,
    /// Every institution of the network.
    Network,
}

/// A question of a researcher.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who is looked for.
    pub cohort: Cohort,
    /// What it may tell of a person at each institution: ε in millionths. Over the network half of it is for the
    /// numbers of the steps, half for the number of different people.
    pub micro_epsilon: u64,
    /// Who is asked.
    pub reach: Reach,
}

impl Asked {
    /// The question without what deals its sketch, and ε of the sketch.
    fn question(&self, app: &App) -> Result<(Question, Option<u64>)> {
        let (steps, sketch) = match self.reach {
            Reach::Own => (self.micro_epsilon, None),
            Reach::Network => (self.micro_epsilon.div_ceil(2), Some(self.micro_epsilon / 2)),
        };
        Ok((Question::today(app, self.cohort.clone(), steps)?, sketch))
    }
}

/// What a question would cost, and how far off its numbers would be. Spends nothing and counts nothing. Blocks.
///
/// Errors: [`Kind::Forbidden`], [`Kind::StepUp`] by policy; [`Kind::Invalid`] for criteria that make no sense.
pub fn plan(app: &App, caller: &Caller, asked: &Asked) -> Result<Plan> {
    authorise(app, caller, Action::of(policy::Action::Explore))?;
    check(&asked.cohort)?;
    let (question, sketch) = asked.question(app)?;
    let sites = match asked.reach {
        Reach::Own => 1,
        Reach::Network => 1 + app.network().active_others().len(),
    };
    let parts = question.parts();
    let rows = told::rows(&asked.cohort).into_iter().enumerate();
    let line = |(at, row)| Ok((row, told::error(question.steps, parts, at, sites)?));
    let lines = rows.map(line).collect::<Result<_>>()?;
    let distinct_error = sketch.map(|micro_epsilon| {
        let cells = cells_for(SUPPOSED, micro_epsilon).map_err(no_cells)?;
        let sites = u32::try_from(sites).unwrap_or(u32::MAX);
        Ok::<_, Error>(distinct::expected_error(cells, sites, SUPPOSED).ceil() as u64)
    });
    let ledger = Ledger::read(app, &*app.store().snapshot()?)?;
    let account = budget::account(app.org().id.as_str(), &caller.user.id);
    Ok(Plan {
        sentences: asked.cohort.sentences(),
        lines,
        distinct_error: distinct_error.transpose()?,
        sites,
        micro_epsilon: asked.micro_epsilon,
        budget: ledger.standing(app, &account),
    })
}

fn check(cohort: &Cohort) -> Result<()> {
    cohort.check().map_err(|fault| Error::invalid("value", fault.to_string()))
}

fn no_cells(error: distinct::SketchError) -> Error {
    Error::invalid("value", error.to_string())
}

/// Counts a cohort. This institution answers first: where it refuses, nobody else is asked.
///
/// Errors: those of [`plan`]; [`Kind::Forbidden`] by the rule `budget` where this institution's budget does not
/// cover the question; [`Kind::Busy`].
pub async fn ask(app: &App, caller: Caller, asked: Asked) -> Result<Answer> {
    let (by, cohort) = (caller.clone(), asked.cohort.clone());
    app.run(move |app| {
        authorise(app, &by, Action::of(policy::Action::Explore))?;
        check(&cohort)
    })
    .await?;
    if asked.reach == Reach::Network && !*app.answering().borrow() {
        let message = "this node neither asks nor answers others at the moment";
        return Err(Error::new(Kind::Busy, message));
    }
    keep::ready(app).await?;
    let by = caller.clone();
    let (question, own, budget) = app
        .run(move |app| {
            let (question, sketch) = asked.question(app)?;
            let question = match sketch {
                None => question,
                Some(micro_epsilon) => {
                    let key = question.key(app)?;
                    question.with(Dealt { micro_epsilon, cells: None, key })?
                }
            };
            let (own, budget) = here(app, &by, &question)?;
            Ok((question, own, budget))
        })
        .await?;
    let mut institutions = vec![Institution {
        org: app.org().id.clone(),
        name: app.org().name.clone(),
        ..answered(&own)
    }];
    let mut given = vec![own];
    let mut distinct = None;
    if let Some(dealt) = &question.sketch {
        let count = u32::try_from(given[0].sketch.len()).unwrap_or_default();
        let cells = Cells::new(count, dealt.micro_epsilon).map_err(no_cells)?;
        let mut merged = Merged::new(cells);
        merge(&mut merged, cells, &given[0])?;
        let message = message(&question, dealt, cells)?;
        let (stand, mut answers) = elsewhere::ask(app, &caller, message, question.parts()).await?;
        for mut institution in stand {
            if let Some(answer) = answers.remove(&institution.org) {
                match merge(&mut merged, cells, &answer) {
                    Ok(()) => {
                        let named = Institution {
                            name: institution.name,
                            org: institution.org,
                            ..answered(&answer)
                        };
                        given.push(answer);
                        institution = named;
                    }
                    Err(error) => {
                        institution.status = Status::Unreachable;
                        institution.reason = Some(("garbage".to_owned(), error.message));
                    }
                }
            }
            institutions.push(institution);
        }
        distinct = Some(merged.answer(LEAST));
    }
    Ok(Answer {
        sentences: question.cohort.sentences(),
        micro_epsilon: question.costs().iter().sum(),
        lines: told::lines(told::rows(&question.cohort), &given, question.steps)?,
        distinct,
        institutions,
        budget,
    })
}

/// This institution's own answer, and the budget after it.
fn here(app: &App, caller: &Caller, question: &Question) -> Result<(Given, budget::Standing)> {
    let others: Vec<(String, String)> = match question.sketch {
        None => Vec::new(),
        Some(_) => {
            let others = app.network().active_others().into_iter();
            others.map(|member| (member.id.to_string(), member.display_name)).collect()
        }
    };
    let entry = |refused: Option<&str>| match refused {
        None => Event::by(caller, Pattern::Query).asking(others.clone()),
        Some(word) => Event::by(caller, Pattern::Refuse).refused(word),
    };
    let account = budget::account(app.org().id.as_str(), &caller.user.id);
    let asker = Asker { account: account.clone(), entry: &entry };
    let given = give(app, &asker, question)?;
    let ledger = Ledger::read(app, &*app.store().snapshot()?)?;
    Ok((given, ledger.standing(app, &account)))
}

fn answered(given: &Given) -> Institution {
    Institution {
        org: String::new(),
        name: String::new(),
        status: Status::Answered,
        reason: None,
        counted_ms: Some(given.counted_ms),
        again: given.again,
        people: told::shown(&given.parts),
    }
}

fn merge(merged: &mut Merged, cells: Cells, given: &Given) -> Result<()> {
    let sketch = Sketch::from_counts(cells, given.sketch.clone());
    sketch.and_then(|sketch| merged.add(&sketch)).map_err(no_cells)
}

fn message(question: &Question, dealt: &Dealt, cells: Cells) -> Result<CohortRequest> {
    let text = serde_json::to_string(&question.cohort);
    let text = text.map_err(|e| Error::internal(e.to_string()))?;
    Ok(CohortRequest {
        cohort: Raw::new(text).map_err(|e| Error::internal(e.to_string()))?,
        day: question.day().to_owned(),
        steps_micro_epsilon: question.steps,
        sketch_micro_epsilon: dealt.micro_epsilon,
        cells: cells.count(),
        key: STANDARD.encode(dealt.key),
    })
}

//! Running a program as part of a question: the conversation out of sums, wherever a question is led or
//! followed, and a site's vector out of its rows.

use std::thread;
use std::time::{Duration, Instant};

use sandbox::Withheld;
use statistics::{Contribution, Failure, Frame, Progress, Question, Round, Step, Sums};
use store::{Guard, SideWrite, Transaction};
use wire::research::{NamedProgram, Project};

use super::machine::{Held, State, Stopped, TICKS};
use super::named::{is_as_named, of, terms};
use super::shelf::loaded;
use super::{RULE, SPACE};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Result};

/// How often a program may fail over the rows of this institution in a project. It can choose to fail by
/// what it finds in them, so each time tells one bit of somebody.
const MOST_FAILURES: u8 = 3;
/// When a program's vector is handed in at the earliest, counted from its beginning.
const FIRST: Duration = Duration::from_secs(1);

/// The conversation of a question from its beginning, whatever kind of analysis it is. Blocks, and
/// [`Progress::take`] does too.
///
/// # Errors
/// What is wrong with the question; for a program the rule that stands against it.
pub(crate) fn begin(
    app: &App,
    question: &Question,
    project: &Project,
) -> std::result::Result<Box<dyn Progress>, Failure> {
    let named = of(question, project).map_err(|why| Failure::Question(why.to_owned()))?;
    let Some((named, terms)) = named.and_then(|named| Some((named, terms(question, named)?)))
    else {
        return question.start();
    };
    let begun = app.programs().alone(|held| {
        let program = program(app, held, named)?;
        Ok(sandbox::progress(&program, &terms, TICKS))
    });
    let inner = begun.map_err(|stopped| stopped.failure())??;
    Ok(Box::new(Led { state: app.programs().clone(), inner }))
}

/// A program's conversation that takes its turn on the machine.
struct Led {
    state: State,
    inner: Box<dyn Progress>,
}

impl Progress for Led {
    fn first(&self) -> Round {
        self.inner.first()
    }

    fn take(&mut self, sums: &Sums) -> std::result::Result<Step, Failure> {
        let Self { state, inner } = self;
        state.alone(|_| Ok(inner.take(sums))).map_err(|stopped| stopped.failure())?
    }
}

fn program(
    app: &App,
    held: &mut Held,
    named: &NamedProgram,
) -> std::result::Result<sandbox::Program, Stopped> {
    let program = loaded(app, held, &named.hash)?;
    if is_as_named(&program, named) { Ok(program) } else { Err(Stopped::Other) }
}

/// A run at a site.
pub(crate) struct Run<'a> {
    /// The question's id.
    pub inquiry: &'a str,
    /// The project's id.
    pub project: &'a str,
    /// The question.
    pub question: &'a Question,
    /// The program.
    pub named: &'a NamedProgram,
}

/// What a program gives for the rows of this institution in a round, which must be the one that follows from
/// the sums. The rule that it ran into is in the audit here; what is told to others is the same whatever it
/// was. Blocks, for a time of 1, 2, 4, 8 … seconds, so that the time tells little of the rows.
///
/// # Errors
/// This node's own; what may be told to others stands within.
pub(crate) fn contribute(
    app: &App,
    run: &Run<'_>,
    round: &Round,
    rows: &Frame,
) -> Result<std::result::Result<Contribution, String>> {
    let Some(terms) = terms(run.question, run.named) else {
        return Ok(Err("the question asks no program".to_owned()));
    };
    let outcome = app.programs().alone(|held| {
        let before = failures(app, run)?;
        if before.as_deref().map_or(0, counted) >= MOST_FAILURES {
            return Err(Stopped::Failed);
        }
        let program = program(app, held, run.named)?;
        let began = Instant::now();
        let given = sandbox::contribute(&program, &terms, round, rows, TICKS);
        if let Err(withheld) = &given {
            note(app, run, withheld, before).map_err(|_| Stopped::Unread)?;
        }
        Ok((began, given))
    });
    match outcome {
        Ok((began, given)) => {
            wait(began);
            Ok(given.map_err(|withheld| withheld.to_string()))
        }
        Err(stopped) if stopped.is_for_now() => Err(stopped.into()),
        Err(stopped) => Ok(Err(stopped.to_string())),
    }
}

/// How often the program failed over rows here, as it is kept.
fn failures(app: &App, run: &Run<'_>) -> std::result::Result<Option<Vec<u8>>, Stopped> {
    let snapshot = app.store().snapshot().map_err(|_| Stopped::Unread)?;
    snapshot.side(SPACE, &failed_key(run)).map_err(|_| Stopped::Unread)
}

fn counted(kept: &[u8]) -> u8 {
    kept.first().copied().unwrap_or_default()
}

/// Writes down which rule the program ran into, for the institution's own eyes, and counts it.
fn note(app: &App, run: &Run<'_>, withheld: &Withheld, before: Option<Vec<u8>>) -> Result<()> {
    let event = Event::by_node(Pattern::Refuse)
        .request_id(run.inquiry)
        .data(format!("ResearchStudy/{}", run.project))
        .note(format!("a program gives nothing here: {}", withheld.own()))
        .refused(RULE);
    let (mut guards, mut side) = (Vec::new(), Vec::new());
    if withheld.saw_rows() {
        let (space, key) = (SPACE, failed_key(run));
        let count = before.as_deref().map_or(0, counted).saturating_add(1);
        guards.push(Guard::Side { space, key: key.clone(), value: before });
        side.push(SideWrite { space, key, value: Some(vec![count]) });
    }
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { guards, side, writes })?;
    Ok(())
}

fn failed_key(run: &Run<'_>) -> Vec<u8> {
    format!("failed/{}/{}", run.project, run.named.hash).into_bytes()
}

/// Until the next of 1, 2, 4, 8 … seconds after the beginning.
fn wait(began: Instant) {
    let mut until = FIRST;
    while until < began.elapsed() {
        until = until.saturating_mul(2);
    }
    thread::sleep(until.saturating_sub(began.elapsed()));
}

//! Running a program as part of a question: the conversation out of sums, wherever a question is led or
//! followed, and a site's vector out of its rows. That other programs run is nothing about the question:
//! whoever is told so tries again.

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
/// When a program's vector is handed in at the earliest and at the latest, counted from its beginning.
/// A run has 30 seconds.
const HANDED_IN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32));

/// Why a conversation does not go on.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Halt {
    /// Other programs run on this node, or its store does not answer: nothing about the question, which
    /// stands where it stood. In words.
    #[error("{0}")]
    ForNow(String),
    /// The question ends with it.
    #[error(transparent)]
    Ended(#[from] Failure),
}

impl From<Stopped> for Halt {
    fn from(stopped: Stopped) -> Self {
        match stopped.is_for_now() {
            true => Self::ForNow(stopped.to_string()),
            false => Self::Ended(Failure::Question(stopped.to_string())),
        }
    }
}

/// The conversation of a question; a program's takes its turn on the machine.
pub(crate) struct Conversation {
    inner: Box<dyn Progress>,
    /// Where it runs, for a program.
    machine: Option<State>,
}

impl Conversation {
    /// The round to ask first.
    pub fn first(&self) -> Round {
        self.inner.first()
    }

    /// Takes the sums of the last round. Blocks.
    ///
    /// # Errors
    /// After [`Halt::ForNow`] the same sums can be given again.
    pub fn take(&mut self, sums: &Sums) -> std::result::Result<Step, Halt> {
        let Self { inner, machine } = self;
        let step = match machine {
            Some(machine) => machine.alone(|_| Ok(inner.take(sums)))?,
            None => inner.take(sums),
        };
        step.map_err(Halt::Ended)
    }

    /// As [`Progress::rare`].
    pub fn rare(&self, least: u64) -> Option<String> {
        self.inner.rare(least)
    }
}

/// The conversation of a question from its beginning, whatever kind of analysis it is. Blocks.
///
/// # Errors
/// What is wrong with the question; for a program the rule that stands against it, or that it cannot be
/// said for now.
pub(crate) fn begin(
    app: &App,
    question: &Question,
    project: &Project,
) -> std::result::Result<Conversation, Halt> {
    let named = of(question, project).map_err(|why| Failure::Question(why.to_owned()))?;
    let Some((named, terms)) = named.and_then(|named| Some((named, terms(question, named)?)))
    else {
        return Ok(Conversation { inner: question.start()?, machine: None });
    };
    let begun = app.programs().alone(|held| {
        let program = program(app, held, named)?;
        Ok(sandbox::progress(&program, &terms, TICKS))
    });
    Ok(Conversation { inner: begun??, machine: Some(app.programs().clone()) })
}

fn program(
    app: &App,
    held: &Held,
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
/// was. Blocks, for a time of 1, 2, 4 … 32 seconds from the beginning of the run, so that the time tells little
/// of the rows.
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
        .refused(format!("{RULE}: a program gives nothing here: {}", withheld.own()));
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

fn wait(began: Instant) {
    let ran = began.elapsed();
    thread::sleep(handed_in(ran).saturating_sub(ran));
}

/// How long after its beginning the vector of a run is handed in that took so long: the next of 1, 2, 4 … 32
/// seconds.
fn handed_in(ran: Duration) -> Duration {
    let (mut until, last) = HANDED_IN;
    while until < ran && until < last {
        until = until.saturating_mul(2);
    }
    until
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_handed_in_at_few_times_and_within_32_seconds() {
        let at = |ms| handed_in(Duration::from_millis(ms)).as_secs();
        let times = [0, 1_000, 1_001, 7_000, 16_001, 30_200, 40_000].map(at);
        assert_eq!(times, [1, 1, 2, 8, 32, 32, 32]);
    }

    #[test]
    fn that_others_run_ends_no_question() {
        for stopped in [Stopped::Busy, Stopped::Unread] {
            assert!(matches!(Halt::from(stopped), Halt::ForNow(_)));
        }
        for stopped in [Stopped::Absent, Stopped::Other, Stopped::Failed] {
            let words = stopped.to_string();
            let halt = Halt::from(stopped);
            assert!(matches!(halt, Halt::Ended(Failure::Question(why)) if why == words));
        }
    }
}

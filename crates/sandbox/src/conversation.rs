//! The conversation that a program leads: from round to round to the answer.
//!
//! It sees sums alone. It runs where a question is led, and at every site that wants to see for itself
//! that the state it is given follows from the sums: it is the same function everywhere.

use statistics::{Answer, Failure, Progress, Round, Step, Sums};

use crate::asked::Asked;
use crate::call::{Allowance, Call};
use crate::limits::{MOST_ENTRIES, MOST_NAME, MOST_RESULT, MOST_STATE};
use crate::program::{NextOf, Program, Started, Stepped};
use crate::refused::Refused;
use crate::terms::Terms;
use crate::world::{Fault, RawStep, Setting};

/// Bytes that `start` and `next` may give back: a state or result, and entries with their names.
const ROUND_BYTES: usize = 2 * MOST_STATE + MOST_ENTRIES * (MOST_NAME + 64);
const _: () = assert!(ROUND_BYTES > MOST_RESULT, "a result fits");

/// A program's conversation under way.
struct Conversation {
    program: Program,
    terms: Terms,
    setting: Setting,
    ticks: u64,
    first: Round,
    round: Round,
    asked: Asked,
}

/// The conversation of a program from its beginning. Each call has at most `ticks` of the machine's
/// clock; [`Progress::take`] blocks while the program runs.
///
/// # Errors
/// [`Failure::Question`] if the terms and the program do not go together or `start` is refused.
pub fn progress(
    program: &Program,
    terms: &Terms,
    ticks: u64,
) -> Result<Box<dyn Progress>, Failure> {
    Ok(Box::new(Conversation::new(program, terms, ticks).map_err(|rule| failure(rule, 0))?))
}

/// The round that follows from these sums, oldest first: what a site compares with the round that it is
/// asked.
///
/// # Errors
/// [`Refused::Round`] if they lead to the end, else what the program runs into.
pub fn replay(
    program: &Program,
    terms: &Terms,
    sums: &[Sums],
    ticks: u64,
) -> Result<Round, Refused> {
    let mut conversation = Conversation::new(program, terms, ticks)?;
    for sums in sums {
        if let Step::Done(_) = conversation.step(sums)? {
            return Err(Refused::Round);
        }
    }
    Ok(conversation.round)
}

impl Conversation {
    fn new(program: &Program, terms: &Terms, ticks: u64) -> Result<Self, Refused> {
        terms.check(program)?;
        let setting = terms.setting(program)?;
        let call = Call::new(&program.code, allowance(terms, ticks))?;
        let export = &program.exports.start;
        let ((given,), _) = call.run::<(&Setting,), Started>(export, (&setting,))?;
        let asked = Asked::check(given.map_err(Refused::Fault)?)?;
        let first = asked.round(1, terms)?;
        let (program, terms, round) = (program.clone(), terms.clone(), first.clone());
        Ok(Self { program, terms, setting, ticks, first, round, asked })
    }

    fn step(&mut self, sums: &Sums) -> Result<Step, Refused> {
        let parts = self.round.layout.split(&sums.values).map_err(|_| Refused::Sums)?;
        let Some([rows]) = parts.first().copied() else { return Err(Refused::Sums) };
        // Rows are counted exactly far beyond any number of people.
        let is_count = rows.fract() == 0.0 && (0.0..=2_f64.powi(53)).contains(rows);
        if !is_count || sums.sites == 0 {
            return Err(Refused::Sums);
        }
        let own = sums.values.get(1..).ok_or(Refused::Sums)?;
        let call = Call::new(&self.program.code, allowance(&self.terms, self.ticks))?;
        let parameters = (&self.setting, self.asked.state.as_slice(), own, sums.sites);
        let export = &self.program.exports.next;
        let ((given,), _) = call.run::<NextOf<'_>, Stepped>(export, parameters)?;
        match given.map_err(Refused::Fault)? {
            RawStep::Ask(round) => {
                let number = self.round.number + 1;
                if number > self.program.description().most_rounds {
                    return Err(Refused::Rounds);
                }
                self.asked = Asked::check(round)?;
                self.round = self.asked.round(number, &self.terms)?;
                Ok(Step::Ask(self.round.clone()))
            }
            RawStep::Done(result) => {
                if result.len() > MOST_RESULT {
                    return Err(Refused::Result);
                }
                let result = serde_json::from_str(&result).map_err(|_| Refused::Result)?;
                let description = self.program.description();
                let finding =
                    statistics::answer::Finding::Program(statistics::answer::ProgramResult {
                        program: self.program.hash().to_owned(),
                        name: description.name.clone(),
                        version: description.version.clone(),
                        result,
                    });
                Ok(Step::Done(Box::new(Answer {
                    n: *rows as u64,
                    dropped: 0,
                    sites: sums.sites,
                    rounds: self.round.number,
                    finding,
                    noise: None,
                })))
            }
        }
    }
}

impl Progress for Conversation {
    fn first(&self) -> Round {
        self.first.clone()
    }

    fn take(&mut self, sums: &Sums) -> Result<Step, Failure> {
        self.step(sums).map_err(|rule| failure(rule, self.round.number))
    }
}

fn allowance(terms: &Terms, ticks: u64) -> Allowance {
    Allowance { fuel: terms.fuel, memory: terms.memory, ticks, output: ROUND_BYTES }
}

/// A refusal in the words of other analyses. All texts are fixed.
fn failure(rule: Refused, rounds: u32) -> Failure {
    match rule {
        Refused::Sums => Failure::Sums,
        Refused::Fault(fault @ Fault::TooFew) => Failure::TooLittle(fault.to_string()),
        Refused::Fault(fault @ Fault::NoEstimate) => {
            Failure::NoConvergence { rounds, why: fault.to_string() }
        }
        Refused::Rounds => Failure::NoConvergence { rounds, why: rule.to_string() },
        _ => Failure::Question(rule.to_string()),
    }
}

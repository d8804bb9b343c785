//! Research without moving a record: projects, decisions about them, questions that are answered in
//! rounds, and `POST /network/v1/rounds`, by which everybody who takes part hands in what they made
//! and takes what is to be done next.
//!
//! A node only ever calls the coordinator of a project; the coordinator calls nobody. So a node behind
//! a hospital's firewall takes part like any other, as a holder of data and as an aggregator.
//!
//! What a site gives leaves it as two shares, each sealed to one aggregator, and a signature by which
//! an aggregator knows whose it is. The coordinator hands shares on and can open none.

mod council;
mod outcome;
mod program;
mod project;
mod release;
mod report;
mod rounds;
mod share;
mod withdrawal;

use crate::org::OrgId;

pub use council::{CouncilWord, MAX_CONDITIONS};
pub use outcome::{MAX_PUBLICATIONS, Outcome, Publication};
pub use program::{
    MAX_PROGRAM, MAX_PROGRAM_FUEL, MAX_PROGRAM_MEMORY, MAX_PROGRAMS, NamedProgram, ProgramOutput,
    is_program_hash,
};
pub use project::{Decision, MAX_EMBARGO_DAYS, Privacy, Project, ProjectChoice, Researcher};
pub use release::{MAX_ANSWER, Release, ReleaseCheck, ReleaseRule};
pub use report::{Report, ReportPart, Unsigned};
pub use rounds::{
    AggregatorKey, Finding, Gift, Given, Inquiry, ProgramBytes, Refused, RoundsRequest,
    RoundsResponse, Step, Work,
};
pub use share::{Before, PastSum, ShareOf, SumShare};
pub use withdrawal::Withdrawal;

const VERSION: u32 = 1;
/// Most institutions that take part in a project.
pub const MAX_SITES: usize = 1_000;
/// Fewest institutions whose sum may ever be made. With two, each knows the other's part from the sum:
/// holders that mind approve projects of three or more.
pub const MIN_SITES: u32 = 2;
/// Longest text of a project in words, in characters.
pub const MAX_WORDS: usize = 8_000;
/// Longest question, in bytes of JSON.
pub const MAX_QUESTION: usize = 100 * 1024;
/// Most rounds of one question whose sums are told.
pub const MAX_PAST: usize = 5_000;
/// Longest time that a coordinator keeps a request open for lack of work, in milliseconds.
pub const MAX_WAIT_MS: u32 = 20_000;

/// Sites without one twice, and two different aggregators.
fn are_parties(sites: &[OrgId], aggregators: &[OrgId]) -> bool {
    let mut sorted: Vec<_> = sites.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    !sites.is_empty()
        && sites.len() <= MAX_SITES
        && sorted.len() == sites.len()
        && matches!(aggregators, [leader, helper] if leader != helper)
}

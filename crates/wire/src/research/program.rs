//! Programs of researchers that a project names by their hash, with what they may do.

use serde::{Deserialize, Serialize};

/// Most programs that a project names.
pub const MAX_PROGRAMS: usize = 4;
/// Most bytes of a program.
pub const MAX_PROGRAM: usize = 4 * 1024 * 1024;
/// Most instructions of a program in one round: seconds, not minutes.
pub const MAX_PROGRAM_FUEL: u64 = 20_000_000_000;
/// Most bytes of memory of a program.
pub const MAX_PROGRAM_MEMORY: u64 = 256 * 1024 * 1024;
/// Most variables that a program reads.
const MAX_VARIABLES: usize = 200;
/// Most outputs that are declared for a program.
const MAX_OUTPUTS: usize = 100;
/// Most numbers of one output.
const MAX_LENGTH: u32 = 20_000;
/// Most rounds.
const MAX_ROUNDS: u32 = 1_000;

/// A program as a project names it. Whoever approves the project approves these bytes and no others, for
/// these variables and outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedProgram {
    /// SHA-256 of the component, as 64 hexadecimal digits.
    pub hash: String,
    /// What it calls itself.
    pub name: String,
    /// The version that it says it is.
    pub version: String,
    /// How many bytes it has.
    pub bytes: u32,
    /// The variables of the data set that it may be given.
    pub variables: Vec<String>,
    /// Most rows of one site, from which the bounds of its sums follow.
    pub rows: u32,
    /// The sums that sites may be asked for.
    pub outputs: Vec<ProgramOutput>,
    /// Most rounds of a question.
    pub rounds: u32,
    /// Most instructions at one site in one round.
    pub fuel: u64,
    /// Most bytes of memory.
    pub memory: u64,
}

/// Numbers that a program gives under one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramOutput {
    /// What they are.
    pub name: String,
    /// How many.
    #[serde(default = "one")]
    pub length: u32,
    /// Whether they are counts.
    #[serde(default)]
    pub is_count: bool,
    /// The greatest absolute value that one site gives in a round.
    pub bound: f64,
}

const fn one() -> u32 {
    1
}

/// Whether a text can be the hash of a program.
#[must_use]
pub fn is_program_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl NamedProgram {
    /// Whether it is within the limits.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let word = |text: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
        };
        let variable = |name: &String| (1..=200).contains(&name.len());
        let output = |one: &ProgramOutput| {
            word(&one.name)
                && (1..=MAX_LENGTH).contains(&one.length)
                && one.bound.is_finite()
                && one.bound > 0.0
        };
        is_program_hash(&self.hash)
            && word(&self.name)
            && word(&self.version)
            && (1..=MAX_PROGRAM).contains(&(self.bytes as usize))
            && (1..=MAX_VARIABLES).contains(&self.variables.len())
            && self.variables.iter().all(variable)
            && self.rows > 0
            && (1..=MAX_OUTPUTS).contains(&self.outputs.len())
            && self.outputs.iter().all(output)
            && (1..=MAX_ROUNDS).contains(&self.rounds)
            && (1..=MAX_PROGRAM_FUEL).contains(&self.fuel)
            && (1..=MAX_PROGRAM_MEMORY).contains(&self.memory)
    }
}

/// Programs that are each within the limits, none twice.
pub(super) fn are_sound(programs: &[NamedProgram]) -> bool {
    let is_new = |(at, one): (usize, &NamedProgram)| {
        programs.iter().take(at).all(|before| before.hash != one.hash)
    };
    programs.len() <= MAX_PROGRAMS
        && programs.iter().all(NamedProgram::is_sound)
        && programs.iter().enumerate().all(is_new)
}

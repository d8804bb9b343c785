//! A program of a researcher: loaded, known by its hash, ready to be called.

use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::call::{Allowance, Call, Meter};
use crate::inspect::inspect;
use crate::limits::{
    DESCRIBE_FUEL, DESCRIBE_MEMORY, MOST_NAME, MOST_ROUNDS, MOST_VARIABLE_NAME, MOST_VARIABLES,
    MOST_VERSION,
};
use crate::machine::{Clock, Machine};
use crate::refused::Refused;
use crate::world::{Description, Fault, PROGRAM, RawRound, RawStep, Setting, Values};

/// What `start` gives.
pub(crate) type Started = (Result<RawRound, Fault>,);
/// What `next` takes.
pub(crate) type NextOf<'a> = (&'a Setting, &'a [u8], &'a [f64], u32);
/// What `next` gives.
pub(crate) type Stepped = (Result<RawStep, Fault>,);
/// What `contribute` takes.
pub(crate) type RowsOf<'a> = (&'a Setting, &'a [u8], &'a [Values<'a>]);
/// What `contribute` gives.
pub(crate) type Given = (Result<Vec<f64>, Fault>,);

/// Bytes that a description may be at most, as it is taken over.
const DESCRIPTION_BYTES: usize = 256 * 1024;

/// A program. Clones share the compiled code.
#[derive(Clone)]
pub struct Program {
    pub(crate) code: InstancePre<Meter>,
    pub(crate) exports: Exports,
    pub(crate) clock: Clock,
    hash: String,
    bytes: usize,
    description: Description,
}

/// Where the functions of a program stand.
#[derive(Clone)]
pub(crate) struct Exports {
    describe: ComponentExportIndex,
    pub start: ComponentExportIndex,
    pub next: ComponentExportIndex,
    pub contribute: ComponentExportIndex,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// The hash by which a program is approved and asked for: SHA-256 of its bytes, as 64 hexadecimal digits.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(64);
    for byte in crypto::sha256(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

impl Program {
    /// Checks and compiles a program and asks it what it is. `ticks` of the machine's clock limit
    /// the asking; compiling is limited by what the program may hold ([`crate::limits`]). Blocks.
    ///
    /// # Errors
    /// What stands against the program.
    pub fn load(machine: &Machine, bytes: &[u8], ticks: u64) -> Result<Self, Refused> {
        inspect(bytes)?;
        // Binary alone: the engine would read a text as well if it were built with its reader.
        let component =
            Component::from_binary(machine.engine(), bytes).map_err(|_| Refused::Form)?;
        if component.component_type().imports(machine.engine()).len() > 0 {
            return Err(Refused::Import);
        }
        let exports = Exports::of(&component).ok_or(Refused::World)?;
        let linker = Linker::new(machine.engine());
        let code = linker.instantiate_pre(&component).map_err(|_| Refused::Import)?;
        let allowance = Allowance {
            fuel: DESCRIBE_FUEL,
            memory: DESCRIBE_MEMORY,
            ticks,
            output: DESCRIPTION_BYTES,
        };
        let mut call = Call::new(&code, allowance)?;
        call.function::<(&Setting,), Started>(&exports.start)?;
        call.function::<NextOf<'_>, Stepped>(&exports.next)?;
        call.function::<RowsOf<'_>, Given>(&exports.contribute)?;
        let ((description,), _) = call.run::<(), (Description,)>(&exports.describe, ())?;
        check(&description)?;
        let clock = machine.clock();
        Ok(Self { code, exports, clock, hash: hash(bytes), bytes: bytes.len(), description })
    }

    /// SHA-256 of its bytes, as 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it says of itself.
    #[must_use]
    pub const fn description(&self) -> &Description {
        &self.description
    }
}

impl Exports {
    fn of(component: &Component) -> Option<Self> {
        let interface = component.get_export_index(None, PROGRAM)?;
        let function = |name| component.get_export_index(Some(&interface), name);
        Some(Self {
            describe: function("describe")?,
            start: function("start")?,
            next: function("next")?,
            contribute: function("contribute")?,
        })
    }
}

fn check(description: &Description) -> Result<(), Refused> {
    let variables = &description.variables;
    let is_named = |name: &str| (1..=MOST_VARIABLE_NAME).contains(&name.len());
    let is_fine = is_word(&description.name, MOST_NAME)
        && is_word(&description.version, MOST_VERSION)
        && (1..=MOST_ROUNDS).contains(&description.most_rounds)
        && variables.len() <= MOST_VARIABLES
        && variables.iter().all(|need| is_named(&need.name))
        && (1..variables.len()).all(|at| {
            variables
                .iter()
                .take(at)
                .all(|before| variables.get(at).is_none_or(|one| before.name != one.name))
        });
    if is_fine { Ok(()) } else { Err(Refused::Description) }
}

/// Whether a text is a name that can be shown anywhere.
pub(crate) fn is_word(text: &str, most: usize) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=most).contains(&text.len()) && text.bytes().all(is_plain)
}

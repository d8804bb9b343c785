//! Why a program, or a call of one, is refused: fixed words, none of which a program chooses.

use crate::world::Fault;

/// A rule of the sandbox that stands against a program or a call. The texts are all there is: nothing
/// that a program wrote, threw or returned is part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// Not a component: a module, a text, broken or cut short.
    #[error("the program is not a valid WebAssembly component of the permitted features")]
    Form,
    /// Too large, as bytes or by what this word counts.
    #[error("the program has too many or too large {0}")]
    Size(&'static str),
    /// It wants something of the world outside.
    #[error("the program imports something; a program may import nothing")]
    Import,
    /// It wants to run before it is called.
    #[error("the program has a start function")]
    Start,
    /// It uses a part of the canonical ABI other than `lift`.
    #[error("the program uses a built-in function of the component model that is not permitted")]
    BuiltIn,
    /// It exports another interface, or with other types.
    #[error("the program does not export `consilium:analysis/program@1.0.0`")]
    World,
    /// What it says of itself is beyond the limits.
    #[error("the program describes itself by names, versions or numbers that are not permitted")]
    Description,
    /// Its hash is not the one that was approved.
    #[error("the program is not the one that the question names by its hash")]
    Hash,
    /// What the question says of the run.
    #[error("the question's terms for the program are beyond the limits: {0}")]
    Terms(&'static str),
    /// The question does not have a variable that the program needs.
    #[error("the question does not have the variables that the program needs")]
    Variables,
    /// The site's table has no such column, or another kind of values in it.
    #[error("the data set does not have the variables of the question")]
    Columns,
    /// The site has more rows than the question allows.
    #[error("the site has more rows than the question allows")]
    Rows,
    /// The round does not follow from the sums, or cannot be read.
    #[error("the round does not belong to the question")]
    Round,
    /// The sums are not as the round's layout says.
    #[error("the sums are not what the round asked for")]
    Sums,

    /// Out of fuel.
    #[error("the program has used up its fuel")]
    Fuel,
    /// Out of memory or table elements.
    #[error("the program has used up its memory")]
    Memory,
    /// Out of stack.
    #[error("the program has used up its stack")]
    Stack,
    /// Out of time.
    #[error("the program has used up its time")]
    Time,
    /// It broke off.
    #[error("the program has broken off")]
    Trap,
    /// What it gave cannot be read, or is too much.
    #[error("what the program gave cannot be read or is too much")]
    Output,
    /// It asks for a vector or hands on a state beyond the limits.
    #[error("the program asks for a round beyond the limits")]
    Layout,
    /// It asks for a sum that was not declared, or for more of one.
    #[error("the program asks for a sum that was not declared, or beyond what was declared of it")]
    Undeclared,
    /// A vector of another length than its layout's.
    #[error("the program gave a vector of another length than it said")]
    Length,
    /// A number that is not finite, beyond its bound, or no count.
    #[error("the program gave a number beyond its bounds")]
    Bounds,
    /// It says itself that it has nothing to give.
    #[error("the program has no answer: {0}")]
    Fault(Fault),
    /// It asks for more rounds than it said.
    #[error("the program asks for more rounds than it said")]
    Rounds,
    /// The result is no JSON text within the limits.
    #[error("the result of the program is not JSON within the limits")]
    Result,
    /// The machine could not be set up.
    #[error("the sandbox could not be set up")]
    Machine,
}

/// Why a site gives nothing, in two forms.
///
/// Which rule a program runs into over rows is something that it can choose by what it finds in them: a
/// fault for this diagnosis, a trap for that one. So what is told to others is one and the same for all
/// that a program can bring about, and only the institution itself sees which rule it was. Rules that
/// are decided before the program sees a row are told as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld {
    rule: Refused,
    saw_rows: bool,
}

impl Withheld {
    /// A rule that was decided before the program saw a row.
    pub(crate) const fn before(rule: Refused) -> Self {
        Self { rule, saw_rows: false }
    }

    /// A rule that a program ran into which had rows.
    pub(crate) const fn after(rule: Refused) -> Self {
        Self { rule, saw_rows: true }
    }

    /// Whether the program had rows before it came to this: each such failure can tell one bit of them.
    #[must_use]
    pub const fn saw_rows(&self) -> bool {
        self.saw_rows
    }

    /// The rule, for the institution's own eyes. It must not leave.
    #[must_use]
    pub const fn own(&self) -> Refused {
        self.rule
    }
}

/// What may be told to others.
impl std::fmt::Display for Withheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.saw_rows {
            return f.write_str("the program gave no permitted vector for the rows of this site");
        }
        std::fmt::Display::fmt(&self.rule, f)
    }
}

impl std::error::Error for Withheld {}

//! FHIRPath (normative release 1, with the additions of FHIR R4) and the extraction of search
//! index entries that is driven by it.
//!
//! [`Expr`] is a parsed expression, [`Env`] what it is evaluated in, [`Item`] what it works on.
//! [`search`] turns a resource into index entries by the published SearchParameters, [`views`]
//! turns it into rows of a table by a ViewDefinition of SQL on FHIR.

mod ast;
mod eval;
mod functions;
mod item;
mod lexer;
mod parser;
pub mod patch;
mod reference;
pub mod search;
mod temporal;
mod units;
pub mod views;

pub use eval::{Env, EvalError, MAX_ITEMS, MAX_STEPS};
pub use functions::codes::Codes;
pub use functions::elements::Profiles;
pub use item::{Collection, Item, Node, Quantity};
pub use parser::{MAX_EXPRESSION_BYTES, ParseError};
pub use reference::Target;
pub use units::public as ucum;

pub use temporal::{Precision, Temporal, TemporalKind};

pub use functions::narrative_is_sound;

use ast::Ast;

/// A parsed expression.
///
/// ```
/// use consilium_fhirpath::{Env, Expr, Item, Node};
///
/// let patient = fhir::Resource::parse(r#"{"resourceType":"Patient","name":[{"given":["Ada"]}]}"#)?;
/// let given = Expr::parse("Patient.name.given.first()")?;
/// let env = Env::new(0).with_resource(&patient);
/// let found = given.evaluate_resource(&env)?;
/// assert_eq!(found[0].as_text().as_deref(), Some("Ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Expr {
    ast: Ast,
}

impl Expr {
    /// Parses an expression of at most [`MAX_EXPRESSION_BYTES`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self { ast: parser::parse(text)? })
    }

    /// Evaluates the expression with `focus` as `%context` and first `$this`. Ends with an error
    /// beyond [`MAX_STEPS`] and [`MAX_ITEMS`].
    pub fn evaluate<'a>(
        &'a self,
        env: &Env<'a>,
        focus: &[Item<'a>],
    ) -> Result<Collection<'a>, EvalError> {
        eval::Evaluator::new(env, focus).run(&self.ast)
    }

    /// Evaluates the expression on the resource that the environment was given.
    pub fn evaluate_resource<'a>(&'a self, env: &Env<'a>) -> Result<Collection<'a>, EvalError> {
        let focus: Vec<_> = env.resource.map(Item::Node).into_iter().collect();
        self.evaluate(env, &focus)
    }
}

impl std::str::FromStr for Expr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

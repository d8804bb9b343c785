//! The tree of an expression.

use rust_decimal::Decimal;

use crate::functions::Function;
use crate::functions::patterns::Pattern;
use crate::temporal::Temporal;

/// One node of the tree. An `input` of `None` means the context, `$this`.
#[derive(Clone, Debug)]
pub(crate) enum Ast {
    /// `{}`
    Empty,
    Literal(Literal),
    This,
    Index,
    Total,
    /// `%name`
    Variable(String),
    /// A step to child elements. `named_type` tells that the name could as well be the type of the
    /// context (`Patient.name`): it stands first and starts with a capital letter.
    Member {
        input: Option<Box<Ast>>,
        name: String,
        named_type: bool,
    },
    Call {
        input: Option<Box<Ast>>,
        function: Function,
        args: Vec<Ast>,
        pattern: Option<Box<Pattern>>,
    },
    /// `is`, `as` and `ofType`, as operators and as functions.
    TypeTest {
        input: Option<Box<Ast>>,
        test: TypeTest,
        specifier: Specifier,
    },
    /// `x[n]`
    Item {
        input: Box<Ast>,
        index: Box<Ast>,
    },
    Negate(Box<Ast>),
    Plus(Box<Ast>),
    Binary {
        operator: Operator,
        left: Box<Ast>,
        right: Box<Ast>,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Literal {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(String),
    Temporal(Temporal),
    Quantity(Decimal, String),
}

/// A type name, with its namespace (`FHIR` or `System`) where one is given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Specifier {
    pub namespace: Option<String>,
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TypeTest {
    Is,
    As,
    OfType,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operator {
    Multiply,
    Divide,
    Div,
    Mod,
    Add,
    Subtract,
    Concatenate,
    Union,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    In,
    Contains,
    And,
    Or,
    Xor,
    Implies,
}

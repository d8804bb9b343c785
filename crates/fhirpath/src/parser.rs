//! From tokens to a tree (FHIRPath normative release 1, appendix B: grammar).

use rust_decimal::Decimal;

use crate::ast::{Ast, Literal, Operator, Specifier, TypeTest};
use crate::functions::Function;
use crate::functions::patterns::{MAX_BYTES_WRITTEN_OUT, Pattern};
use crate::lexer::{Token, TokenKind, tokens};
use crate::temporal::Temporal;
use crate::units;

/// The longest expression that is accepted, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 64 * 1024;
/// The deepest tree that is accepted.
const MAX_DEPTH: usize = 200;

/// Why a text is no expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct ParseError {
    /// Line of the fault, from 1.
    pub line: usize,
    /// Column of the fault in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

impl ParseError {
    pub(crate) fn new(text: &str, at: usize, reason: &str) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        Self { line, column, reason: reason.into() }
    }
}

/// Parses a whole expression.
pub(crate) fn parse(text: &str) -> Result<Ast, ParseError> {
    if text.len() > MAX_EXPRESSION_BYTES {
        return Err(ParseError::new(text, 0, "the expression is longer than 64 KiB"));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, pattern_bytes: 0 };
    let (ast, _) = parser.expression(0, 0)?;
    match parser.peek() {
        TokenKind::End => Ok(ast),
        _ => parser.fault("unexpected text after the expression"),
    }
}

/// A tree with its depth.
type Deep = (Ast, usize);
type Parsed<T> = Result<T, ParseError>;

/// Binding strengths of FHIRPath section 6.8, strongest highest.
const UNARY: u8 = 10;
const TYPE: u8 = 7;

fn binary(token: &TokenKind) -> Option<(Operator, u8)> {
    Some(match token {
        TokenKind::Symbol(symbol) => match *symbol {
            "*" => (Operator::Multiply, 9),
            "/" => (Operator::Divide, 9),
            "+" => (Operator::Add, 8),
            "-" => (Operator::Subtract, 8),
            "&" => (Operator::Concatenate, 8),
            "|" => (Operator::Union, 6),
            "<" => (Operator::Less, 5),
            "<=" => (Operator::LessOrEqual, 5),
            ">" => (Operator::Greater, 5),
            ">=" => (Operator::GreaterOrEqual, 5),
            "=" => (Operator::Equal, 4),
            "!=" => (Operator::NotEqual, 4),
            "~" => (Operator::Equivalent, 4),
            "!~" => (Operator::NotEquivalent, 4),
            _ => return None,
        },
        TokenKind::Word(word) => match word.as_str() {
            "div" => (Operator::Div, 9),
            "mod" => (Operator::Mod, 9),
            "in" => (Operator::In, 3),
            "contains" => (Operator::Contains, 3),
            "and" => (Operator::And, 2),
            "or" => (Operator::Or, 1),
            "xor" => (Operator::Xor, 1),
            "implies" => (Operator::Implies, 0),
            _ => return None,
        },
        _ => return None,
    })
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    next: usize,
    /// Memory of the regular expressions so far.
    pattern_bytes: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        self.tokens.get(self.next).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn advance(&mut self) -> TokenKind {
        let kind = self.peek().clone();
        self.next += 1;
        kind
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Symbol(s) if *s == symbol);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.accept(symbol) { Ok(()) } else { self.fault(&format!("`{symbol}` was expected")) }
    }

    fn fault<T>(&self, reason: &str) -> Parsed<T> {
        let at = self.tokens.get(self.next).map_or(self.text.len(), |token| token.at);
        Err(ParseError::new(self.text, at, reason))
    }

    fn deeper(&self, depth: usize) -> Parsed<usize> {
        if depth >= MAX_DEPTH {
            return self.fault("the expression is nested too deeply");
        }
        Ok(depth + 1)
    }

    /// Reads operators that bind at least as strongly as `least`. `level` counts the open
    /// brackets and operators around it, the returned depth what is below.
    fn expression(&mut self, least: u8, level: usize) -> Parsed<Deep> {
        let level = self.deeper(level)?;
        let (mut left, mut depth) = self.unary(level)?;
        loop {
            let type_test = match self.peek() {
                TokenKind::Word(word) if word == "is" => Some(TypeTest::Is),
                TokenKind::Word(word) if word == "as" => Some(TypeTest::As),
                _ => None,
            };
            if let Some(test) = type_test {
                if TYPE < least {
                    return Ok((left, depth));
                }
                self.next += 1;
                let specifier = self.specifier()?;
                left = Ast::TypeTest { input: Some(Box::new(left)), test, specifier };
            } else {
                let Some((operator, strength)) = binary(self.peek()) else {
                    return Ok((left, depth));
                };
                if strength < least {
                    return Ok((left, depth));
                }
                self.next += 1;
                let (right, right_depth) = self.expression(strength + 1, level)?;
                depth = depth.max(right_depth);
                left = Ast::Binary { operator, left: Box::new(left), right: Box::new(right) };
            }
            depth = self.deeper(depth)?;
        }
    }

    /// A sign binds less than `.` and `[]`: `-1.abs()` is the opposite of `1.abs()`.
    fn unary(&mut self, level: usize) -> Parsed<Deep> {
        let wrap = if self.accept("-") {
            Ast::Negate
        } else if self.accept("+") {
            Ast::Plus
        } else {
            return self.invocations(level);
        };
        let (operand, depth) = self.expression(UNARY, level)?;
        Ok((wrap(Box::new(operand)), self.deeper(depth)?))
    }

    fn invocations(&mut self, level: usize) -> Parsed<Deep> {
        let (mut left, mut depth) = self.term(level)?;
        loop {
            if self.accept(".") {
                let (step, below) = self.invocation(Some(left), level)?;
                (left, depth) = (step, self.deeper(depth.max(below))?);
            } else if self.accept("[") {
                let (index, below) = self.expression(0, level)?;
                self.expect("]")?;
                left = Ast::Item { input: Box::new(left), index: Box::new(index) };
                depth = self.deeper(depth.max(below))?;
            } else {
                return Ok((left, depth));
            }
        }
    }

    fn term(&mut self, level: usize) -> Parsed<Deep> {
        let literal = match self.peek().clone() {
            TokenKind::Symbol("(") => {
                self.next += 1;
                let inner = self.expression(0, level)?;
                self.expect(")")?;
                return Ok(inner);
            }
            TokenKind::Symbol("{") => {
                self.next += 1;
                self.expect("}")?;
                return Ok((Ast::Empty, 1));
            }
            TokenKind::Text(text) => Literal::Text(text),
            TokenKind::Number(digits) => self.number(&digits)?,
            TokenKind::Temporal(text) => match Temporal::literal(&text) {
                Some(temporal) => Literal::Temporal(temporal),
                None => return self.fault("not a valid date or time"),
            },
            TokenKind::Variable(name) => {
                self.next += 1;
                return Ok((Ast::Variable(name), 1));
            }
            TokenKind::Word(word) if word == "true" || word == "false" => {
                Literal::Boolean(word == "true")
            }
            _ => return self.invocation(None, level),
        };
        self.next += 1;
        Ok((Ast::Literal(literal), 1))
    }

    /// A number, and with the unit behind it a quantity. Leaves the last token to the caller.
    fn number(&mut self, digits: &str) -> Parsed<Literal> {
        let Ok(value) = digits.parse::<Decimal>() else {
            return self.fault("the number is too long");
        };
        let unit = match self.tokens.get(self.next + 1).map(|token| &token.kind) {
            Some(TokenKind::Text(unit)) => Some(unit.clone()),
            Some(TokenKind::Word(word)) => units::calendar(word).map(|_| word.clone()),
            _ => None,
        };
        if let Some(unit) = unit {
            self.next += 1;
            return Ok(Literal::Quantity(value, unit));
        }
        if digits.contains('.') {
            return Ok(Literal::Decimal(value));
        }
        match digits.parse() {
            Ok(integer) => Ok(Literal::Integer(integer)),
            Err(_) => self.fault("the number is too long"),
        }
    }

    /// A member, a function or one of `$this`, `$index` and `$total`, behind `input`.
    fn invocation(&mut self, input: Option<Ast>, level: usize) -> Parsed<Deep> {
        let first = input.is_none();
        let input = input.map(Box::new);
        let (name, quoted) = match self.peek().clone() {
            TokenKind::Special(name) => {
                self.next += 1;
                return Ok(match name.as_str() {
                    "this" if first => (Ast::This, 1),
                    "index" => (Ast::Index, 1),
                    "total" => (Ast::Total, 1),
                    // `x.$this` is x itself.
                    _ => (input.map_or(Ast::This, |input| *input), 1),
                });
            }
            TokenKind::Word(word) if word.starts_with(|c: char| !c.is_ascii_digit()) => {
                (word, false)
            }
            TokenKind::Quoted(name) => (name, true),
            _ => return self.fault("a value was expected"),
        };
        self.next += 1;
        if !quoted && self.accept("(") {
            return self.call(input, &name, level);
        }
        let named_type = first && name.starts_with(|c: char| c.is_ascii_uppercase());
        Ok((Ast::Member { input, name, named_type }, 1))
    }

    fn call(&mut self, input: Option<Box<Ast>>, name: &str, level: usize) -> Parsed<Deep> {
        let test = match name {
            "is" => Some(TypeTest::Is),
            "as" => Some(TypeTest::As),
            "ofType" => Some(TypeTest::OfType),
            _ => None,
        };
        if let Some(test) = test {
            let specifier = self.specifier()?;
            self.expect(")")?;
            return Ok((Ast::TypeTest { input, test, specifier }, 1));
        }
        let Some(function) = Function::named(name) else {
            self.next -= 2;
            return self.fault(&format!("there is no function `{name}`"));
        };
        let mut args = Vec::new();
        let mut depth = 1;
        if !self.accept(")") {
            loop {
                let (arg, below) = self.expression(0, level)?;
                args.push(arg);
                depth = depth.max(below);
                if !self.accept(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let (least, most) = function.arity();
        if !(least..=most).contains(&args.len()) {
            return self.fault(&format!("`{name}` has the wrong number of arguments"));
        }
        let pattern = self.pattern(function, &args)?;
        Ok((Ast::Call { input, function, args, pattern }, self.deeper(depth)?))
    }

    /// Compiles a regular expression that is written out.
    fn pattern(&mut self, function: Function, args: &[Ast]) -> Parsed<Option<Box<Pattern>>> {
        let (true, Some(Ast::Literal(Literal::Text(pattern)))) =
            (function.takes_regex(), args.first())
        else {
            return Ok(None);
        };
        let Ok(pattern) = Pattern::new(function, pattern) else {
            return self.fault("not a valid regular expression");
        };
        self.pattern_bytes += pattern.bytes();
        if self.pattern_bytes > MAX_BYTES_WRITTEN_OUT {
            return self.fault("the regular expressions of the expression are too large");
        }
        Ok(Some(Box::new(pattern)))
    }

    fn specifier(&mut self) -> Parsed<Specifier> {
        let first = self.type_name()?;
        if self.accept(".") {
            return Ok(Specifier { namespace: Some(first), name: self.type_name()? });
        }
        Ok(Specifier { namespace: None, name: first })
    }

    fn type_name(&mut self) -> Parsed<String> {
        match self.advance() {
            TokenKind::Word(name) | TokenKind::Quoted(name) => Ok(name),
            _ => {
                self.next -= 1;
                self.fault("the name of a type was expected")
            }
        }
    }
}

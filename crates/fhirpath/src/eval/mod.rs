//! Evaluation of a tree over items.

mod arithmetic;
mod compare;
mod env;
mod error;
mod types;

use std::borrow::Cow;
use std::cell::Cell;

use fhir::definitions::definitions;

use crate::ast::{Ast, Literal, Operator, TypeTest};
use crate::functions::Function;
use crate::item::{Collection, Item, Quantity};
pub use env::Env;
use error::BYTES_A_STEP;
pub use error::{EvalError, MAX_ITEMS, MAX_STEPS, MAX_TEXT_BYTES};

pub(crate) use compare::{Numeric, equal, order, union};
use error::unknown_element;
pub(crate) use error::wrong_type;

pub(crate) type Evaluated<'a> = Result<Collection<'a>, EvalError>;

/// `$this`, `$index` and `$total`.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s, 'a> {
    pub this: &'s [Item<'a>],
    pub index: Option<usize>,
    pub total: Option<&'s [Item<'a>]>,
}

pub(crate) struct Evaluator<'e, 'a> {
    pub env: &'e Env<'a>,
    context: &'e [Item<'a>],
    steps: Cell<u64>,
}

impl<'e, 'a> Evaluator<'e, 'a> {
    pub(crate) fn new(env: &'e Env<'a>, context: &'e [Item<'a>]) -> Self {
        Self { env, context, steps: Cell::new(0) }
    }

    /// Evaluates a whole expression.
    pub(crate) fn run(&self, ast: &'a Ast) -> Evaluated<'a> {
        self.eval(ast, &Scope { this: self.context, index: None, total: None })
    }

    /// Counts work done.
    pub(crate) fn charge(&self, steps: usize) -> Result<(), EvalError> {
        self.steps.set(self.steps.get().saturating_add(steps as u64));
        if self.steps.get() > MAX_STEPS { Err(EvalError::TooLarge) } else { Ok(()) }
    }

    /// Counts the items of a new collection, and the text that was made for it.
    pub(crate) fn bounded(&self, items: Collection<'a>) -> Evaluated<'a> {
        let made = |item: &Item<'_>| match item {
            Item::String(Cow::Owned(text)) => text.len(),
            _ => 0,
        };
        let bytes: usize = items.iter().map(made).sum();
        self.charge(items.len() + 1 + bytes / BYTES_A_STEP)?;
        if items.len() > MAX_ITEMS || bytes > MAX_TEXT_BYTES {
            Err(EvalError::TooLarge)
        } else {
            Ok(items)
        }
    }

    pub(crate) fn eval(&self, ast: &'a Ast, scope: &Scope<'_, 'a>) -> Evaluated<'a> {
        let items = match ast {
            Ast::Empty => Vec::new(),
            Ast::Literal(literal) => vec![item(literal)],
            Ast::This => scope.this.to_vec(),
            Ast::Index => {
                let index = scope.index.and_then(|index| i64::try_from(index).ok());
                index.map(Item::Integer).into_iter().collect()
            }
            Ast::Total => scope.total.map(<[_]>::to_vec).unwrap_or_default(),
            Ast::Variable(name) => self.env.variable(name, self.context)?,
            Ast::Member { input, name, named_type } => match input {
                Some(input) => {
                    self.check_cast(input, name)?;
                    self.member(&self.eval(input, scope)?, name, *named_type)?
                }
                None => self.member(scope.this, name, *named_type)?,
            },
            Ast::Call { input, function, args, pattern } => {
                self.check_order(input.as_deref(), *function)?;
                let input = self.input(input.as_deref(), scope)?;
                self.call(*function, input, args, pattern.as_deref(), scope)?
            }
            Ast::TypeTest { input, test, specifier } => {
                let input = self.input(input.as_deref(), scope)?;
                self.type_test(input, *test, specifier)?
            }
            Ast::Item { input, index } => {
                let mut items = self.eval(input, scope)?;
                let index = self.integer("[]", &self.eval(index, scope)?)?;
                let at = index.and_then(|index| usize::try_from(index).ok());
                match at.filter(|&at| at < items.len()) {
                    Some(at) => vec![items.swap_remove(at)],
                    None => Vec::new(),
                }
            }
            Ast::Negate(operand) => self.sign("-", self.eval(operand, scope)?)?,
            Ast::Plus(operand) => self.sign("+", self.eval(operand, scope)?)?,
            Ast::Binary { operator, left, right } => self.binary(*operator, left, right, scope)?,
        };
        self.bounded(items)
    }

    fn input(&self, input: Option<&'a Ast>, scope: &Scope<'_, 'a>) -> Evaluated<'a> {
        input.map_or_else(|| Ok(scope.this.to_vec()), |input| self.eval(input, scope))
    }

    /// A step to child elements, or from a resource to itself by the name of its type.
    fn member(&self, input: &[Item<'a>], name: &'a str, named_type: bool) -> Evaluated<'a> {
        let mut found = Vec::new();
        let mut known = input.is_empty();
        for item in input {
            known |= match item {
                _ if named_type && self.is_named(item, name) => {
                    found.push(item.clone());
                    true
                }
                Item::Node(node) => node.for_each_child(name, &mut |child| {
                    found.push(Item::Node(child));
                }),
                Item::TypeInfo { namespace, name: of } => match name {
                    "name" => {
                        found.push(Item::String((*of).into()));
                        true
                    }
                    "namespace" => {
                        found.push(Item::String((*namespace).into()));
                        true
                    }
                    _ => false,
                },
                Item::Unresolved(type_of) => type_of.element(name).is_some(),
                _ => false,
            };
        }
        // Among items of several types it is enough that one has the element.
        match input.first().filter(|_| self.env.strict && !known) {
            Some(item) => Err(unknown_element(item.type_name().1, name)),
            None => Ok(found),
        }
    }

    /// Strictly, a step behind a cast must be an element of the type, whatever the items are.
    fn check_cast(&self, input: &Ast, name: &str) -> Result<(), EvalError> {
        let Ast::TypeTest { test: TypeTest::As | TypeTest::OfType, specifier, .. } = input else {
            return Ok(());
        };
        match definitions().get(&specifier.name) {
            Some(type_of) if self.env.strict && type_of.element(name).is_none() => {
                Err(unknown_element(type_of.name, name))
            }
            _ => Ok(()),
        }
    }

    /// Strictly, what has no order has no first item.
    fn check_order(&self, input: Option<&Ast>, function: Function) -> Result<(), EvalError> {
        use Function as F;
        let unordered =
            matches!(input, Some(Ast::Call { function: F::Children | F::Descendants, .. }));
        if self.env.strict
            && unordered
            && matches!(function, F::First | F::Last | F::Tail | F::Skip | F::Take)
        {
            let reason = "the items have no order".into();
            return Err(EvalError::Argument { function: function.name(), reason });
        }
        Ok(())
    }

    fn sign(&self, operator: &'static str, operand: Collection<'a>) -> Evaluated<'a> {
        let Some(value) = self.single(operator, &operand)? else { return Ok(Vec::new()) };
        let negative = operator == "-";
        let signed = match value.to_system() {
            Some(Item::Integer(n)) if negative => n.checked_neg().map(Item::Integer),
            // Zero has no sign, although decimals could have it.
            Some(Item::Decimal(n)) if negative && !n.is_zero() => Some(Item::Decimal(-n)),
            Some(Item::Quantity(q)) if negative => {
                Some(Item::Quantity(Quantity { value: -q.value, ..q }))
            }
            Some(item @ (Item::Integer(_) | Item::Decimal(_) | Item::Quantity(_))) => Some(item),
            _ => return Err(wrong_type(operator, value)),
        };
        Ok(signed.into_iter().collect())
    }

    fn binary(
        &self,
        operator: Operator,
        left: &'a Ast,
        right: &'a Ast,
        scope: &Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        if let Operator::And | Operator::Or | Operator::Xor | Operator::Implies = operator {
            return self.logic(operator, left, right, scope);
        }
        let (left, right) = (self.eval(left, scope)?, self.eval(right, scope)?);
        let truth = match operator {
            Operator::Union => return self.union(left, right),
            Operator::Equal => self.equal_collections(&left, &right)?,
            Operator::NotEqual => self.equal_collections(&left, &right)?.map(|same| !same),
            Operator::Equivalent => Some(self.equivalent_collections(&left, &right)?),
            Operator::NotEquivalent => Some(!self.equivalent_collections(&left, &right)?),
            Operator::In => self.membership("in", &left, &right)?,
            Operator::Contains => self.membership("contains", &right, &left)?,
            Operator::Less => self.ordered("<", &left, &right, |o| o.is_lt())?,
            Operator::LessOrEqual => self.ordered("<=", &left, &right, |o| o.is_le())?,
            Operator::Greater => self.ordered(">", &left, &right, |o| o.is_gt())?,
            Operator::GreaterOrEqual => self.ordered(">=", &left, &right, |o| o.is_ge())?,
            _ => return self.arithmetic(operator, left, right),
        };
        Ok(truth.map(Item::Boolean).into_iter().collect())
    }

    /// Three-valued logic (FHIRPath 6.5). The right side is evaluated only where it matters.
    fn logic(
        &self,
        operator: Operator,
        left: &'a Ast,
        right: &'a Ast,
        scope: &Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let name = match operator {
            Operator::And => "and",
            Operator::Or => "or",
            Operator::Xor => "xor",
            _ => "implies",
        };
        let one = self.boolean(name, &self.eval(left, scope)?)?;
        let decided = match (operator, one) {
            (Operator::And, Some(false)) => Some(false),
            (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => Some(true),
            _ => None,
        };
        if let Some(truth) = decided {
            return Ok(vec![Item::Boolean(truth)]);
        }
        let two = self.boolean(name, &self.eval(right, scope)?)?;
        let truth = match (operator, one, two) {
            (Operator::And, _, Some(false)) => Some(false),
            (Operator::Or | Operator::Implies, _, Some(true)) => Some(true),
            (Operator::Xor, Some(a), Some(b)) => Some(a != b),
            // The left side is known not to decide: `and` true, `or` false, `implies` true.
            (Operator::Xor, ..) | (_, None, _) | (_, _, None) => None,
            (_, Some(_), two) => two,
        };
        Ok(truth.map(Item::Boolean).into_iter().collect())
    }

    /// The one item of a collection, `None` for none, an error for several.
    pub(crate) fn single<'c>(
        &self,
        operation: &'static str,
        items: &'c [Item<'a>],
    ) -> Result<Option<&'c Item<'a>>, EvalError> {
        match items {
            [] => Ok(None),
            [item] => Ok(Some(item)),
            _ => Err(EvalError::NotSingle(operation)),
        }
    }

    /// The truth of a collection: that of its boolean; a single item of another type is true
    /// (FHIRPath 4.5).
    pub(crate) fn boolean(
        &self,
        operation: &'static str,
        items: &[Item<'a>],
    ) -> Result<Option<bool>, EvalError> {
        Ok(self.single(operation, items)?.map(|item| item.as_boolean().unwrap_or(true)))
    }

    /// The integer of a collection.
    pub(crate) fn integer(
        &self,
        operation: &'static str,
        items: &[Item<'a>],
    ) -> Result<Option<i64>, EvalError> {
        let Some(item) = self.single(operation, items)? else { return Ok(None) };
        match item.to_system() {
            Some(Item::Integer(integer)) => Ok(Some(integer)),
            _ => Err(wrong_type(operation, item)),
        }
    }
}

fn item(literal: &Literal) -> Item<'_> {
    match literal {
        Literal::Boolean(value) => Item::Boolean(*value),
        Literal::Integer(value) => Item::Integer(*value),
        Literal::Decimal(value) => Item::Decimal(*value),
        Literal::Text(text) => Item::String(text.as_str().into()),
        Literal::Temporal(temporal) => Item::Temporal(*temporal),
        Literal::Quantity(value, unit) => {
            Item::Quantity(Quantity { value: *value, unit: unit.as_str().into() })
        }
    }
}

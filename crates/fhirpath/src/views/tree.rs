//! The columns of a select whose paths are plain steps (`code.coding.first().display`), taken together.
//!
//! Most columns of most views are. Steps that several of them begin with are taken once, and no step
//! makes a collection of its own where there is one element. What a column holds is what evaluating its
//! path gives: a property test holds one against the other.

use fhir::definitions::{Kind, Type, definitions};

use super::cell::Cell;
use crate::Expr;
use crate::ast::{Ast, Literal, Specifier, TypeTest};
use crate::functions::Function;
use crate::functions::elements::{key_of_reference, key_of_resource, key_type};
use crate::item::Node;

/// Columns by their steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    branches: Vec<Branch>,
    /// Those that begin at the select's own element.
    first: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Branch {
    step: Step,
    /// The steps that follow.
    next: Vec<usize>,
    /// The columns that end here.
    ends: Vec<End>,
}

/// A column at the end of its path.
#[derive(Clone, Copy, Debug)]
struct End {
    place: usize,
    collection: bool,
    gives: Gives,
}

#[derive(Clone, Debug)]
enum Step {
    /// The element itself.
    This,
    Child(String),
    /// Of the children, those that a cast lets through.
    ChildOf(String, &'static Type),
    /// A cast of anything else.
    Of(&'static Type),
    /// The element at a place.
    At(usize),
}

/// What is made of the elements at the end of a path.
#[derive(Clone, Copy, Debug)]
enum Gives {
    Values,
    ResourceKeys,
    ReferenceKeys(Option<&'static str>),
}

/// A column's value that is none.
pub(super) struct Several {
    /// Where in the row.
    pub(super) place: usize,
}

/// Elements, of which there is mostly one.
#[derive(Default)]
struct Few<'a> {
    first: Option<Node<'a>>,
    more: Vec<Node<'a>>,
}

impl<'a> Few<'a> {
    fn push(&mut self, node: Node<'a>) {
        match self.first {
            None => self.first = Some(node),
            Some(_) => self.more.push(node),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Node<'a>> {
        self.first.iter().chain(&self.more)
    }
}

impl Tree {
    /// Takes a column in whose path is plain steps; says whether it is.
    pub(super) fn take(&mut self, place: usize, expression: &Expr, collection: bool) -> bool {
        let mut found = Vec::new();
        let Some(gives) = steps(&expression.ast, &mut found) else { return false };
        if found.is_empty() {
            found.push(Step::This);
        }
        let mut at: Option<usize> = None;
        for step in found {
            let next = match at {
                None => &self.first,
                Some(at) => self.branches.get(at).map_or(&self.first, |branch| &branch.next),
            };
            let is_same =
                |branch: &usize| self.branches.get(*branch).is_some_and(|b| b.step.is(&step));
            let known = next.iter().copied().find(is_same);
            at = Some(known.unwrap_or_else(|| {
                let new = self.branches.len();
                self.branches.push(Branch { step, next: Vec::new(), ends: Vec::new() });
                match at.and_then(|at| self.branches.get_mut(at)) {
                    Some(before) => before.next.push(new),
                    None => self.first.push(new),
                }
                new
            }));
        }
        if let Some(last) = at.and_then(|at| self.branches.get_mut(at)) {
            last.ends.push(End { place, collection, gives });
        }
        true
    }

    /// How many steps are taken at most for one element.
    pub(super) fn steps(&self) -> u64 {
        self.branches.len() as u64
    }

    /// Fills the columns for an element.
    ///
    /// Errors: a column that holds one value has several.
    pub(super) fn fill<'a>(&self, of: Node<'a>, row: &mut [Cell<'a>]) -> Result<(), Several> {
        for end in self.branches.iter().flat_map(|branch| &branch.ends) {
            let nothing = if end.collection { Cell::List(Vec::new()) } else { Cell::Null };
            set(row, end.place, nothing);
        }
        self.walk(&self.first, &Few { first: Some(of), more: Vec::new() }, row)
    }

    fn walk<'a>(
        &self,
        next: &[usize],
        from: &Few<'a>,
        row: &mut [Cell<'a>],
    ) -> Result<(), Several> {
        for branch in next.iter().filter_map(|at| self.branches.get(*at)) {
            let found = branch.step.from(from);
            if found.first.is_none() {
                continue;
            }
            for end in &branch.ends {
                set(row, end.place, end.cell(&found)?);
            }
            self.walk(&branch.next, &found, row)?;
        }
        Ok(())
    }
}

fn set<'a>(row: &mut [Cell<'a>], place: usize, cell: Cell<'a>) {
    if let Some(to) = row.get_mut(place) {
        *to = cell;
    }
}

impl Step {
    /// Whether both are the same step.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::This, Self::This) => true,
            (Self::Child(one), Self::Child(other)) => one == other,
            (Self::ChildOf(one, of), Self::ChildOf(other, also)) => {
                one == other && std::ptr::eq(*of, *also)
            }
            (Self::Of(one), Self::Of(other)) => std::ptr::eq(*one, *other),
            (Self::At(one), Self::At(other)) => one == other,
            _ => false,
        }
    }

    fn from<'a>(&self, from: &Few<'a>) -> Few<'a> {
        let mut found = Few::default();
        match self {
            Self::This => from.iter().for_each(|node| found.push(*node)),
            Self::Child(name) => from.iter().for_each(|node| {
                node.for_each_child(name, &mut |child| found.push(child));
            }),
            Self::ChildOf(name, wanted) => from.iter().for_each(|node| {
                let choices = node.type_of().element(name).map(|element| &element.types);
                for choice in choices.into_iter().flatten() {
                    let of = choice.type_of();
                    // What a resource is, only it says.
                    if of.kind == Kind::Resource || is_let_through(of, wanted) {
                        node.for_each_of(choice, &mut |child| {
                            if is_let_through(child.type_of(), wanted) {
                                found.push(child);
                            }
                        });
                    }
                }
            }),
            Self::Of(wanted) => {
                let fits = from.iter().filter(|node| is_let_through(node.type_of(), wanted));
                fits.for_each(|node| found.push(*node));
            }
            Self::At(place) => {
                from.iter().nth(*place).into_iter().for_each(|node| found.push(*node))
            }
        }
        found
    }
}

/// Whether `ofType` keeps an element of a type.
fn is_let_through(of: &Type, wanted: &Type) -> bool {
    of.is_a(wanted.id) && (of.kind != Kind::Primitive || of.name == wanted.name)
}

impl End {
    fn cell<'a>(&self, found: &Few<'a>) -> Result<Cell<'a>, Several> {
        let key = |key: Option<String>| key.map(|key| Cell::Text(key.into()));
        let one = |node: &Node<'a>| match self.gives {
            Gives::Values => Some(Cell::of_node(node)),
            Gives::ResourceKeys => key(key_of_resource(node)),
            Gives::ReferenceKeys(wanted) => key(key_of_reference(node, wanted)),
        };
        let mut cells = found.iter().filter_map(one);
        if self.collection {
            return Ok(Cell::List(cells.collect()));
        }
        let first = cells.next().unwrap_or(Cell::Null);
        if cells.next().is_some() { Err(Several { place: self.place }) } else { Ok(first) }
    }
}

/// The steps of a path; `None` where it is more than plain steps.
fn steps(ast: &Ast, found: &mut Vec<Step>) -> Option<Gives> {
    let gives = match ast {
        Ast::Call { function: Function::GetResourceKey, input, .. } => {
            plain(input.as_deref(), found)?;
            Gives::ResourceKeys
        }
        Ast::Call { function: Function::GetReferenceKey, input, args, .. } => {
            plain(input.as_deref(), found)?;
            Gives::ReferenceKeys(key_type(args).ok()?)
        }
        other => {
            plain(Some(other), found)?;
            Gives::Values
        }
    };
    Some(gives)
}

fn plain(ast: Option<&Ast>, found: &mut Vec<Step>) -> Option<()> {
    match ast {
        None | Some(Ast::This) => {}
        // A leading name with a capital letter may be a type's.
        Some(Ast::Member { input, name, named_type: false }) => {
            plain(input.as_deref(), found)?;
            found.push(Step::Child(name.clone()));
        }
        Some(Ast::TypeTest { input, test: TypeTest::OfType, specifier }) => {
            plain(input.as_deref(), found)?;
            let wanted = known(specifier)?;
            let step = match found.pop() {
                Some(Step::Child(name)) => Step::ChildOf(name, wanted),
                other => {
                    found.extend(other);
                    Step::Of(wanted)
                }
            };
            found.push(step);
        }
        Some(Ast::Call { function: Function::First, input, args, .. }) if args.is_empty() => {
            plain(input.as_deref(), found)?;
            found.push(Step::At(0));
        }
        Some(Ast::Item { input, index }) => {
            let Ast::Literal(Literal::Integer(index)) = **index else { return None };
            plain(Some(input), found)?;
            found.push(Step::At(usize::try_from(index).ok()?));
        }
        Some(_) => return None,
    }
    Some(())
}

/// A type of FHIR.
fn known(specifier: &Specifier) -> Option<&'static Type> {
    let of_fhir = specifier.namespace.as_deref().is_none_or(|name| name == "FHIR");
    definitions().get(&specifier.name).filter(|_| of_fhir)
}

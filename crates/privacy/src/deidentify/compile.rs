//! A recipe made ready: an automaton over types and elements, so that one walk of a resource
//! decides every element by one look-up.

use std::collections::HashMap;

use fhir::definitions::{Kind, Type, TypeId, definitions};
use fhirpath::Expr;

use super::path::{self, Path, Typed};
use super::recipe::{Action, Generalise, MAX_RULES, Recipe};

/// Number of a rule in its recipe; the lower wins.
pub(super) type Rank = u16;
/// No rule.
pub(super) const NONE: Rank = Rank::MAX;
/// The most states of the automaton.
const MAX_STATES: usize = 200_000;

/// What is wrong with a recipe. Rules are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecipe {
    /// Not the JSON of a recipe.
    #[error("this is no recipe: line {line}, column {column} does not fit")]
    Form {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// More than [`MAX_RULES`] rules, or paths that lead to too many places.
    #[error("the recipe is too large: give it at most `{MAX_RULES}` rules")]
    TooLarge,
    /// The path starts with nothing that FHIR R4 knows.
    #[error("rule `{rule}` must start with a type of FHIR R4")]
    Head {
        /// The rule.
        rule: usize,
    },
    /// The path names an element that its type does not have.
    #[error("rule `{rule}` names an element that its type does not have")]
    Element {
        /// The rule.
        rule: usize,
    },
    /// The path has conditions and does not start with a resource type.
    #[error("rule `{rule}` has conditions and must start with the type of a resource")]
    Condition {
        /// The rule.
        rule: usize,
    },
    /// The path is not FHIRPath.
    #[error("rule `{rule}` has a path that is not FHIRPath")]
    Path {
        /// The rule.
        rule: usize,
    },
    /// A setting of the action is out of its range.
    #[error("rule `{rule}` has a setting out of range")]
    Setting {
        /// The rule.
        rule: usize,
    },
    /// Dates are to be shifted by up to 0 days, or by more than 10 years.
    #[error("`shift-days` must be from `1` to `3650`")]
    ShiftDays,
}

/// A recipe that is ready to be applied.
pub struct CompiledRecipe {
    pub(super) recipe: Recipe,
    pub(super) states: Vec<State>,
    pub(super) starts: HashMap<&'static str, u32>,
    pub(super) evaluated: HashMap<&'static str, Vec<(Rank, Expr)>>,
}

/// A place in a resource: its type, and which rules name it.
pub(super) struct State {
    pub(super) type_of: &'static Type,
    /// The first rule that names this place.
    pub(super) own: Rank,
    /// The first rule that names this place or anything in it.
    pub(super) inside: Rank,
    /// The same place once it is named: behind a wall, rules for types hold only then.
    pub(super) open: u32,
    /// Children by the name that they have in JSON.
    pub(super) children: Vec<Child>,
}

/// A step to a child.
pub(super) struct Child {
    pub(super) member: &'static str,
    pub(super) state: u32,
    pub(super) wall: Wall,
}

/// What does not take part in a rule for what it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wall {
    /// No wall.
    Open,
    /// An extension, narrative, or id of an element: to be named.
    Named,
    /// Binary contents: to be named, or searched or cleaned together with what they are part of.
    Binary,
    /// A resource inside: to be named, and read as a resource of its own.
    Resource,
}

impl std::fmt::Debug for CompiledRecipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CompiledRecipe({} {})", self.recipe.name, self.recipe.version)
    }
}

impl CompiledRecipe {
    /// Makes a recipe ready.
    pub fn new(recipe: Recipe) -> Result<Self, InvalidRecipe> {
        if recipe.rules.len() > MAX_RULES {
            return Err(InvalidRecipe::TooLarge);
        }
        if !(1..=3650).contains(&recipe.shift_days) {
            return Err(InvalidRecipe::ShiftDays);
        }
        let mut typed = Vec::new();
        let mut evaluated: HashMap<&'static str, Vec<(Rank, Expr)>> = HashMap::new();
        for (at, rule) in recipe.rules.iter().enumerate() {
            let rank = Rank::try_from(at).map_err(|_| InvalidRecipe::TooLarge)?;
            if !sound(&rule.action) {
                return Err(InvalidRecipe::Setting { rule: at + 1 });
            }
            match path::read(at + 1, &rule.path)? {
                Path::Typed(path) => typed.push((rank, path)),
                Path::Evaluated(of, expr) => evaluated.entry(of).or_default().push((rank, *expr)),
            }
        }
        let mut builder =
            Builder { rules: &typed, states: Vec::new(), known: HashMap::new(), todo: Vec::new() };
        let mut starts = HashMap::new();
        for &name in fhir::resource_types() {
            if let Some(type_of) = definitions().get(name) {
                starts.insert(name, builder.state(type_of.id, Vec::new(), Mode::Open)?);
            }
        }
        builder.finish()?;
        let mut states = builder.states;
        spread(&mut states);
        Ok(Self { recipe, states, starts, evaluated })
    }

    /// Reads a recipe from its JSON text and makes it ready.
    pub fn parse(json: &str) -> Result<Self, InvalidRecipe> {
        let recipe = serde_json::from_str(json)
            .map_err(|e| InvalidRecipe::Form { line: e.line(), column: e.column() })?;
        Self::new(recipe)
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What the rule does; redaction where there is none.
    pub(super) fn action(&self, rank: Rank) -> &Action {
        self.recipe.rules.get(usize::from(rank)).map_or(&Action::Redact, |rule| &rule.action)
    }

    /// The rule that holds behind a wall, of the one that holds before it.
    pub(super) fn behind(&self, wall: Wall, rank: Rank) -> Rank {
        let passes = match (wall, self.action(rank)) {
            (Wall::Open, _)
            | (_, Action::Redact)
            | (Wall::Binary, Action::FreeText | Action::Dicom(_)) => true,
            (Wall::Named | Wall::Binary | Wall::Resource, _) => false,
        };
        if passes { rank } else { NONE }
    }
}

fn sound(action: &Action) -> bool {
    match action {
        Action::Perturb { share } => *share > 0.0 && *share <= 1.0,
        Action::Generalise(Generalise::Band(width)) => width.is_finite() && *width > 0.0,
        Action::Generalise(Generalise::Prefix(length)) => (1..=64).contains(length),
        _ => true,
    }
}

/// Rules on their way: which, and how many of its steps are done.
type Underway = Vec<(usize, usize)>;

/// Whether rules that start at a type hold at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// They do.
    Open,
    /// Right behind a wall: those for exactly this type do.
    Entry,
    /// Further behind it: they do not, until something is named.
    Closed,
}

type Key = (TypeId, Underway, Mode);

struct Builder<'r> {
    rules: &'r [(Rank, Typed)],
    states: Vec<State>,
    known: HashMap<Key, u32>,
    todo: Vec<(u32, Key)>,
}

impl Builder<'_> {
    fn state(
        &mut self,
        type_id: TypeId,
        underway: Underway,
        mode: Mode,
    ) -> Result<u32, InvalidRecipe> {
        let key = (type_id, underway, mode);
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let open = match mode {
            Mode::Open => None,
            Mode::Entry | Mode::Closed => Some(self.state(type_id, key.1.clone(), Mode::Open)?),
        };
        let number = self.states.len();
        if number >= MAX_STATES {
            return Err(InvalidRecipe::TooLarge);
        }
        let number = number as u32;
        let type_of = definitions().by_id(type_id);
        let arrived = key.1.iter().filter_map(|&(rule, done)| {
            let (rank, path) = self.rules.get(rule)?;
            (path.steps.len() == done).then_some(*rank)
        });
        let named = self
            .rules
            .iter()
            .filter(|(_, path)| path.steps.is_empty() && starts(type_of, path.head, mode));
        let own = arrived.chain(named.map(|(rank, _)| *rank)).min().unwrap_or(NONE);
        let open = open.unwrap_or(number);
        self.states.push(State { type_of, own, inside: own, open, children: Vec::new() });
        self.todo.push((number, key.clone()));
        self.known.insert(key, number);
        Ok(number)
    }

    fn finish(&mut self) -> Result<(), InvalidRecipe> {
        while let Some((number, (type_id, underway, mode))) = self.todo.pop() {
            let own = self.states.get(number as usize).map_or(NONE, |state| state.own);
            let children = self.children(definitions().by_id(type_id), underway, mode, own)?;
            if let Some(state) = self.states.get_mut(number as usize) {
                state.children = children;
            }
        }
        Ok(())
    }

    fn children(
        &mut self,
        owner: &'static Type,
        mut underway: Underway,
        mode: Mode,
        own: Rank,
    ) -> Result<Vec<Child>, InvalidRecipe> {
        for (at, (_, path)) in self.rules.iter().enumerate() {
            if !path.steps.is_empty() && starts(owner, path.head, mode) {
                underway.push((at, 0));
            }
        }
        let inner = if mode == Mode::Open || own != NONE { Mode::Open } else { Mode::Closed };
        let mut children = Vec::new();
        for element in owner.elements().iter().filter(|e| !path::hidden(owner, e.name)) {
            for choice in &element.types {
                let type_of = choice.type_of();
                let mut next: Underway = underway
                    .iter()
                    .filter(|&&(rule, done)| {
                        let step = self.rules.get(rule).and_then(|(_, p)| p.steps.get(done));
                        step.is_some_and(|step| {
                            step.name == element.name
                                && step.of_type.is_none_or(|of| type_of.is_a(of))
                        })
                    })
                    .map(|&(rule, done)| (rule, done + 1))
                    .collect();
                next.sort_unstable();
                next.dedup();
                let wall = wall(owner, element.name, type_of);
                let mode = match wall {
                    Wall::Named if element.name == "id" => Mode::Closed,
                    Wall::Named | Wall::Binary => Mode::Entry,
                    Wall::Open | Wall::Resource => inner,
                };
                let state = self.state(type_of.id, next, mode)?;
                children.push(Child { member: choice.member, state, wall });
            }
        }
        children.sort_by_key(|child| child.member);
        Ok(children)
    }
}

/// Whether rules that start at `head` hold at a place of this type.
fn starts(type_of: &Type, head: TypeId, mode: Mode) -> bool {
    match mode {
        Mode::Open => type_of.is_a(head),
        Mode::Entry => type_of.id == head,
        Mode::Closed => false,
    }
}

fn wall(owner: &Type, name: &str, type_of: &Type) -> Wall {
    match type_of.name {
        "Extension" if owner.name != "Extension" => Wall::Named,
        "Narrative" => Wall::Named,
        "base64Binary" => Wall::Binary,
        _ if type_of.kind == Kind::Resource => Wall::Resource,
        _ if name == "id" && owner.kind != Kind::Resource => Wall::Named,
        _ => Wall::Open,
    }
}

/// Tells every state the first rule inside it: repeated until nothing changes, since types may
/// contain themselves.
fn spread(states: &mut [State]) {
    loop {
        let mut changed = false;
        for at in 0..states.len() {
            let Some(state) = states.get(at) else { continue };
            let found = state.children.iter().filter_map(|child| states.get(child.state as usize));
            let inside = found.map(|child| child.inside).min().unwrap_or(NONE).min(state.inside);
            if let Some(state) = states.get_mut(at).filter(|state| state.inside != inside) {
                state.inside = inside;
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

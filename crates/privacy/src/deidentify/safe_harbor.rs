//! How a recipe answers the eighteen identifiers of 45 CFR 164.514(b)(2)(i).
//!
//! Every value that FHIR R4 can hold outside extensions and other walls is looked at: which
//! identifiers it may be by its type and place, and which rule decides it. What a rule does must
//! be enough for each of them. Rules with conditions are not evaluated: where one that does not
//! redact could come first, that is said.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use fhir::definitions::{Kind, System, Type};
use serde::{Deserialize, Serialize};

use super::compile::{CompiledRecipe, NONE, Rank, State, Wall};
use super::recipe::Action;

/// One of the eighteen, by its letter in the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Identifier {
    /// Names.
    A,
    /// Geography below the state.
    B,
    /// Dates but for the year; ages over 89.
    C,
    /// Telephone numbers.
    D,
    /// Fax numbers.
    E,
    /// E-mail addresses.
    F,
    /// Social security numbers.
    G,
    /// Medical record numbers.
    H,
    /// Health plan beneficiary numbers.
    I,
    /// Account numbers.
    J,
    /// Certificate and licence numbers.
    K,
    /// Vehicle identifiers and plates.
    L,
    /// Device identifiers and serial numbers.
    M,
    /// Web addresses.
    N,
    /// IP addresses.
    O,
    /// Biometric identifiers.
    P,
    /// Full-face photographs and the like.
    Q,
    /// Any other unique number, characteristic or code.
    R,
}

use Identifier::{A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R};

/// All eighteen.
pub const IDENTIFIERS: [Identifier; 18] = [A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R];

/// How a recipe answers one identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which.
    pub identifier: Identifier,
    /// Rules that decide values that may be this identifier, from 1; 0 stands for those that no
    /// rule names, which are redacted.
    pub rules: BTreeSet<usize>,
    /// Values that are not enough answered: the first path to each, with the rule. Empty where all
    /// are.
    pub open: BTreeMap<String, usize>,
}

/// What a recipe does for Safe Harbor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lint {
    /// The eighteen, in order.
    pub answers: Vec<Answer>,
    /// Rules with conditions that keep something, from 1: to be read by a person.
    pub conditional: BTreeSet<usize>,
}

impl Lint {
    /// Whether all eighteen are answered everywhere, but for what rules with conditions keep.
    pub fn is_complete(&self) -> bool {
        self.answers.iter().all(|answer| answer.open.is_empty())
    }
}

/// Reads a recipe against Safe Harbor. That the people who get the data do not know more than the
/// data say (paragraph (b)(2)(ii)) no program can tell.
pub fn lint(recipe: &CompiledRecipe) -> Lint {
    let mut walk = Walk { recipe, seen: HashSet::new(), answers: BTreeMap::new() };
    for identifier in IDENTIFIERS {
        walk.answers.insert(identifier, (BTreeSet::new(), BTreeMap::new()));
    }
    let mut starts: Vec<_> = recipe.starts.iter().collect();
    starts.sort();
    for (name, number) in starts {
        walk.state(*number, NONE, name, Holder::default());
    }
    let answers = walk.answers.into_iter().map(|(identifier, (rules, open))| Answer {
        identifier,
        rules,
        open,
    });
    let kept = recipe
        .evaluated
        .values()
        .flatten()
        .filter(|(rank, _)| !matches!(recipe.action(*rank), Action::Redact | Action::AgeCap));
    Lint {
        answers: answers.collect(),
        conditional: kept.map(|(rank, _)| usize::from(*rank) + 1).collect(),
    }
}

/// Types that a value is part of, as far as they tell what it may be.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Holder {
    outer: Option<&'static str>,
}

type Answers = BTreeMap<Identifier, (BTreeSet<usize>, BTreeMap<String, usize>)>;

struct Walk<'a> {
    recipe: &'a CompiledRecipe,
    seen: HashSet<(u32, Rank, Holder)>,
    answers: Answers,
}

impl Walk<'_> {
    fn state(&mut self, number: u32, above: Rank, path: &str, holder: Holder) {
        let recipe = self.recipe;
        let Some(state) = recipe.states.get(number as usize) else { return };
        let rank = above.min(state.own);
        if !self.seen.insert((number, rank, holder)) {
            return;
        }
        for child in &state.children {
            let Some(below) = recipe.states.get(child.state as usize) else { continue };
            let before = recipe.behind(child.wall, rank);
            let path = format!("{path}.{}", child.member);
            if child.wall == Wall::Resource {
                continue;
            }
            if below.type_of.kind == Kind::Primitive {
                let decided = before.min(below.own);
                self.value(state, below, child.member, decided, &path, holder);
            } else {
                let told = TELLING.iter().find(|name| **name == below.type_of.name);
                let outer = told.copied().or(holder.outer);
                self.state(child.state, before, &path, Holder { outer });
            }
        }
    }

    fn value(
        &mut self,
        owner: &State,
        value: &State,
        member: &str,
        rank: Rank,
        path: &str,
        holder: Holder,
    ) {
        let action = self.recipe.action(rank);
        let rule = if rank == NONE { 0 } else { usize::from(rank) + 1 };
        for &identifier in may_be(owner.type_of, value.type_of, member, holder) {
            let Some((rules, open)) = self.answers.get_mut(&identifier) else { continue };
            rules.insert(rule);
            if !enough(identifier, action, owner.type_of, value.type_of, member) {
                open.insert(path.to_owned(), rule);
            }
        }
    }
}

/// Types whose values are of a kind wherever they stand.
const TELLING: [&str; 9] = [
    "HumanName",
    "Address",
    "ContactPoint",
    "Identifier",
    "Age",
    "Attachment",
    "Narrative",
    "Signature",
    "Annotation",
];

/// Which identifiers a value may be.
fn may_be(owner: &Type, type_of: &Type, member: &str, holder: Holder) -> &'static [Identifier] {
    let text = matches!(type_of.name, "string" | "markdown" | "xhtml");
    match (holder.outer, owner.name) {
        // Choices of a value set tell nothing of a person.
        (Some("HumanName" | "Address" | "ContactPoint" | "Identifier"), _)
            if type_of.name == "code" =>
        {
            &[]
        }
        (Some("HumanName"), "HumanName") => &[A],
        (Some("Address"), "Address") if matches!(member, "state" | "country") => &[],
        (Some("Address"), "Address") => &[B],
        (Some("ContactPoint"), "ContactPoint") if text => &[D, E, F, N, O],
        (Some("Identifier"), "Identifier") if text => &[G, H, I, J, K, L, M, R],
        (Some("Age"), "Age") if type_of.system == Some(System::Decimal) => &[C],
        _ if matches!(type_of.system, Some(System::Date | System::DateTime)) => &[C],
        _ if type_of.name == "base64Binary" => &[A, P, Q, R],
        (_, "Location.position") => &[B],
        // Names of systems, units and kinds, not of people.
        (
            _,
            "Coding" | "Quantity" | "Age" | "Duration" | "Distance" | "Count" | "Money"
            | "SampledData",
        ) if member != "display" => &[],
        (_, "Reference") if member == "reference" => &[R],
        (_, "Reference" | "Identifier" | "Meta" | "Extension")
            if member == "type" || member == "profile" || member == "system" =>
        {
            &[]
        }
        _ if matches!(type_of.name, "url" | "uri" | "oid" | "uuid") => &[N, R],
        _ if type_of.name == "id" || member == "id" => &[R],
        _ if text => &[A, B, D, F, G, H, I, J, K, L, M, N, O, R],
        _ => &[],
    }
}

/// Whether an action answers an identifier.
fn enough(
    identifier: Identifier,
    action: &Action,
    owner: &Type,
    type_of: &Type,
    member: &str,
) -> bool {
    // Where an action does not fit a value, the value is redacted.
    let date = matches!(type_of.system, Some(System::Date | System::DateTime));
    match action {
        Action::Redact => true,
        Action::Keep => false,
        Action::YearOnly => true,
        Action::ShiftDates => !date,
        Action::AgeCap => identifier == C || type_of.system == Some(System::String),
        Action::Zip3 => owner.name == "Address" && member == "postalCode",
        // The code of a resource is made by a key from its id, which no person carries.
        Action::Pseudonymise => true,
        // A month is more than a year; a part of a text is a part of it.
        Action::Generalise(super::recipe::Generalise::FiveYears) => date,
        Action::Generalise(_) | Action::Perturb { .. } => false,
        // Pixels are not looked at.
        Action::Dicom(_) => type_of.name != "base64Binary",
        // What is found is replaced; that all is found nobody can promise.
        Action::FreeText => false,
    }
}

//! What an extract is asked to be, and what it may be.

use std::collections::{BTreeMap, HashMap, HashSet};

use fhir::Id;
use privacy::deidentify::safe_harbor::{Identifier, lint};
use privacy::deidentify::{Action as What, Basis, CompiledRecipe, Recipe, shipped};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::project;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Kind, Result};

/// The least number of patients of an extract: of fewer, whoever orders it could learn about one whom
/// they know.
pub const LEAST_PATIENTS: usize = 10;
/// The most patients that can be named.
pub const MOST_PATIENTS: usize = 100_000;
/// The most characters of a project's name.
const MOST_NAME: usize = 128;
/// The most characters of a purpose.
const MOST_PURPOSE: usize = 500;
/// The largest least size of a class.
const MOST_K: usize = 1_000;
/// The largest share of patients that may be left out of the table of demographics.
const MOST_SUPPRESSION: f64 = 0.5;

/// The types of an extract that names none: what is told of health, and what explains it.
pub const TYPES: [&str; 31] = [
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Claim",
    "ClinicalImpression",
    "Condition",
    "Coverage",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Goal",
    "ImagingStudy",
    "Immunization",
    "Location",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "Procedure",
    "ServiceRequest",
    "Specimen",
    "VisionPrescription",
];

/// Types that govern and tell nothing of health: never in an extract.
const NEVER: [&str; 10] = [
    "AuditEvent",
    "Binary",
    "Bundle",
    "Communication",
    "Consent",
    "Linkage",
    "Person",
    "Provenance",
    "Subscription",
    "Task",
];

/// An extract as it is ordered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// For which project: its id, or any name. Pseudonyms of two projects cannot be joined.
    pub project: String,
    /// What for, in words.
    pub purpose: String,
    /// The name of a recipe that comes with the program.
    #[serde(default)]
    pub recipe: Option<String>,
    /// Its version, where it must be that one.
    #[serde(default)]
    pub version: Option<String>,
    /// A recipe of one's own in its place.
    #[serde(default)]
    pub own_recipe: Option<Recipe>,
    /// The types; [`TYPES`] where there are none.
    #[serde(default)]
    pub types: Vec<String>,
    /// Only these patients, by id; all where there are none.
    #[serde(default)]
    pub patients: Vec<String>,
    /// What the table of demographics must fulfil, where there is to be one.
    #[serde(default)]
    pub anonymity: Option<Anonymity>,
    /// How many people the patients are taken from; those that the node holds where it is not said.
    #[serde(default)]
    pub population: Option<usize>,
}

/// What the table of demographics must fulfil.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anonymity {
    /// The least number of patients who look alike, at least 2.
    pub k: usize,
    /// The least number of latest conditions among them.
    #[serde(default)]
    pub l: Option<usize>,
    /// How far their latest conditions may be from those of all, from 0 to 1.
    #[serde(default)]
    pub t: Option<f64>,
    /// The largest share of patients who may be left out for it, at most 0.5.
    #[serde(default)]
    pub suppression: f64,
}

impl Order {
    /// The order that a job was submitted with.
    pub(super) fn of(request: &Value) -> Result<Self> {
        serde_json::from_value(request.clone())
            .map_err(|e| Error::internal(format!("the order of an extract cannot be read: {e}")))
    }

    /// Checks the order by itself, and gives its recipe.
    pub(super) fn check(&self) -> Result<CompiledRecipe> {
        let invalid = |message: String| Err(Error::invalid("value", message));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if self.project.is_empty()
            || self.project.len() > MOST_NAME
            || !self.project.chars().all(is_plain)
        {
            let message = format!(
                "`project` has 1 to {MOST_NAME} letters, digits, points, colons, hyphens and underscores"
            );
            return invalid(message);
        }
        if self.purpose.trim().is_empty() || self.purpose.chars().count() > MOST_PURPOSE {
            return invalid(format!("`purpose` has 1 to {MOST_PURPOSE} characters"));
        }
        if self.types.iter().any(|kind| !is_wanted(kind)) {
            return invalid("`types` names one that is not extracted".to_owned());
        }
        if self.patients.len() > MOST_PATIENTS
            || self.patients.iter().any(|id| Id::new(id).is_err())
        {
            return invalid(format!("`patients` has at most {MOST_PATIENTS} ids of patients"));
        }
        if !self.patients.is_empty() && self.listed().len() < LEAST_PATIENTS {
            return Err(too_few());
        }
        if let Some(anonymity) = &self.anonymity {
            anonymity.check()?;
        }
        self.compiled()
    }

    /// The recipe, ready.
    pub(super) fn compiled(&self) -> Result<CompiledRecipe> {
        let invalid = |message: String| Error::invalid("value", message);
        let recipe = match (&self.recipe, &self.own_recipe) {
            (Some(name), None) => match shipped::recipe(name) {
                Some(recipe) => recipe.map_err(|e| Error::internal(e.to_string()))?,
                None => {
                    let known: Vec<String> =
                        shipped::RECIPES.iter().map(|(name, _)| format!("`{name}`")).collect();
                    return Err(invalid(format!("`recipe` is one of {}", known.join(", "))));
                }
            },
            (None, Some(own)) => CompiledRecipe::new(own.clone())
                .map_err(|e| invalid(format!("`own_recipe`: {e}")))?,
            _ => return Err(invalid("name a `recipe` or give an `own_recipe`".to_owned())),
        };
        let version = &recipe.recipe().version;
        if self.version.as_ref().is_some_and(|wanted| wanted != version) {
            return Err(invalid(format!("the recipe is of version `{version}`; ask for that one")));
        }
        Ok(recipe)
    }

    /// Whether the recipe may be used: one of one's own leaves nothing that those of the program remove.
    pub(super) fn check_recipe(
        &self,
        app: &App,
        caller: &Caller,
        recipe: &CompiledRecipe,
    ) -> Result<()> {
        let is_own = self.own_recipe.is_some();
        if is_own && let Some(rule) = laxer(recipe)? {
            let message = format!(
                "rule `{rule}` of the recipe leaves what no recipe of the program leaves; redact it"
            );
            return refuse(app, caller, "recipe-too-lax", message);
        }
        Ok(())
    }

    /// Whether the project lets it be had now: what is not Safe Harbor is for one that asked this institution
    /// for it, and goes on. Asked when it is ordered, when it is made, and before each of its files.
    pub(super) fn check_project(
        &self,
        app: &App,
        caller: &Caller,
        recipe: &CompiledRecipe,
    ) -> Result<()> {
        if recipe.recipe().basis == Basis::SafeHarbor && lint(recipe).is_complete() {
            return Ok(());
        }
        let Some((rule, why)) = project::against(app, &self.project)? else { return Ok(()) };
        let message = format!(
            "what this recipe leaves is not Safe Harbor, and {why}; name a project that this institution \
             has approved and that was applied for with extracts, or use `safe-harbor`"
        );
        refuse(app, caller, rule, message)
    }

    /// The types that are wanted.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        let known = |kind: &str| fhir::resource_type(kind);
        match self.types.is_empty() {
            true => TYPES.iter().filter_map(|kind| known(kind)).collect(),
            false => self.types.iter().filter_map(|kind| known(kind)).collect(),
        }
    }

    /// The patients that are named, each once.
    pub(super) fn listed(&self) -> HashSet<Id> {
        self.patients.iter().filter_map(|id| Id::new(id).ok()).collect()
    }
}

fn refuse(app: &App, caller: &Caller, rule: &str, message: String) -> Result<()> {
    app.audit(Event::by(caller, Pattern::Refuse).refused(format!("extract {rule}")))?;
    Err(Error::new(Kind::Forbidden, message).by_rule(rule))
}

fn is_wanted(kind: &str) -> bool {
    fhir::resource_type(kind).is_some() && !NEVER.contains(&kind)
}

/// What is said of an extract of fewer patients than may be.
pub(super) fn too_few() -> Error {
    let message = format!(
        "an extract is of at least {LEAST_PATIENTS} patients who are in research; ask for more"
    );
    Error::new(Kind::Unprocessable, message).by_rule("min-patients")
}

impl Anonymity {
    fn check(&self) -> Result<()> {
        let share = |value: f64, most: f64| (0.0..=most).contains(&value);
        let sound = (2..=MOST_K).contains(&self.k)
            && share(self.suppression, MOST_SUPPRESSION)
            && self.l.is_none_or(|l| (1..=MOST_K).contains(&l))
            && self.t.is_none_or(|t| share(t, 1.0));
        match sound {
            true => Ok(()),
            false => Err(Error::invalid(
                "value",
                format!(
                    "`anonymity` has k from 2 to {MOST_K}, l from 1 to {MOST_K}, t from 0 to 1, and \
                     a suppression of at most {MOST_SUPPRESSION}"
                ),
            )),
        }
    }
}

/// The first rule of a recipe that leaves what none of the program's does.
fn laxer(recipe: &CompiledRecipe) -> Result<Option<usize>> {
    let mut left: HashMap<Identifier, BTreeMap<String, Vec<What>>> = HashMap::new();
    let mut conditions: Vec<(String, What)> = Vec::new();
    for (name, _) in shipped::RECIPES {
        let Some(Ok(shipped)) = shipped::recipe(name) else {
            return Err(Error::internal("a recipe of the program cannot be read"));
        };
        let made = lint(&shipped);
        let rules = &shipped.recipe().rules;
        for answer in made.answers {
            let known = left.entry(answer.identifier).or_default();
            for (path, at) in answer.open {
                let rule = at.checked_sub(1).and_then(|at| rules.get(at));
                known.entry(path).or_default().extend(rule.map(|rule| rule.action.clone()));
            }
        }
        let kept = made.conditional.iter().filter_map(|at| rules.get(at.checked_sub(1)?));
        conditions.extend(kept.map(|rule| (rule.path.clone(), rule.action.clone())));
    }
    let made = lint(recipe);
    let rules = &recipe.recipe().rules;
    for answer in &made.answers {
        let known = left.get(&answer.identifier);
        for (path, at) in &answer.open {
            let rule = at.checked_sub(1).and_then(|at| rules.get(at));
            let actions = known.and_then(|known| known.get(path));
            let is_known = rule.zip(actions).is_some_and(|(rule, actions)| {
                actions.iter().any(|action| leaves_no_more(&rule.action, action))
            });
            if !is_known {
                return Ok(Some(*at));
            }
        }
    }
    let lax = made.conditional.iter().find(|at| {
        let rule = at.checked_sub(1).and_then(|at| rules.get(at));
        !rule.is_some_and(|rule| {
            conditions.iter().any(|(path, action)| *path == rule.path && *action == rule.action)
        })
    });
    Ok(lax.copied())
}

/// Whether an action leaves nothing of a value that another takes away.
fn leaves_no_more(action: &What, than: &What) -> bool {
    match (action, than) {
        (_, What::Keep) => true,
        (What::Dicom(options), What::Dicom(others)) => options.leave_no_more_than(*others),
        _ => action == than,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            project: "trial-1".to_owned(),
            purpose: "to see whether it helps".to_owned(),
            recipe: Some("safe-harbor".to_owned()),
            ..Order::default()
        }
    }

    #[test]
    fn what_is_ordered_is_sound() {
        assert!(order().check().is_ok());
        let ids = |count: usize| (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>();
        let anonymity = |k, suppression| Some(Anonymity { k, l: None, t: None, suppression });
        let bad = [
            Order { project: String::new(), ..order() },
            Order { project: "a b".to_owned(), ..order() },
            Order { purpose: " ".to_owned(), ..order() },
            Order { recipe: Some("everything".to_owned()), ..order() },
            Order { recipe: None, ..order() },
            Order { version: Some("0.9".to_owned()), ..order() },
            Order { types: vec!["AuditEvent".to_owned()], ..order() },
            Order { types: vec!["Nothing".to_owned()], ..order() },
            Order { patients: ids(LEAST_PATIENTS - 1), ..order() },
            Order { patients: vec!["p1".to_owned(); 20], ..order() },
            Order { patients: vec!["not an id".to_owned(); 20], ..order() },
            Order { anonymity: anonymity(1, 0.0), ..order() },
            Order { anonymity: anonymity(5, 0.9), ..order() },
            Order { anonymity: anonymity(5, f64::NAN), ..order() },
        ];
        for (at, bad) in bad.iter().enumerate() {
            assert!(bad.check().is_err(), "{at}");
        }
        assert!(Order { patients: ids(LEAST_PATIENTS), ..order() }.check().is_ok());
    }

    #[test]
    fn types_are_known_and_tell_of_health() {
        for kind in TYPES {
            assert!(is_wanted(kind), "{kind}");
        }
        for kind in NEVER {
            assert!(fhir::resource_type(kind).is_some(), "{kind}");
        }
    }

    #[test]
    fn a_recipe_of_ones_own_leaves_no_more_than_the_programs() {
        let with = |rules: &str| {
            let text = format!(
                "{{\"name\":\"own\",\"version\":\"1\",\"description\":\"\",\"basis\":\"safe-harbor\",\"rules\":[{rules}]}}"
            );
            CompiledRecipe::parse(&text).unwrap()
        };
        let rule = |path: &str| format!("{{\"path\":\"{path}\",\"action\":\"keep\"}}");
        for lax in ["Patient.name", "HumanName", "Patient.telecom", "Identifier", "Patient"] {
            assert_eq!(laxer(&with(&rule(lax))).unwrap(), Some(1), "{lax}");
        }
        let condition = "Patient.extension.where(url = 'http://a.example/mother').value";
        assert_eq!(laxer(&with(&rule(condition))).unwrap(), Some(1));
        assert_eq!(laxer(&with(&rule("Patient.gender"))).unwrap(), None);
        // What is cleaned by the program's recipes is not kept by another.
        let data = |action: &str| {
            with(&format!("{{\"path\":\"Media.content.data\",\"action\":{action}}}"))
        };
        assert_eq!(laxer(&data("\"keep\"")).unwrap(), Some(1));
        assert_eq!(laxer(&data("{\"dicom\":{}}")).unwrap(), None);
        assert_eq!(laxer(&data("{\"dicom\":{\"dates\":\"shifted\"}}")).unwrap(), None);
        for (name, _) in shipped::RECIPES {
            assert_eq!(laxer(&shipped::recipe(name).unwrap().unwrap()).unwrap(), None, "{name}");
        }
    }
}

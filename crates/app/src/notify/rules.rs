//! What is subscribed to, each once however many subscribe to it, and which of it a change may
//! concern, found without evaluating anything.
//!
//! Every trigger that can only be pulled by a resource with a certain id, patient, code or
//! reference is filed under those values; of several such conditions the one with the fewest
//! triggers beside it is taken. A change is looked up by the values it holds, so that a thousand
//! criteria about a thousand codes cost what one costs. Only a trigger without such a condition is
//! evaluated for every change of its type.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use fhir::Id;
use fhirpath::search::{IndexValue, ParamNumber};
use store::query::{Filter, ReferenceTest, Test, fold};

use super::criteria::{Indexed, Trigger};
use super::definition::What;

/// What is subscribed to, and by which patient; `None` for staff.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Criteria, or a topic with its filters.
    pub what: What,
    /// The patient whose own record it is about.
    pub patient: Option<Id>,
}

/// One rule and its subscribers.
#[derive(Debug)]
pub struct Rule {
    /// What is asked.
    pub asked: Asked,
    /// Who is told.
    pub subscribers: BTreeSet<Id>,
    triggers: Vec<Filed>,
}

impl Rule {
    /// One of its triggers, as [`Rules::candidates`] numbers them.
    pub fn trigger(&self, at: usize) -> Option<&Trigger> {
        self.triggers.get(at).map(|filed| &filed.trigger)
    }
}

/// A trigger and where it is filed; among those that every change concerns where there is no key.
#[derive(Debug)]
struct Filed {
    trigger: Trigger,
    keys: Vec<Key>,
}

/// What kind of value a trigger is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Slot {
    Id,
    Patient,
    Param(ParamNumber),
}

type Key = (Slot, String);
/// Number of a rule and place of the trigger in it.
type At = (u64, usize);

#[derive(Debug, Default)]
struct OfType {
    any: BTreeSet<At>,
    filed: HashMap<Slot, HashMap<String, BTreeSet<At>>>,
}

/// All rules in force.
#[derive(Debug, Default)]
pub struct Rules {
    rules: BTreeMap<u64, Rule>,
    numbers: HashMap<Asked, u64>,
    of: HashMap<Id, u64>,
    types: HashMap<&'static str, OfType>,
    last: u64,
}

impl Rules {
    /// Lets a subscriber be told of what is asked; `compile` gives the triggers where nobody has
    /// asked this before.
    pub fn enter(&mut self, id: &Id, asked: Asked, compile: impl FnOnce() -> Vec<Trigger>) {
        self.leave(id);
        let number = match self.numbers.get(&asked) {
            Some(number) => *number,
            None => {
                self.last += 1;
                self.file(self.last, asked, compile());
                self.last
            }
        };
        if let Some(rule) = self.rules.get_mut(&number) {
            rule.subscribers.insert(id.clone());
            self.of.insert(id.clone(), number);
        }
    }

    /// Ends what a subscriber asked for; the rule goes with its last subscriber.
    pub fn leave(&mut self, id: &Id) {
        let Some(number) = self.of.remove(id) else { return };
        let Some(rule) = self.rules.get_mut(&number) else { return };
        rule.subscribers.remove(id);
        if !rule.subscribers.is_empty() {
            return;
        }
        let Some(rule) = self.rules.remove(&number) else { return };
        self.numbers.remove(&rule.asked);
        for (at, filed) in rule.triggers.iter().enumerate() {
            let kind = filed.trigger.resource_type;
            let Some(of_type) = self.types.get_mut(kind) else { continue };
            of_type.remove(&filed.keys, (number, at));
            if of_type.any.is_empty() && of_type.filed.is_empty() {
                self.types.remove(kind);
            }
        }
    }

    /// Whether any rule is about resources of this type.
    pub fn concern(&self, resource_type: &str) -> bool {
        self.types.contains_key(resource_type)
    }

    /// The rule of a number.
    pub fn rule(&self, number: u64) -> Option<&Rule> {
        self.rules.get(&number)
    }

    /// The triggers that a change may pull, as number of the rule and place in it: `version` is
    /// the new one, or of a deletion the one before. All others are not pulled by it.
    pub fn candidates(&self, version: &Indexed) -> BTreeSet<(u64, usize)> {
        let Some(of_type) = self.types.get(version.stored.key.resource_type) else {
            return BTreeSet::new();
        };
        let mut found = of_type.any.clone();
        found.extend(of_type.under(Slot::Id, version.stored.key.id.as_str()));
        if of_type.filed.contains_key(&Slot::Patient) {
            for patient in version.about() {
                found.extend(of_type.under(Slot::Patient, patient));
            }
        }
        for entry in &version.entries {
            let slot = Slot::Param(entry.param);
            if of_type.filed.contains_key(&slot)
                && let Some(value) = held(&entry.value)
            {
                found.extend(of_type.under(slot, &value));
            }
        }
        found
    }

    fn file(&mut self, number: u64, asked: Asked, triggers: Vec<Trigger>) {
        let mut all = Vec::with_capacity(triggers.len());
        for (at, trigger) in triggers.into_iter().enumerate() {
            let of_type = self.types.entry(trigger.resource_type).or_default();
            let choices = choices(&trigger);
            let fewest = choices.into_iter().min_by_key(|keys| of_type.beside(keys));
            let keys = fewest.unwrap_or_default();
            of_type.insert(&keys, (number, at));
            all.push(Filed { trigger, keys });
        }
        self.numbers.insert(asked.clone(), number);
        self.rules.insert(number, Rule { asked, subscribers: BTreeSet::new(), triggers: all });
    }
}

impl OfType {
    fn under(&self, slot: Slot, value: &str) -> impl Iterator<Item = At> {
        let found = self.filed.get(&slot).and_then(|values| values.get(value));
        found.into_iter().flatten().copied()
    }

    fn beside(&self, keys: &[Key]) -> usize {
        keys.iter().map(|(slot, value)| self.under(*slot, value).count()).sum()
    }

    fn insert(&mut self, keys: &[Key], at: At) {
        if keys.is_empty() {
            self.any.insert(at);
        }
        for (slot, value) in keys {
            self.filed.entry(*slot).or_default().entry(value.clone()).or_default().insert(at);
        }
    }

    fn remove(&mut self, keys: &[Key], at: At) {
        self.any.remove(&at);
        for (slot, value) in keys {
            let Some(values) = self.filed.get_mut(slot) else { continue };
            if let Some(list) = values.get_mut(value) {
                list.remove(&at);
                if list.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.filed.remove(slot);
            }
        }
    }
}

/// The value of an entry as triggers are filed under it.
fn held(value: &IndexValue) -> Option<Cow<'_, str>> {
    match value {
        IndexValue::Token { code: Some(code), .. } => Some(Cow::Owned(fold(code))),
        IndexValue::Reference { id: Some(id), url: None, .. } => Some(Cow::Borrowed(id)),
        _ => None,
    }
}

/// Lists of keys; of each list, every version that pulls the trigger holds at least one.
fn choices(trigger: &Trigger) -> Vec<Vec<Key>> {
    let mut choices = Vec::new();
    if !trigger.patients.is_empty() {
        let patients = trigger.patients.iter();
        choices.push(patients.map(|patient| (Slot::Patient, patient.clone())).collect());
    }
    let required = trigger.required();
    choices.extend(required.flat_map(conditions));
    choices.retain(|keys: &Vec<Key>| !keys.is_empty());
    choices
}

/// The conditions of a filter that must hold and can be looked up.
fn conditions(filter: &Filter) -> Vec<Vec<Key>> {
    match filter {
        Filter::Id(ids) => vec![ids.iter().map(|id| (Slot::Id, id.clone())).collect()],
        Filter::Param { param, tests, negated: false } => {
            let keys = tests.iter().map(|test| Some((Slot::Param(*param), looked_for(test)?)));
            keys.collect::<Option<Vec<Key>>>().into_iter().collect()
        }
        Filter::All(filters) => filters.iter().flat_map(conditions).collect(),
        Filter::Any(filters) => {
            let firsts = filters.iter().map(|filter| conditions(filter).into_iter().next());
            let firsts: Option<Vec<Vec<Key>>> = firsts.collect();
            firsts.map(|lists| lists.concat()).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The one value, as [`held`] writes it, without which a test does not hold.
fn looked_for(test: &Test) -> Option<String> {
    match test {
        Test::Token(token) => token.code.clone(),
        Test::Reference(ReferenceTest::Local { id, .. }) => Some(id.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fhir::Resource;
    use fhirpath::search::Registry;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use store::memory::MemoryStore;
    use store::{Expect, Method, Store, Stored, Transaction, Write};

    use super::super::criteria::{Changed, of_criteria};
    use super::*;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn published() -> Arc<Registry> {
        Arc::new(Registry::new(&[], None))
    }

    fn enter(rules: &mut Rules, subscriber: &str, criteria: &str) {
        let asked = Asked { what: What::Criteria(criteria.into()), patient: None };
        rules
            .enter(&id(subscriber), asked, || vec![of_criteria(Registry::r4(), criteria).unwrap()]);
    }

    /// A store that holds one version of a resource, and that version.
    fn stored(resource: &Value) -> (Arc<MemoryStore>, Stored) {
        let store = MemoryStore::new(Arc::new(|| 0));
        let resource = Resource::parse(resource.to_string()).unwrap();
        let resource_type = fhir::definitions::resource_type(resource.type_name()).unwrap();
        let key = store::Key { resource_type, id: id("o1") };
        let write =
            Write::Put { key: key.clone(), resource, expect: Expect::Any, method: Method::Put };
        store.commit(Transaction { writes: vec![write], ..Transaction::default() }).unwrap();
        let stored = store.snapshot().unwrap().read(&key).unwrap().unwrap();
        (store, stored)
    }

    fn observation(code: usize, patient: usize, status: &str) -> Value {
        json!({
            "resourceType": "Observation", "id": "o1", "status": status,
            "code": {"coding": [{"system": "http://loinc.org", "code": format!("C{code}")}]},
            "subject": {"reference": format!("Patient/p{patient}")},
            "valueQuantity": {"value": code, "unit": "1"},
        })
    }

    /// Subscribers whose trigger the version pulls, and how many triggers are evaluated for that.
    fn pulled(rules: &Rules, resource: &Value) -> (BTreeSet<Id>, usize) {
        let (store, stored) = stored(resource);
        let snapshot = store.snapshot().unwrap();
        let registry = published();
        let version = Indexed::new(stored.clone(), &registry).unwrap();
        let changed = Changed::new(&*snapshot, &stored, Some(&version), &registry);
        let candidates = rules.candidates(&version);
        let pulls = |(number, at): &&At| {
            changed.pulls(rules.rule(*number).unwrap().trigger(*at).unwrap()).unwrap()
        };
        let pulled = candidates.iter().filter(pulls);
        let subscribers = pulled.flat_map(|(n, _)| rules.rule(*n).unwrap().subscribers.clone());
        (subscribers.collect(), candidates.len())
    }

    #[test]
    fn a_thousand_criteria_cost_as_many_evaluations_as_may_hold() {
        let mut rules = Rules::default();
        for n in 0..1_000 {
            // The status alone would be common to all of them, so they are told apart by the rest.
            let by_code = format!("Observation?status=final&code=http://loinc.org|C{n}");
            enter(&mut rules, &format!("code-{n}"), &by_code);
            enter(&mut rules, &format!("patient-{n}"), &format!("Observation?patient=p{n}"));
            enter(&mut rules, &format!("same-{n}"), "Observation?code=C7,C8");
            enter(&mut rules, &format!("other-{n}"), &format!("Encounter?subject=Patient/p{n}"));
        }
        let (subscribers, evaluated) = pulled(&rules, &observation(7, 12, "final"));
        assert_eq!(subscribers.len(), 1_002);
        assert!(evaluated <= 4, "{evaluated}");
        let (subscribers, evaluated) = pulled(&rules, &observation(2_000, 2_000, "final"));
        assert!(subscribers.is_empty());
        // C0 and C7 stand under `final`: nobody stood there when they came, and somebody under C7.
        assert!(evaluated <= 2, "{evaluated}");
        assert_eq!(
            rules
                .candidates(
                    &Indexed::new(
                        stored(&json!({
                            "resourceType": "Patient", "id": "o1",
                        }))
                        .1,
                        &published()
                    )
                    .unwrap()
                )
                .len(),
            0
        );
    }

    #[test]
    fn a_rule_goes_with_its_last_subscriber_and_leaves_nothing_behind() {
        let mut rules = Rules::default();
        for n in 0..20 {
            let code = n % 4;
            enter(
                &mut rules,
                &format!("s{n}"),
                &format!("Observation?code=C{code},X&status=final"),
            );
        }
        assert_eq!(rules.rules.len(), 4);
        // Who asks for something else is told of that alone.
        enter(&mut rules, "s0", "Observation?value-quantity=gt5");
        assert_eq!(pulled(&rules, &observation(0, 0, "final")).0.len(), 4);
        assert_eq!(pulled(&rules, &observation(9, 0, "final")).0, BTreeSet::from([id("s0")]));
        for n in 0..20 {
            rules.leave(&id(&format!("s{n}")));
        }
        assert!(rules.rules.is_empty() && rules.types.is_empty());
        assert!(rules.numbers.is_empty() && rules.of.is_empty());
    }

    fn one_condition() -> impl Strategy<Value = String> {
        let number = 0..4usize;
        prop_oneof![
            number.clone().prop_map(|n| format!("code=c{n}")),
            number.clone().prop_map(|n| format!("code=http://loinc.org|C{n},other|C1")),
            number.clone().prop_map(|n| format!("code:not=C{n}")),
            number.clone().prop_map(|n| format!("patient=p{n}")),
            number.clone().prop_map(|n| format!("subject=Patient/p{n},Patient/p1")),
            number.clone().prop_map(|n| format!("value-quantity=ge{n}")),
            number.prop_map(|n| format!("_filter=code eq C{n} or status eq final")),
            Just("status=final,amended".to_owned()),
            Just("_id=o1,o2".to_owned()),
            Just("subject:missing=true".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn whoever_is_not_looked_at_is_not_told(
            criteria in prop::collection::vec(prop::collection::vec(one_condition(), 1..4), 1..12),
            seen in prop::collection::vec((0..5usize, 0..5usize, any::<bool>()), 1..6),
        ) {
            let texts: Vec<String> =
                criteria.iter().map(|all| format!("Observation?{}", all.join("&"))).collect();
            let mut rules = Rules::default();
            for (n, text) in texts.iter().enumerate() {
                enter(&mut rules, &format!("s{n}"), text);
            }
            for (code, patient, is_final) in seen {
                let status = if is_final { "final" } else { "preliminary" };
                let resource = observation(code, patient, status);
                let (store, stored) = stored(&resource);
                let snapshot = store.snapshot().unwrap();
                let registry = published();
                let version = Indexed::new(stored.clone(), &registry).unwrap();
                let changed = Changed::new(&*snapshot, &stored, Some(&version), &registry);
                let told: BTreeSet<Id> = texts
                    .iter()
                    .enumerate()
                    .filter(|(_, text)| {
                        changed.pulls(&of_criteria(Registry::r4(), text).unwrap()).unwrap()
                    })
                    .map(|(n, _)| id(&format!("s{n}")))
                    .collect();
                prop_assert_eq!(pulled(&rules, &resource).0, told);
            }
        }
    }
}

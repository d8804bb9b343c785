//! What must hold for all consents.

use consilium_policy::consent::{
    Compiled, Defaults, Existence, Kind, NetworkDefault, Request, SensitiveDefault, WholeDecision,
    decide_all, remains, residual, whole_record,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::short::{compiled, consent, record, request};

/// Conditions that may stand in a provision, all understood.
const CONDITIONS: &[&str] = &[
    ">north",
    ">west",
    "<south",
    "<north",
    "%Practitioner/7",
    "%Group/2",
    "#TREAT",
    "#BTG",
    "#HRESCH",
    "@N",
    "@R",
    "@HIV",
    "@V",
    ":Observation",
    ":Encounter",
    "=718-7",
    "!access",
    "!use",
    "in:2026-01..2027",
    "in:..2026-05",
    "of:2022..2022",
    "of:2019-05-02..",
    "related:Encounter/9",
    "instance:Observation/1",
    "authoredby:Practitioner/4",
];

fn conditions() -> impl Strategy<Value = String> {
    prop::collection::vec(select(CONDITIONS), 0..3).prop_map(|words| words.join(" "))
}

fn provision() -> impl Strategy<Value = String> {
    let leaf = (select(vec!["permit", "deny"]), conditions())
        .prop_map(|(kind, conditions)| format!("{kind} {conditions}"));
    leaf.prop_recursive(2, 6, 2, |inner| {
        (select(vec!["permit", "deny"]), conditions(), prop::collection::vec(inner, 0..3)).prop_map(
            |(kind, conditions, inner)| {
                let inner: String = inner.iter().map(|inner| format!(" ( {inner} )")).collect();
                format!("{kind} {conditions}{inner}")
            },
        )
    })
}

fn date() -> impl Strategy<Value = &'static str> {
    select(vec!["-", "2026-05", "2026-05-03", "2026-05-03T10:00:00Z", "2026-05-04", "2030"])
}

fn a_consent() -> impl Strategy<Value = String> {
    (date(), provision()).prop_map(|(date, provision)| format!("{date} {provision}"))
}

fn numbered(texts: Vec<String>) -> Vec<Value> {
    texts.iter().enumerate().map(|(id, text)| consent(id, text)).collect()
}

fn consents() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(a_consent(), 0..5).prop_map(numbered)
}

fn requests() -> impl Strategy<Value = Request> {
    let asked = vec![
        "north<south TREAT",
        "south<north TREAT",
        "north<south BTG glass",
        "north<south BTG",
        "north<south HRESCH",
        "west<south ETREAT user=Practitioner/9",
        "north<north TREAT",
        "north<north BTG glass",
        "north<south TREAT role=registrar user=",
    ];
    select(asked).prop_map(request)
}

fn defaults() -> impl Strategy<Value = Defaults> {
    let network = select(vec![
        NetworkDefault::PermitTreatment,
        NetworkDefault::PermitAll,
        NetworkDefault::Deny,
        NetworkDefault::BreakGlassOnly,
    ]);
    let sensitive = select(vec![SensitiveDefault::Withhold, SensitiveDefault::Share]);
    (network, sensitive).prop_map(|(network, sensitive)| Defaults {
        network,
        sensitive,
        ..Defaults::default()
    })
}

fn permitted(request: &Request, consents: &Compiled, defaults: &Defaults) -> Vec<bool> {
    let decided = decide_all(request, consents, defaults, &record());
    for (decision, item) in decided.iter().zip(record()) {
        // Nobody learns that withheld sensitive data exists.
        if decision.effect == Kind::Deny && item.labels.is_sensitive() {
            assert_eq!(decision.existence, Existence::Hidden);
        }
    }
    let found: Vec<_> = decided.iter().map(|decision| decision.is_permitted()).collect();
    match whole_record(request, consents, defaults) {
        WholeDecision::Permit(_) => assert!(found.iter().all(|permitted| *permitted)),
        WholeDecision::Deny { .. } => assert!(!found.contains(&true)),
        WholeDecision::ByItem => {}
    }
    found
}

/// Whether everything that `less` permits is permitted by `more`.
fn within(less: &[bool], more: &[bool]) -> bool {
    less.iter().zip(more).all(|(less, more)| less <= more)
}

/// Changes one provision of a consent, chosen by `which` among all of them.
fn change(consent: &mut Value, which: Index, change: &dyn Fn(&mut Value)) {
    fn count(provision: &Value) -> usize {
        let inner = provision.get("provision").and_then(Value::as_array);
        1 + inner.into_iter().flatten().map(count).sum::<usize>()
    }
    fn visit(provision: &mut Value, left: &mut usize, change: &dyn Fn(&mut Value)) {
        if *left == 0 {
            change(provision);
        }
        *left = left.wrapping_sub(1);
        let inner = provision.get_mut("provision").and_then(Value::as_array_mut);
        inner.into_iter().flatten().for_each(|inner| visit(inner, left, change));
    }
    let provision = &mut consent["provision"];
    let mut left = which.index(count(provision));
    visit(provision, &mut left, change);
}

/// Adds `value` to the list `name` of a provision, where the list has something already or may be
/// begun.
fn push(provision: &mut Value, name: &str, value: Value) {
    let list = provision.as_object_mut().expect("object").entry(name).or_insert_with(|| json!([]));
    list.as_array_mut().expect("list").push(value);
}

/// Something that is not understood, in place of an element of a provision or beside its values.
fn not_understood() -> Vec<(&'static str, bool, Value)> {
    let (beside, instead) = (false, true);
    let group = json!({"reference": {"reference": "Group/1"}});
    let author = json!({"role": {"coding": [{"code": "AUT"}]},
        "reference": {"reference": "Organization/north"}});
    let purpose = json!({"system": "urn:example", "code": "TREAT"});
    let action = json!({"coding": [{"code": "ponder"}]});
    let class = json!({"system": "urn:ietf:bcp:13", "code": "text/plain"});
    let data = json!({"meaning": "near", "reference": {"reference": "Observation/1"}});
    let code = json!({"text": "haemoglobin"});
    let label = json!({"display": "secret"});
    let lists = [
        ("actor", group),
        ("actor", author),
        ("purpose", purpose),
        ("action", action),
        ("class", class),
        ("data", data),
        ("code", code),
        ("securityLabel", label),
    ];
    let mut ways = vec![
        ("unless", instead, json!(1)),
        ("modifierExtension", instead, json!([{"url": "urn:example"}])),
        ("dataPeriod", instead, json!({"start": "long ago"})),
        ("period", instead, json!({"end": "one day"})),
        ("type", instead, json!("perhaps")),
        ("provision", instead, json!("but not on Sundays")),
    ];
    for (name, value) in lists {
        ways.push((name, instead, json!([])));
        ways.push((name, instead, json!("TREAT")));
        ways.push((name, instead, json!([value])));
        ways.push((name, beside, value));
    }
    ways
}

/// The same for elements of the consent itself.
fn not_understood_around() -> Vec<(&'static str, Value)> {
    vec![
        ("status", json!("suspended")),
        ("scope", json!({"coding": [{"code": "else"}]})),
        ("dateTime", json!("one day")),
        ("modifierExtension", json!([{"url": "urn:example"}])),
        ("provision", json!("whatever is decent")),
        ("provision", json!(["whatever is decent"])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1024, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn another_denial_never_permits_more(
        mut consents in consents(), date in date(), conditions in conditions(),
        request in requests(), defaults in defaults(),
    ) {
        let before = permitted(&request, &compiled(&consents), &defaults);
        consents.push(consent(99, &format!("{date} deny {conditions}")));
        let after = permitted(&request, &compiled(&consents), &defaults);
        prop_assert!(within(&after, &before));
    }

    // A token that carries the residual rules lets nobody read more than the engine would.
    #[test]
    fn enforcing_the_residual_permits_nothing_that_is_denied(
        consents in consents(), request in requests(), defaults in defaults(),
    ) {
        let compiled = compiled(&consents);
        let rules = residual(&request, &compiled, &defaults);
        let items = record();
        for (item, permitted) in items.iter().zip(permitted(&request, &compiled, &defaults)) {
            prop_assert!(permitted || !remains(&rules, item, &items), "{rules:#?} {consents:#?}");
        }
    }

    #[test]
    fn an_expired_consent_has_no_effect(
        mut consents in consents(), date in date(), provision in provision(),
        request in requests(), defaults in defaults(),
    ) {
        let before = permitted(&request, &compiled(&consents), &defaults);
        let mut expired = consent(99, &format!("{date} {provision}"));
        expired["provision"]["period"] = json!({"end": "2026-05-31"});
        consents.push(expired);
        prop_assert_eq!(permitted(&request, &compiled(&consents), &defaults), before);
    }

    #[test]
    fn the_order_of_consents_does_not_matter(
        consents in consents().prop_flat_map(|consents| {
            (Just(consents.clone()), Just(consents).prop_shuffle())
        }),
        request in requests(), defaults in defaults(),
    ) {
        let (some, other) = consents;
        let decide = |consents: &[Value]| {
            decide_all(&request, &compiled(consents), &defaults, &record())
        };
        prop_assert_eq!(decide(&some), decide(&other));
    }

    // What stood there may have been anything that the standard lets stand there, so the decision
    // must hold for all of it. Two things are no part of the promise, as nothing can be read from
    // them: an element whose name is unknown stands beside the others (it cannot be told which of
    // them it might have been, and a consent does not name emergencies or a person by it), and a
    // `policyRule` is a law or form that adds nothing unless it is one of the known refusals.
    #[test]
    fn what_is_not_understood_never_permits_more(
        mut consents in prop::collection::vec(a_consent(), 1..5).prop_map(numbered),
        one in any::<Index>(), which in any::<Index>(),
        (name, instead, value) in select(not_understood()),
        request in requests(), defaults in defaults(),
    ) {
        let before = permitted(&request, &compiled(&consents), &defaults);
        let one = one.index(consents.len());
        change(&mut consents[one], which, &|provision| {
            if instead { provision[name] = value.clone() } else { push(provision, name, value.clone()) }
        });
        let after = permitted(&request, &compiled(&consents), &defaults);
        prop_assert!(within(&after, &before), "{consents:#?}");
    }

    #[test]
    fn what_is_not_understood_around_a_provision_never_permits_more(
        mut consents in prop::collection::vec(a_consent(), 1..5).prop_map(numbered),
        one in any::<Index>(), (name, value) in select(not_understood_around()),
        request in requests(), defaults in defaults(),
    ) {
        let before = permitted(&request, &compiled(&consents), &defaults);
        let one = one.index(consents.len());
        consents[one][name] = value;
        let after = permitted(&request, &compiled(&consents), &defaults);
        prop_assert!(within(&after, &before), "{consents:#?}");
    }

    #[test]
    fn the_switch_only_matters_for_emergencies_of_clinicians(
        consents in consents(), request in requests(), defaults in defaults(),
    ) {
        let with = |break_glass_enabled| {
            let request = Request { break_glass_enabled, ..request.clone() };
            permitted(&request, &compiled(&consents), &defaults)
        };
        let (off, on) = (with(false), with(true));
        prop_assert!(within(&off, &on));
        if request.purpose != consilium_policy::Purpose::BTG {
            prop_assert_eq!(off, on);
        }
    }

    #[test]
    fn any_json_is_read_without_fault(text in "[ -~]{0,40}", consents in consents(), request in requests()) {
        let mut consents = consents;
        for consent in &mut consents {
            consent["provision"]["actor"] = json!([{"reference": {"reference": text, "display": text}}]);
            consent["provision"]["period"] = json!({"start": text});
            consent["dateTime"] = json!(text);
        }
        let decided = decide_all(&request, &compiled(&consents), &Defaults::default(), &record());
        prop_assert_eq!(decided.len(), record().len());
    }
}

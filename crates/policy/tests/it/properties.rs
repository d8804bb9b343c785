//! What must hold for all consents.

use consilium_policy::consent::{
    Compiled, Defaults, Existence, Kind, NetworkDefault, Request, SensitiveDefault, WholeDecision,
    decide_all, whole_record,
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

fn consents() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec((date(), provision()), 0..5).prop_map(|texts| {
        let made = texts.iter().enumerate();
        made.map(|(id, (date, text))| consent(id, &format!("{date} {text}"))).collect()
    })
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

/// Ways of saying something that is not understood.
fn unknown(way: usize) -> impl Fn(&mut Value) {
    move |provision| match way {
        0 => drop(provision.as_object_mut().expect("object").insert("unless".into(), json!(1))),
        1 => provision["modifierExtension"] = json!([{"url": "urn:example"}]),
        2 => push(provision, "actor", json!({"reference": {"reference": "Group/1"}})),
        3 => push(
            provision,
            "actor",
            json!({"role": {"coding": [{"code": "AUT"}]},
            "reference": {"reference": "Organization/north"}}),
        ),
        4 => push(provision, "purpose", json!({"system": "urn:example", "code": "TREAT"})),
        5 => push(provision, "action", json!({"coding": [{"code": "ponder"}]})),
        6 => push(provision, "class", json!({"system": "urn:ietf:bcp:13", "code": "text/plain"})),
        7 => push(
            provision,
            "data",
            json!({"meaning": "near", "reference": {"reference": "Observation/1"}}),
        ),
        8 => provision["dataPeriod"] = json!({"start": "long ago"}),
        9 => provision["period"] = json!({"end": "one day"}),
        10 => provision["type"] = json!("perhaps"),
        11 => provision["purpose"] = json!("TREAT"),
        _ => push(provision, "code", json!({"text": "haemoglobin"})),
    }
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

    #[test]
    fn what_is_not_understood_never_permits_more(
        mut consents in consents(), one in any::<Index>(), which in any::<Index>(), way in 0..13usize,
        request in requests(), defaults in defaults(),
    ) {
        prop_assume!(!consents.is_empty());
        let before = permitted(&request, &compiled(&consents), &defaults);
        let one = one.index(consents.len());
        change(&mut consents[one], which, &unknown(way));
        let after = permitted(&request, &compiled(&consents), &defaults);
        prop_assert!(within(&after, &before), "{:#?}", consents);
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

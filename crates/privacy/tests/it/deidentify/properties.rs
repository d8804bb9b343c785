//! What holds for every recipe and every resource.

use fhir::Resource;
use privacy::deidentify::text::Finder;
use privacy::deidentify::{Context, Links, ProjectKey, Subject, postal, shipped};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::recipes::{applied, recipe};

const RULES: [&str; 14] = [
    "Patient -> keep",
    "HumanName.given -> keep",
    "Patient.contact -> keep",
    "date -> year-only",
    "dateTime -> shift-dates",
    "Resource.id -> pseudonymise",
    "Reference -> pseudonymise",
    "DomainResource.contained -> keep",
    "Patient.extension.where(url = 'named') -> keep",
    "code -> keep",
    "string -> free-text",
    "decimal -> {\"perturb\":{\"share\":0.1}}",
    "Attachment -> free-text",
    "Observation -> keep",
];

/// JSON whose every text is the secret or looks like a part of FHIR.
fn shape() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!(12.5)),
        Just(json!("2020-01-02")),
        Just(json!("SECRETVALUE")),
    ];
    let name = prop_oneof![
        Just("name"),
        Just("given"),
        Just("extension"),
        Just("contact"),
        Just("value"),
        Just("contained"),
        Just("url"),
        Just("valueString"),
        Just("unheardOf"),
        Just("_given"),
        Just("text"),
        Just("div"),
        Just("meta"),
        Just("security"),
        Just("photo"),
        Just("data"),
        Just("birthDate"),
        Just("_birthDate"),
        Just("valueQuantity"),
        Just("id"),
        Just("link"),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn resource(of: &str, body: Value) -> String {
    let mut object = body.as_object().cloned().unwrap_or_default();
    object.remove("id");
    object.insert("resourceType".into(), json!(of));
    Value::Object(object).to_string()
}

/// Rules that name nothing that can hold the secret: elements unknown to FHIR, extensions,
/// contained resources, narratives and binaries stay out whatever the order.
const BLIND: [&str; 5] = [
    "Patient.gender -> keep",
    "date -> year-only",
    "boolean -> keep",
    "decimal -> keep",
    "Reference.reference -> pseudonymise",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_recipe_gives_a_resource_for_any_resource(
        body in shape(),
        of in prop_oneof![Just("Patient"), Just("Observation"), Just("Bundle"), Just("Nonsense")],
        rules in prop::sample::subsequence(RULES.to_vec(), 0..RULES.len()).prop_shuffle(),
    ) {
        let made = applied(&rules.join("\n"), &resource(of, body));
        prop_assert!(Resource::parse(made.as_str()).is_ok(), "{}", made);
        prop_assert!(serde_json::from_str::<Value>(&made).is_ok());
    }

    #[test]
    fn what_is_not_named_never_comes_through(
        body in shape(),
        rules in Just(BLIND.to_vec()).prop_shuffle(),
    ) {
        let made = applied(&rules.join("\n"), &resource("Patient", body));
        prop_assert!(!made.contains("SECRETVALUE"), "{}", made);
    }

    #[test]
    fn a_rule_for_the_whole_does_not_open_walls(body in shape(), at in 0usize..6) {
        let hidden = ["unheardOf", "extension", "contained", "text", "_birthDate", "photo"][at];
        let inner = if hidden == "photo" { json!([{ "data": body }]) } else { json!([body]) };
        let text = json!({ "resourceType": "Patient", hidden: inner }).to_string();
        let made = applied("Patient -> keep", &text);
        prop_assert!(!made.contains("SECRETVALUE"), "{}", made);
    }

    #[test]
    fn all_dates_of_a_patient_move_alike(patient in "[a-z0-9]{1,20}", first in 0i64..20_000, second in 0i64..20_000, secret: [u8; 32]) {
        let key = ProjectKey::new(&secret, "p").unwrap();
        let days = key.shift_days(&patient, 50);
        prop_assert!(days != 0 && (-50..=50).contains(&days));
        let origin = jiff::civil::date(1960, 1, 1);
        let at = |days: i64| origin.checked_add(jiff::Span::new().days(days)).unwrap();
        let text = json!({"resourceType":"Patient","id":patient,"name":[{"period":{"start":at(first).to_string(),"end":at(second).to_string()}}]}).to_string();
        let resource = Resource::parse(text).unwrap();
        let (areas, links, finder) = (postal::Areas::default(), Links::default(), Finder::new());
        let context = Context { key: &key, reference_year: 2026, areas: &areas, links: &links, finder: &finder };
        let made = recipe("dateTime -> shift-dates").unwrap().apply(&resource, &Subject::of(&resource), &context);
        let made: Value = serde_json::from_str(&made.text).unwrap();
        let period = &made["name"][0]["period"];
        let expected = |offset: i64| at(offset + i64::from(days)).to_string();
        prop_assert_eq!(period["start"].as_str().unwrap(), expected(first));
        prop_assert_eq!(period["end"].as_str().unwrap(), expected(second));
    }

    #[test]
    fn projects_cannot_be_linked(secret: [u8; 32], id in "[a-z0-9]{1,20}", one in "[a-z]{1,8}", two in "[A-Z]{1,8}") {
        let (one, two) = (ProjectKey::new(&secret, &one).unwrap(), ProjectKey::new(&secret, &two).unwrap());
        prop_assert_ne!(one.pseudonym("Patient", &id), two.pseudonym("Patient", &id));
        prop_assert_eq!(one.pseudonym("Patient", &id), one.pseudonym("Patient", &id));
        prop_assert_ne!(one.pseudonym("Patient", &id), one.pseudonym("Person", &id));
        prop_assert!(!one.pseudonym("Patient", &id).contains(&id) || id.len() < 4);
        prop_assert_ne!(one.uid("1.2.3"), two.uid("1.2.3"));
    }
}

#[test]
fn shipped_recipes_are_sound() {
    for (name, _) in shipped::RECIPES {
        let recipe = shipped::recipe(name).unwrap().unwrap();
        assert_eq!(recipe.recipe().name, name);
    }
}

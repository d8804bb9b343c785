//! What must hold for any two records.

use super::desk::{Desk, Rates};
use super::population::people;
use consilium_matching::{Model, Person, Score, blocking_keys};
use fhir::Resource;
use fhir::json::quote;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::LazyLock;

static MODEL: LazyLock<Model> = LazyLock::new(|| Model::standard().unwrap());

fn person(json: &str) -> Person {
    Person::of(&Resource::parse(json).unwrap())
}

fn compare(a: &str, b: &str) -> Score {
    MODEL.compare(&person(a), &person(b))
}

/// A patient of which each part may be missing; values come from small pools so that they often
/// agree or nearly do.
#[derive(Clone, Debug, Default)]
struct Spec {
    names: Vec<(Option<&'static str>, Option<&'static str>)>,
    suffix: Option<&'static str>,
    birth_date: Option<&'static str>,
    gender: Option<&'static str>,
    ssns: Vec<&'static str>,
    licences: Vec<&'static str>,
    phones: Vec<&'static str>,
    emails: Vec<&'static str>,
    addresses: Vec<(&'static str, &'static str)>,
    mother: Option<&'static str>,
    birth_order: Option<u8>,
    died: Option<&'static str>,
}

impl Spec {
    fn json(&self) -> String {
        let list = |items: Vec<String>| items.join(",");
        // A suffix needs a name to stand in, even an empty one.
        let mut names = self.names.clone();
        if names.is_empty() && self.suffix.is_some() {
            names.push((None, None));
        }
        let names = names.iter().map(|(family, given)| {
            let family = family.map(|f| format!(r#""family":{}"#, quote(f)));
            let given = given.map(|g| format!(r#""given":[{}]"#, quote(g)));
            let suffix = self.suffix.map(|s| format!(r#""suffix":["{s}"]"#));
            format!("{{{}}}", list([family, given, suffix].into_iter().flatten().collect()))
        });
        let ssns = self
            .ssns
            .iter()
            .map(|n| format!(r#"{{"system":"http://hl7.org/fhir/sid/us-ssn","value":"{n}"}}"#));
        let licences = self.licences.iter().map(|n| {
            format!(r#"{{"type":{{"coding":[{{"code":"DL"}}]}},"system":"urn:dl","value":"{n}"}}"#)
        });
        let phones = self.phones.iter().map(|n| format!(r#"{{"system":"phone","value":"{n}"}}"#));
        let emails = self.emails.iter().map(|n| format!(r#"{{"system":"email","value":"{n}"}}"#));
        let addresses = self.addresses.iter().map(|(line, code)| {
            format!(r#"{{"line":["{line}"],"city":"Salem","state":"MA","postalCode":"{code}"}}"#)
        });
        let mut out = format!(
            r#"{{"resourceType":"Patient","name":[{}],"identifier":[{}],"telecom":[{}],"address":[{}]"#,
            list(names.collect()),
            list(ssns.chain(licences).collect()),
            list(phones.chain(emails).collect()),
            list(addresses.collect()),
        );
        let url = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName";
        let parts = [
            self.birth_date.map(|d| format!(r#","birthDate":"{d}""#)),
            self.gender.map(|g| format!(r#","gender":"{g}""#)),
            self.mother.map(|m| format!(r#","extension":[{{"url":"{url}","valueString":"{m}"}}]"#)),
            self.birth_order.map(|n| format!(r#","multipleBirthInteger":{n}"#)),
            self.died.map(|d| format!(r#","deceasedDateTime":"{d}""#)),
        ];
        out.extend(parts.into_iter().flatten());
        out.push('}');
        out
    }

    fn reversed(&self) -> Self {
        let mut spec = self.clone();
        spec.names.reverse();
        spec.ssns.reverse();
        spec.phones.reverse();
        spec.emails.reverse();
        spec.addresses.reverse();
        spec
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    use prop::collection::vec;
    use prop::option::of;
    use prop::sample::select;
    let family =
        || of(select(vec!["Smith", "Smyth", "Zwolinski", "Robert", "García-López", "Lopez"]));
    let given = || {
        of(select(vec!["Robert", "Bob", "Rob3", "R", "Ann Mary", "Mary", "Mia", "Mya", "Smith"]))
    };
    let dates = ["1970-03-04", "1970-04-03", "1971-03-04", "1970-01-01", "1970", "1950-10-10"];
    let first = (
        vec((family(), given()), 0..3),
        of(select(vec!["Jr", "Sr"])),
        of(select(dates.to_vec())),
        of(select(vec!["male", "female", "other"])),
        vec(select(vec!["212-45-6780", "212-45-6781", "999-26-7403", "6780", "313991234"]), 0..3),
        vec(select(vec!["S100", "S101", "S999"]), 0..2),
    );
    let second = (
        vec(select(vec!["617-555-0142", "617-555-0124", "555-0142", "9781112222"]), 0..3),
        vec(select(vec!["a.b@x.org", "a.c@x.org", "z@y.org"]), 0..3),
        vec(
            (
                select(vec!["14 Oak Street", "14 Oak St Apt 3", "9 Elm"]),
                select(vec!["01970", "02139", ""]),
            ),
            0..3,
        ),
        of(select(vec!["Nowak", "Novak", "Kim"])),
        of(1u8..3),
        of(select(vec!["2001-02-03", "2002-02-03", "2001"])),
    );
    (first, second).prop_map(|(a, b)| Spec {
        names: a.0,
        suffix: a.1,
        birth_date: a.2,
        gender: a.3,
        ssns: a.4,
        licences: a.5,
        phones: b.0,
        emails: b.1,
        addresses: b.2,
        mother: b.3,
        birth_order: b.4,
        died: b.5,
    })
}

/// Makes one field agree exactly that did not have both sides before, or adds a shared value to
/// a list. Returns whether there was anything to add.
fn agree(a: &mut Spec, b: &mut Spec, field: usize) -> bool {
    fn share<T: Copy>(a: &mut Option<T>, b: &mut Option<T>, value: T) -> bool {
        let missing = a.is_none() || b.is_none();
        if missing {
            let value = a.or(*b).unwrap_or(value);
            (*a, *b) = (Some(value), Some(value));
        }
        missing
    }
    match field {
        0 => share(&mut a.birth_date, &mut b.birth_date, "1960-06-07"),
        1 => share(&mut a.gender, &mut b.gender, "female"),
        2 => share(&mut a.mother, &mut b.mother, "Abe"),
        3 => share(&mut a.suffix, &mut b.suffix, "III"),
        4 => share(&mut a.birth_order, &mut b.birth_order, 2),
        5 => share(&mut a.died, &mut b.died, "2010-10-10"),
        6 => {
            let bare = a.names.iter().chain(&b.names).all(|(_, given)| given.is_none());
            a.names.iter_mut().chain(&mut b.names).for_each(|name| {
                name.1 = name.1.or(bare.then_some("Octavian"));
            });
            bare
        }
        _ => {
            for spec in [a, b] {
                match field {
                    7 => spec.ssns.push("414-22-3344"),
                    8 => spec.licences.push("S500"),
                    9 => spec.phones.push("413-222-3344"),
                    10 => spec.emails.push("new@z.org"),
                    _ => spec.addresses.push(("77 New Road", "01001")),
                }
            }
            true
        }
    }
}

/// A value of any kind, a few levels deep.
fn junk() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i32>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| quote(&text)),
        "[0-9()+x@. -]{0,14}".prop_map(|text| quote(&text)),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}".prop_map(|text| quote(&text)),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let names = prop::sample::subsequence(
            vec![
                "value",
                "system",
                "use",
                "family",
                "given",
                "suffix",
                "line",
                "city",
                "postalCode",
                "state",
                "type",
                "coding",
                "code",
                "url",
                "valueString",
                "text",
            ],
            0..6,
        );
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(","))),
            (names, prop::collection::vec(inner, 6)).prop_map(|(names, values)| {
                let members = names.iter().zip(values).map(|(n, v)| format!("\"{n}\":{v}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn any_patient() -> impl Strategy<Value = String> {
    const MEMBERS: [&str; 11] = [
        "name",
        "identifier",
        "telecom",
        "address",
        "birthDate",
        "gender",
        "extension",
        "multipleBirthInteger",
        "multipleBirthBoolean",
        "deceasedDateTime",
        "deceasedBoolean",
    ];
    prop::collection::vec(junk(), MEMBERS.len()).prop_map(|values| {
        let members = MEMBERS.iter().zip(values).map(|(n, v)| format!(",\"{n}\":{v}"));
        format!("{{\"resourceType\":\"Patient\"{}}}", members.collect::<String>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_score_is_symmetric_and_adds_up(a in spec(), b in spec()) {
        let (there, back) = (compare(&a.json(), &b.json()), compare(&b.json(), &a.json()));
        prop_assert_eq!(&there, &back);
        let sum: f64 = there.fields.iter().map(|line| line.weight).sum();
        prop_assert!((sum - there.weight).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&there.probability));
    }

    #[test]
    fn the_order_inside_a_record_does_not_matter(a in spec(), b in spec()) {
        let weight = compare(&a.json(), &b.json()).weight;
        prop_assert_eq!(weight, compare(&a.reversed().json(), &b.json()).weight);
        prop_assert_eq!(person(&a.json()), person(&a.reversed().json()));
    }

    #[test]
    fn agreement_never_lowers_a_score(a in spec(), b in spec(), field in 0usize..12) {
        let (mut a2, mut b2) = (a.clone(), b.clone());
        // Where both sides hold the field already, a telephone number is added instead.
        if !agree(&mut a2, &mut b2, field) {
            agree(&mut a2, &mut b2, 9);
        }
        let before = compare(&a.json(), &b.json());
        let after = compare(&a2.json(), &b2.json());
        prop_assert!(after.weight >= before.weight - 1e-9, "{:#?}\n{:#?}", before, after);
        prop_assert!(after.grade >= before.grade);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_patient_is_too_strange(a in any_patient(), b in any_patient()) {
        let (a, b) = (person(&a), person(&b));
        prop_assert_eq!(MODEL.compare(&a, &b), MODEL.compare(&b, &a));
        prop_assert!(blocking_keys(&a).len() <= consilium_matching::MAX_SEARCHES);
        MODEL.compare(&a, &a);
    }

    #[test]
    fn faulty_copies_score_alike_both_ways(seed in any::<u64>()) {
        let people = people(4, seed).people;
        let mut desk = Desk { rng: ChaCha8Rng::seed_from_u64(seed), rates: Rates::harsh() };
        let copies: Vec<Person> = (0..8)
            .map(|at| person(&desk.patient(&people[at % people.len()], "north", at)))
            .collect();
        for a in &copies {
            for b in &copies {
                prop_assert_eq!(MODEL.compare(a, b), MODEL.compare(b, a));
            }
        }
    }
}

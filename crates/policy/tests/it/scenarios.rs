//! What patients decide, and what others then see.

use consilium_policy::Role;
use consilium_policy::consent::{
    Audience, Choice, Compiled, ConsentView, Defaults, Existence, Item, Kind, Party, Request,
    WholeDecision, build, decide_all, explain, whole_record,
};
use fhir::Resource;
use serde_json::{Value, json};

use crate::short::{at, compiled, consent, record, request};

/// `+` permitted, `-` denied and known, `.` denied and hidden; one for each item of the record.
fn outcome(request: &Request, consents: &Compiled, defaults: &Defaults) -> String {
    let decided = decide_all(request, consents, defaults, &record());
    let signs = decided.iter().map(|decision| match (decision.effect, decision.existence) {
        (Kind::Permit, _) => '+',
        (Kind::Deny, Existence::Known) => '-',
        (Kind::Deny, Existence::Hidden) => '.',
    });
    let signs: String = signs.collect();
    // What is said of the whole must agree with what is decided item by item.
    match whole_record(request, consents, defaults) {
        WholeDecision::Permit(_) => assert_eq!(signs, "++++"),
        WholeDecision::Deny { .. } => assert!(!signs.contains('+'), "{signs}"),
        WholeDecision::ByItem => {}
    }
    signs
}

fn defaults(word: &str) -> Defaults {
    let mut defaults = Defaults::default();
    for word in word.split('+') {
        match word {
            "share" | "withhold" => defaults.sensitive = word.parse().expect("sensitive"),
            _ => defaults.network = word.parse().expect("default"),
        }
    }
    defaults
}

/// Checks rows of: consents joined by `;`, request, expected outcome.
fn check(default: &str, rows: &[(&str, &str, &str)]) {
    for (consents, asked, expected) in rows {
        let consents = consents.split(';').map(str::trim).filter(|text| !text.is_empty());
        let consents: Vec<_> = consents.enumerate().map(|(id, text)| consent(id, text)).collect();
        let found = outcome(&request(asked), &compiled(&consents), &defaults(default));
        assert_eq!(found, *expected, "{default}: {asked} under {consents:#?}");
    }
}

const TREATMENT: &str = "permit-treatment";

#[test]
fn defaults_of_the_network() {
    check(
        TREATMENT,
        &[
            ("", "north<south TREAT", "+..+"),
            ("", "north<south COC", "+..+"),
            ("", "north<south BTG", "+..+"),
            ("", "north<south HRESCH", "-..-"),
            ("", "north<south PATRQT", "-..-"),
            ("", "north<north TREAT", "++++"),
            ("", "north<south PATRQT role=patient", "++++"),
        ],
    );
    check("permit-treatment+share", &[("", "north<south TREAT", "++++")]);
    check("permit-all", &[("", "north<south HRESCH", "+..+")]);
    check("deny", &[("", "north<south TREAT", "-..-"), ("", "north<south BTG glass", "-..-")]);
    check(
        "break-glass-only",
        &[
            ("", "north<south TREAT", "-..-"),
            ("", "north<south BTG", "-..-"),
            ("", "north<south BTG glass", "++++"),
            ("", "north<south BTG glass role=registrar", "-..-"),
        ],
    );
}

#[test]
fn withdrawing_and_permitting_again() {
    check(
        TREATMENT,
        &[
            // One organisation, both directions; the others go on.
            ("2026-05-03 deny >north <north", "north<south TREAT", "-..-"),
            ("2026-05-03 deny >north <north", "south<north TREAT", "-..-"),
            ("2026-05-03 deny >north <north", "south<west TREAT", "+..+"),
            ("2026-05-03 deny >north", "south<north TREAT", "+..+"),
            ("2026-05-03 deny <north", "north<south TREAT", "+..+"),
            // The organisation keeps what it holds, the patient reads all.
            ("2026-05-03 deny >north <north", "north<north TREAT", "++++"),
            ("2026-05-03 deny", "north<south PATRQT role=patient", "++++"),
            // All.
            ("2026-05-03 deny", "north<south TREAT", "-..-"),
            // Permitted again, later; not when the permission came first.
            (
                "2026-05-03 deny >north <north; 2026-05-04 permit >north <north",
                "north<south TREAT",
                "+..+",
            ),
            (
                "2026-05-03 deny >north <north; 2026-05-04 permit >north <north",
                "south<north TREAT",
                "+..+",
            ),
            (
                "2026-05-03 deny >north <north; 2026-05-02 permit >north <north",
                "north<south TREAT",
                "-..-",
            ),
            // On the same day nobody knows which was later.
            (
                "2026-05-03 deny >north; 2026-05-03T12:00:00Z permit >north",
                "north<south TREAT",
                "-..-",
            ),
            (
                "2026-05-03T11:00:00Z deny >north; 2026-05-03T12:00:00Z permit >north",
                "north<south TREAT",
                "+..+",
            ),
            // And withdrawn once more.
            (
                "2026-05-03 deny >north; 2026-05-04 permit >north; 2026-05-05 deny >north",
                "north<south TREAT",
                "-..-",
            ),
            // A decision without a date, or from the future, replaces nothing.
            ("2026-05-03 deny >north; - permit >north", "north<south TREAT", "-..-"),
            ("2026-05-03 deny >north; 2030 permit >north", "north<south TREAT", "-..-"),
        ],
    );
}

#[test]
fn one_and_all() {
    let all_then_north = "2026-05-03 deny; 2026-05-04 permit >north <north";
    check(
        TREATMENT,
        &[
            // After withdrawing from all, one is let in: it sees the others' data, but the others
            // do not see its.
            (all_then_north, "north<south TREAT", "+..+"),
            (all_then_north, "south<north TREAT", "-..-"),
            (all_then_north, "south<west TREAT", "-..-"),
            // Permitting all does not undo what was said about one.
            ("2026-05-03 deny >north; 2026-05-04 permit", "north<south TREAT", "-..-"),
            ("2026-05-03 deny; 2026-05-04 permit", "north<south TREAT", "+..+"),
            // Nor does permitting an organisation undo what was said about a person there.
            (
                "2026-05-03 deny %Practitioner/7; 2026-05-04 permit >north",
                "north<south TREAT",
                "-..-",
            ),
            ("2026-05-03 deny %Practitioner/8", "north<south TREAT", "+..+"),
            ("2026-05-03 deny %Practitioner/8", "north<south TREAT user=", "-..-"),
            // Within the own organisation only what names the person binds.
            ("2026-05-03 deny %Practitioner/7", "north<north TREAT", "-..-"),
            ("2026-05-03 permit ( deny ) ( deny %Practitioner/7 )", "north<north TREAT", "-..-"),
            ("2026-05-03 permit ( deny ) ( deny %Practitioner/8 )", "north<north TREAT", "++++"),
            // Who cannot be resolved may be that person, where a person asks.
            ("2026-05-03 deny %Group/1", "north<north TREAT", "-..-"),
            ("2026-05-03 deny %Group/1", "north<north TREAT user=", "++++"),
            ("2026-05-03 permit ( permit ( deny %Group/1 ? ) )", "north<north TREAT", "-..-"),
            (
                "2026-05-03 permit ( permit ( permit ( deny %Practitioner/7 ) ) )",
                "north<north TREAT",
                "-..-",
            ),
            ("2026-05-03 permit ( permit ( permit ( deny ) ) )", "north<north TREAT", "++++"),
        ],
    );
    check(
        "deny",
        &[
            ("2026-05-03 permit >north <north", "north<south TREAT", "+..+"),
            ("2026-05-03 permit >north <north", "south<north TREAT", "-..-"),
            ("2026-05-03 permit <north", "south<north TREAT", "+..+"),
            // An inner permission that only lifts denials leaves what the outer one grants.
            ("2026-05-03 permit ( permit >north <north )", "south<north TREAT", "+..+"),
            ("2026-05-03 permit", "south<north TREAT", "+..+"),
        ],
    );
}

#[test]
fn purposes_and_periods() {
    check(
        TREATMENT,
        &[
            ("2026-05-03 permit >north #HRESCH", "north<south HRESCH", "+..+"),
            ("2026-05-03 permit >north #HRESCH", "north<south CLINTRCH", "+..+"),
            ("2026-05-03 permit >north #HRESCH", "north<south HPAYMT", "-..-"),
            ("2026-05-03 deny #TREAT", "north<south ETREAT", "-..-"),
            ("2026-05-03 deny #ETREAT", "north<south TREAT", "+..+"),
            // A permission for treatment leaves a denial for everything standing elsewhere.
            (
                "2026-05-03 deny >north; 2026-05-04 permit >north #TREAT",
                "north<south TREAT",
                "+..+",
            ),
            (
                "2026-05-03 deny >north; 2026-05-04 permit >north #TREAT",
                "north<south HRESCH",
                "-..-",
            ),
            // Periods: in force, expired, not yet, and the last day is included.
            ("2026-05-03 deny >north in:2026-05-03..", "north<south TREAT", "-..-"),
            ("2026-05-03 deny >north in:..2026-05-31", "north<south TREAT", "+..+"),
            ("2026-05-03 deny >north in:..2026-06-01", "north<south TREAT", "-..-"),
            ("2026-05-03 deny >north in:2026-07..", "north<south TREAT", "+..+"),
            ("2026-05-03 deny >north in:soon..", "north<south TREAT", "-..-"),
            // A permission that runs out brings the earlier denial back.
            (
                "2026-05-03 deny >north; 2026-05-04 permit >north in:..2026-05-20",
                "north<south TREAT",
                "-..-",
            ),
            (
                "2026-05-03 deny >north; 2026-05-04 permit >north in:..2026-05-20",
                "north<south TREAT at=2026-05-10",
                "+..+",
            ),
        ],
    );
}

#[test]
fn actions() {
    check(
        TREATMENT,
        &[
            ("2026-05-03 deny >north !access", "north<south TREAT", "-..-"),
            ("2026-05-03 deny >north !use", "north<south TREAT", "-..-"),
            ("2026-05-03 permit >north #HRESCH !disclose", "north<south HRESCH", "+..+"),
            ("2026-05-03 permit >north #HRESCH !use", "north<south HRESCH", "-..-"),
        ],
    );
}

#[test]
fn sensitive_data() {
    check(
        TREATMENT,
        &[
            // A general permission does not reach it; naming it does.
            ("2026-05-03 permit >north", "north<south TREAT", "+..+"),
            ("2026-05-03 permit >north @HIV", "north<south TREAT", "++.+"),
            ("2026-05-03 permit >north @R", "north<south TREAT", "++.+"),
            ("2026-05-03 permit >north @V", "north<south TREAT", "++++"),
            ("2026-05-03 permit >south @V", "north<south TREAT", "+..+"),
            (
                "2026-05-03 deny >north @HIV; 2026-05-04 permit >north @HIV",
                "north<south TREAT",
                "++.+",
            ),
        ],
    );
    check(
        "permit-treatment+share",
        &[
            ("2026-05-03 deny >north @R", "north<south TREAT", "+..+"),
            ("2026-05-03 deny >north @V", "north<south TREAT", "++.+"),
            ("2026-05-03 deny >north @HIV", "north<south TREAT", "+.++"),
            ("2026-05-03 deny >north @STD", "north<south TREAT", "++++"),
            // What was said about particular data stands beside a later general permission.
            ("2026-05-03 deny >north @HIV; 2026-05-04 permit >north", "north<south TREAT", "+.++"),
        ],
    );
}

#[test]
fn particular_data() {
    check(
        TREATMENT,
        &[
            ("2026-05-03 deny of:2022..2022", "north<south TREAT", "-..+"),
            ("2026-05-03 deny of:..2019", "north<south TREAT", "+..-"),
            ("2026-05-03 deny of:2019-05-02..", "north<south TREAT", "-..-"),
            ("2026-05-03 deny instance:Observation/1", "north<south TREAT", "-..+"),
            ("2026-05-03 deny related:Encounter/9", "north<south TREAT", "-..-"),
            ("2026-05-03 deny related:Observation/1", "north<south TREAT", "-..-"),
            ("2026-05-03 deny dependents:Encounter/9", "north<south TREAT", "-..-"),
            ("2026-05-03 deny dependents:Observation/1", "north<south TREAT", "-..+"),
            ("2026-05-03 deny authoredby:Practitioner/4", "north<south TREAT", "-..+"),
            ("2026-05-03 deny :Observation", "north<south TREAT", "-..+"),
            ("2026-05-03 deny :Observation :Encounter", "north<south TREAT", "-..-"),
            ("2026-05-03 deny :lipidprofile", "north<south TREAT", "-..-"),
            ("2026-05-03 deny =718-7", "north<south TREAT", "-..+"),
            // Together they narrow.
            ("2026-05-03 deny :Observation of:..2020", "north<south TREAT", "+..+"),
        ],
    );
    check(
        "deny",
        &[
            ("2026-05-03 permit of:2022..2022", "north<south TREAT", "+..-"),
            // Only part of the encounter lies inside.
            ("2026-05-03 permit of:2019-05-02..", "north<south TREAT", "+..-"),
            ("2026-05-03 permit :lipidprofile", "north<south TREAT", "-..-"),
            ("2026-05-03 permit related:Encounter/9", "north<south TREAT", "+..+"),
        ],
    );
}

#[test]
fn exceptions_inside_a_consent() {
    check(
        TREATMENT,
        &[
            ("2026-05-03 deny ( permit >north )", "north<south TREAT", "+..+"),
            ("2026-05-03 deny ( permit >north )", "west<south TREAT", "-..-"),
            ("2026-05-03 permit @V ( deny :Observation )", "north<south TREAT", "-+++"),
            ("2026-05-03 deny ( permit @V #BTG )", "north<south BTG", "++++"),
            ("2026-05-03 deny ( permit @V #BTG )", "north<south TREAT", "-..-"),
            // A permit inside a permit, as IHE PCF has it for break-glass.
            ("2026-05-03 permit #TREAT ( permit #BTG @R )", "north<south BTG", "++.+"),
            // The innermost decides; of two side by side the denial.
            ("2026-05-03 deny ( permit >north ( deny :Encounter ) )", "north<south TREAT", "+..-"),
            ("2026-05-03 deny ( permit >north ) ( deny :Encounter )", "north<south TREAT", "+..-"),
            // All that decide count, whichever comes first: the denial for north stands.
            (
                "2026-05-03 permit ( deny ) ( deny >north ); 2026-05-04 permit",
                "north<south TREAT",
                "-..-",
            ),
            (
                "2026-05-03 deny >north; 2026-05-04 permit @V ( permit @V ) ( permit >north )",
                "north<south TREAT",
                "++++",
            ),
            // An exception outside its surroundings is none.
            ("2026-05-03 permit >west ( deny >north )", "north<south TREAT", "+..+"),
        ],
    );
}

#[test]
fn emergencies() {
    check(
        TREATMENT,
        &[
            ("2026-05-03 deny", "north<south BTG", "-..-"),
            ("2026-05-03 deny", "north<south BTG glass", "++++"),
            ("2026-05-03 deny", "north<south ETREAT glass", "-..-"),
            ("2026-05-03 deny", "north<south BTG glass role=service", "-..-"),
            ("2026-05-03 deny #TREAT", "north<south BTG glass", "++++"),
            ("2026-05-03 deny #BTG", "north<south BTG glass", "-..-"),
            ("2026-05-03 deny ( deny #BTG )", "north<south BTG glass", "-..-"),
            ("2026-05-03 deny #BTG; 2026-05-04 permit", "north<south BTG glass", "++++"),
            ("2026-05-03 deny #BTG @V", "north<south BTG glass", "++.+"),
            ("", "north<south BTG glass", "++++"),
        ],
    );
    check("deny", &[("2026-05-03 deny", "north<south BTG glass", "-..-")]);
}

#[test]
fn what_is_not_understood_denies_what_it_covers() {
    check(
        TREATMENT,
        &[
            ("2026-05-03 permit ?", "north<south TREAT", "-..-"),
            ("2026-05-03 permit >north ?", "north<south TREAT", "-..-"),
            ("2026-05-03 permit >north ?", "west<south TREAT", "+..+"),
            ("2026-05-03 permit >north #HRESCH ?", "north<south TREAT", "+..+"),
            ("2026-05-03 permit :Encounter ?", "north<south TREAT", "+..-"),
            ("2026-05-03 permit in:..2026-01 ?", "north<south TREAT", "+..+"),
            ("2026-05-03 permit ( permit >west ? )", "north<south TREAT", "-..-"),
            // No type.
            ("2026-05-03 >north", "north<south TREAT", "-..-"),
            ("2026-05-03 permit ( >north )", "north<south TREAT", "-..-"),
            // Three levels are read, a fourth is not.
            ("2026-05-03 permit ( permit ( permit ) )", "north<south TREAT", "+..+"),
            ("2026-05-03 permit ( permit ( permit ( permit ) ) )", "north<south TREAT", "-..-"),
            // It is not replaced, but an emergency overrides it unless it names emergencies.
            ("2026-05-03 permit ?; 2026-05-04 permit", "north<south TREAT", "-..-"),
            ("2026-05-03 permit ?", "north<south BTG glass", "++++"),
            ("2026-05-03 permit ( deny #BTG ? )", "north<south BTG glass", "-..-"),
            (
                "2026-05-03 permit ( permit ( permit ( deny #BTG ) ) )",
                "north<south BTG glass",
                "-..-",
            ),
            // Values that are not understood: a denial applies, a permission does not.
            ("2026-05-03 deny %Group/1", "north<south TREAT", "-..-"),
            ("2026-05-03 permit %Group/1 #HRESCH", "north<south HRESCH", "-..-"),
            ("2026-05-03 deny #T-TREAT", "north<south TREAT", "-..-"),
            ("2026-05-03 permit #T-TREAT", "north<south HRESCH", "-..-"),
            ("2026-05-03 deny @", "north<south TREAT", "-..-"),
            ("2026-05-03 deny @ ( permit >north )", "north<south TREAT", "-..-"),
            ("2026-05-03 permit @ #HRESCH", "north<south HRESCH", "-..-"),
            // A purpose that is not understood may be an emergency.
            ("2026-05-03 deny #T-TREAT", "north<south BTG glass", "-..-"),
            ("2026-05-03 permit ( deny #T-TREAT ? )", "north<south BTG glass", "-..-"),
            // Without a type a label may be meant either way.
            ("2026-05-03 permit @V ( deny )", "north<south TREAT", "-..-"),
            ("2026-05-03 @V ( deny )", "north<south TREAT", "-..-"),
            ("2026-05-03 @N ( deny )", "north<south TREAT", "-..-"),
            // One more actor, not understood, does not hide the denial beside it.
            (
                "2026-05-03 permit ( deny >west %Group/1 ) ( deny %Practitioner/7 )",
                "north<north TREAT",
                "-..-",
            ),
        ],
    );
}

#[test]
fn what_is_said_around_the_provision() {
    let with = |change: fn(&mut Value)| {
        let mut consent = consent(1, "2026-05-03 deny >north");
        change(&mut consent);
        outcome(&request("north<south TREAT"), &compiled(&[consent]), &Defaults::default())
    };
    let (denied, open) = ("-..-", "+..+");
    assert_eq!(with(|_| {}), denied);
    for status in ["draft", "proposed", "rejected", "inactive", "entered-in-error"] {
        let mut consent = consent(1, "2026-05-03 deny >north");
        consent["status"] = json!(status);
        let found =
            outcome(&request("north<south TREAT"), &compiled(&[consent]), &Defaults::default());
        assert_eq!(found, open, "{status}");
    }
    assert_eq!(with(|c| c["status"] = json!("suspended")), denied);
    assert_eq!(with(|c| c["scope"] = json!({"coding": [{"code": "adr"}]})), open);
    assert_eq!(with(|c| c["scope"] = json!({"coding": [{"code": "research"}]})), open);
    assert_eq!(with(|c| c["scope"] = json!({"coding": [{"code": "else"}]})), denied);
    assert_eq!(with(|c| c["provision"] = json!([{"type": "permit"}])), denied);
    assert_eq!(with(|c| c["provision"]["type"] = json!("permit")), open);
    assert_eq!(
        with(|c| {
            c["provision"]["type"] = json!("permit");
            c["modifierExtension"] = json!([{"url": "urn:example"}]);
        }),
        denied
    );
    assert_eq!(with(|c| drop(c.as_object_mut().expect("object").remove("provision"))), open);
    let rule = |code: &str| json!({"coding": [{"code": code}]});
    for (code, expected) in
        [("OPTOUT", denied), ("EMRGONLY", denied), ("OPTIN", open), ("NOPP", open)]
    {
        let mut consent = consent(1, "2026-05-03 permit >west");
        consent["policyRule"] = rule(code);
        let consents = compiled(&[consent]);
        let ask = |short| outcome(&request(short), &consents, &Defaults::default());
        assert_eq!(ask("north<south TREAT"), expected, "{code}");
        assert_eq!(ask("west<south TREAT"), open, "{code}");
        assert_eq!(
            ask("north<south ETREAT"),
            if code == "OPTOUT" { denied } else { open },
            "{code}"
        );
    }
}

#[test]
fn too_much_is_refused() {
    let many: Vec<_> = (0..1001).map(|id| consent(id, "2026-05-03 permit")).collect();
    let ask = |consents: &[Value]| {
        outcome(&request("north<south TREAT"), &compiled(consents), &Defaults::default())
    };
    assert_eq!(ask(&many), "-..-");
    assert_eq!(ask(&many[1..]), "+..+");
    let wide = |count: usize| {
        let mut consent = consent(1, "2026-05-03 permit");
        consent["provision"]["provision"] = json!(vec![json!({"type": "permit"}); count]);
        ask(&[consent])
    };
    assert_eq!((wide(255), wide(256)), ("+..+".to_owned(), "-..-".to_owned()));
}

#[test]
fn a_whole_record_is_denied_before_it_is_read() {
    let whole = |consents: &[&str], asked: &str| {
        let consents: Vec<_> =
            consents.iter().enumerate().map(|(id, text)| consent(id, text)).collect();
        match whole_record(&request(asked), &compiled(&consents), &Defaults::default()) {
            WholeDecision::Permit(because) => format!("permit {}", because.code()),
            WholeDecision::Deny { because, .. } => format!("deny {}", because.code()),
            WholeDecision::ByItem => "by item".to_owned(),
        }
    };
    assert_eq!(whole(&[], "north<south TREAT"), "by item");
    assert_eq!(whole(&[], "north<south HRESCH"), "deny network-default");
    assert_eq!(whole(&["2026-05-03 deny >north"], "north<south TREAT"), "deny consent");
    assert_eq!(whole(&["2026-05-03 deny >north @R"], "north<south TREAT"), "by item");
    let two = ["2026-05-03 deny >north", "2026-05-04 deny >north @R"];
    assert_eq!(whole(&two, "north<south TREAT"), "deny consent");
    let two = ["2026-05-03 deny >north", "2026-05-04 permit >north :Observation"];
    assert_eq!(whole(&two, "north<south TREAT"), "by item");
    assert_eq!(whole(&["2026-05-03 deny"], "north<south BTG glass"), "permit break-glass");
    assert_eq!(
        whole(&["2026-05-03 deny"], "north<south PATRQT role=patient"),
        "permit own-request"
    );
    assert_eq!(whole(&["2026-05-03 permit ?"], "north<south TREAT"), "deny consent-not-understood");
}

#[test]
fn explanations() {
    let check = |consents: &[&str], asked: &str, item: usize, expected: &str| {
        let consents: Vec<_> =
            consents.iter().enumerate().map(|(id, text)| consent(id, text)).collect();
        let compiled = compiled(&consents);
        let decided = decide_all(&request(asked), &compiled, &Defaults::default(), &record());
        let name = |id: &str| (id == "north").then(|| "North Hospital".to_owned());
        let found = explain(&decided[item], &compiled, Audience::Patient, name).to_string();
        assert_eq!(found, expected);
    };
    let north = "2026-05-03 deny >north <north";
    let ask = "north<south TREAT";
    check(
        &[north],
        ask,
        0,
        "hidden because you withdrew permission for North Hospital on 3 May 2026",
    );
    check(
        &["2026-05-03 deny"],
        ask,
        0,
        "hidden because you withdrew permission for all organisations on 3 May 2026",
    );
    check(
        &["2026-05-03 deny >north >west #TREAT #HRESCH :Observation"],
        ask,
        0,
        "hidden because you withdrew permission for particular data for North Hospital and west \
         (purpose treatment and healthcare research) on 3 May 2026",
    );
    check(
        &["2026-05-03 deny >west ( permit >north )", "2026-05-04 permit >north"],
        ask,
        0,
        "shown because you gave permission for North Hospital on 4 May 2026",
    );
    check(
        &[],
        ask,
        0,
        "shown because the network permits this purpose and you have not decided otherwise",
    );
    check(
        &[],
        ask,
        1,
        "hidden because it is marked as sensitive and you have not given permission for that kind \
         of data",
    );
    check(
        &["2026-05-03 permit ?"],
        ask,
        0,
        "hidden because a consent of 3 May 2026 cannot be understood: it has an element that is \
         not understood",
    );
    check(
        &[north],
        "north<south BTG glass",
        0,
        "shown because it was an emergency, although you withdrew permission for North Hospital on \
         3 May 2026",
    );
}

#[test]
fn what_the_patient_page_makes_is_understood() {
    let party = |id, name| Party { id, name };
    let make = |organisation: Option<Party<'_>>, decision, day: &str| {
        let choice = Choice {
            patient: "Patient/1",
            organisation,
            decision,
            date_ms: at(day),
            custodian: party("south", "South \"General\" & <Sons>"),
        };
        Resource::parse(build(&choice)).expect("a resource")
    };
    let north = Some(party("north", "North Hospital"));
    let withdrawn = make(north, Kind::Deny, "2026-05-03T10:00:00Z");
    let view = ConsentView::of(&withdrawn).expect("a Consent");
    assert_eq!(view.status().as_deref(), Some("active"));
    assert_eq!(view.scope().as_deref(), Some("patient-privacy"));
    assert_eq!(view.patient().as_deref(), Some("Patient/1"));
    assert_eq!(view.kind(), Some(Kind::Deny));
    assert_eq!(view.date().map(|date| date.start_ms), Some(at("2026-05-03T10:00:00Z")));
    assert_eq!(view.organisations(), [("north".to_owned(), Some("North Hospital".to_owned()))]);

    let ask = |consents: &[&Resource], asked| {
        outcome(&request(asked), &Compiled::new(consents.iter().copied()), &Defaults::default())
    };
    // The moment it is made, also where a clock is a little behind.
    assert_eq!(ask(&[&withdrawn], "north<south TREAT at=2026-05-03T09:59:58Z"), "-..-");
    assert_eq!(ask(&[&withdrawn], "south<north HRESCH"), "-..-");
    let permitted = make(north, Kind::Permit, "2026-05-03T10:00:05Z");
    assert_eq!(ask(&[&permitted, &withdrawn], "north<south TREAT"), "+..+");
    assert_eq!(ask(&[&permitted, &withdrawn], "south<north TREAT"), "+..+");
    assert_eq!(ask(&[&permitted, &withdrawn], "north<south HRESCH"), "-..-");
    let none = make(None, Kind::Deny, "2026-05-04");
    let everybody = make(None, Kind::Permit, "2026-05-05");
    assert_eq!(ask(&[&permitted, &withdrawn, &none], "west<south TREAT"), "-..-");
    assert_eq!(ask(&[&permitted, &withdrawn, &none, &everybody], "west<south TREAT"), "+..+");
    for consent in [&withdrawn, &permitted, &none, &everybody] {
        let refused = Compiled::new([consent]).refused(0);
        assert_eq!(refused, None);
    }
}

#[test]
fn a_path_leads_to_the_deciding_provision() {
    let consents =
        compiled(&[consent(4, "2026-05-03 deny ( permit >west ) ( permit >north ( deny ) )")]);
    let item: Vec<Item> = record().into_iter().take(1).collect();
    let decided = decide_all(&request("north<south TREAT"), &consents, &Defaults::default(), &item);
    let because = decided[0].because;
    let consilium_policy::consent::Because::Provision { consent, provision } = because else {
        panic!("{because:?}");
    };
    assert_eq!(consents.reference(consent), "Consent/c4");
    assert_eq!(
        consents.path(consent, provision).as_deref(),
        Some("Consent.provision.provision[1].provision[0]")
    );
}

#[test]
fn roles_are_named_as_in_requests() {
    assert_eq!(Role::find("privacy-officer"), Some(Role::PrivacyOfficer));
    assert_eq!(Role::find("doctor"), None);
}

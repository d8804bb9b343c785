//! IHE Privacy Consent on FHIR (PCF 1.1), clause by clause, on the engine.

use consilium_policy::consent::{Compiled, Defaults, Kind, decide_all, residual};
use serde_json::json;

use crate::short::{compiled, consent, record, request};

/// Checks rows of: clause, default, consents joined by `;`, request, expected (`+` or `-` for the
/// haemoglobin of 2022, the HIV diagnosis, the very restricted document and the encounter of 2019).
fn check(rows: &[(&str, &str, &str, &str, &str)]) {
    for (clause, default, consents, asked, expected) in rows {
        let consents = consents.split(';').map(str::trim).filter(|text| !text.is_empty());
        let consents: Vec<_> = consents.enumerate().map(|(id, text)| consent(id, text)).collect();
        let defaults =
            Defaults { network: default.parse().expect("default"), ..Defaults::default() };
        let decided = decide_all(&request(asked), &compiled(&consents), &defaults, &record());
        let found: String =
            decided.iter().map(|d| if d.effect == Kind::Permit { '+' } else { '-' }).collect();
        assert_eq!(found, *expected, "{clause}: {asked} under {consents:#?}");
    }
}

#[test]
fn pcf_1_53_1_basic() {
    check(&[
        ("basic reject", "permit-treatment", "2026-01-01 deny", "north<south TREAT", "----"),
        ("basic treat", "deny", "2026-01-01 permit #TREAT", "north<south TREAT", "+--+"),
        ("basic: other purpose", "deny", "2026-01-01 permit #TREAT", "north<south HPAYMT", "----"),
        ("basic: payment", "deny", "2026-01-01 permit #HPAYMT", "north<south HPAYMT", "+--+"),
        ("basic: operations", "deny", "2026-01-01 permit #HOPERAT", "north<south HOPERAT", "+--+"),
        (
            "basic: expired",
            "deny",
            "2025-01-01 permit #TREAT in:..2025",
            "north<south TREAT",
            "----",
        ),
        (
            "basic: period runs",
            "deny",
            "2026-01-01 permit #TREAT in:2026..2027",
            "north<south TREAT",
            "+--+",
        ),
        ("basic: organisation", "deny", "2026-01-01 permit >north", "north<south TREAT", "+--+"),
        (
            "basic: another organisation",
            "deny",
            "2026-01-01 permit >north",
            "west<south TREAT",
            "----",
        ),
        (
            "basic: practitioner",
            "deny",
            "2026-01-01 permit %Practitioner/7",
            "north<south TREAT",
            "+--+",
        ),
        (
            "basic: another practitioner",
            "deny",
            "2026-01-01 permit %Practitioner/8",
            "north<south TREAT",
            "----",
        ),
    ]);
}

#[test]
fn pcf_1_53_2_intermediate() {
    check(&[
        ("timeframe", "deny", "2026-01-01 permit of:2022..2022", "north<south TREAT", "+---"),
        (
            "not timeframe",
            "permit-treatment",
            "2026-01-01 deny of:2022..2022",
            "north<south TREAT",
            "---+",
        ),
        ("by id", "deny", "2026-01-01 permit instance:Observation/1", "north<south TREAT", "+---"),
        (
            "not by id",
            "permit-treatment",
            "2026-01-01 deny instance:Observation/1",
            "north<south TREAT",
            "---+",
        ),
        (
            "author",
            "deny",
            "2026-01-01 permit authoredby:Practitioner/4",
            "north<south TREAT",
            "+---",
        ),
        (
            "not author",
            "permit-treatment",
            "2026-01-01 deny authoredby:Practitioner/4",
            "north<south TREAT",
            "---+",
        ),
        (
            "relationship: encounter",
            "deny",
            "2026-01-01 permit related:Encounter/9",
            "north<south TREAT",
            "+--+",
        ),
        (
            "not relationship",
            "permit-treatment",
            "2026-01-01 deny related:Encounter/9",
            "north<south TREAT",
            "----",
        ),
        (
            "extra purpose: research",
            "deny",
            "2026-01-01 permit #HRESCH",
            "north<south CLINTRCH",
            "+--+",
        ),
        (
            "nested, type as stated",
            "deny",
            "2026-01-01 permit ( deny >north )",
            "north<south TREAT",
            "----",
        ),
        (
            "nested permit in permit",
            "deny",
            "2026-01-01 permit #TREAT ( permit #BTG @R )",
            "north<south BTG",
            "++-+",
        ),
    ]);
}

#[test]
fn pcf_1_53_3_advanced() {
    check(&[
        ("label N only", "deny", "2026-01-01 permit @N", "north<south TREAT", "+--+"),
        ("label R", "deny", "2026-01-01 permit @R", "north<south TREAT", "++-+"),
        ("not R", "permit-treatment", "2026-01-01 deny @R", "north<south TREAT", "+--+"),
        ("HIV permitted by topic", "deny", "2026-01-01 permit @HIV", "north<south TREAT", "-+--"),
        (
            "not PSY leaves the rest",
            "permit-treatment",
            "2026-01-01 deny @PSY",
            "north<south TREAT",
            "+--+",
        ),
    ]);
    // Every code that PCF asks for is a label here.
    for code in ["N", "R", "ETH", "ETHUD", "OPIOIDUD", "PSY", "SDV", "HIV"] {
        let label = consilium_policy::label::Label::of("", code);
        assert!(!matches!(label, consilium_policy::label::Label::Other(..)), "{code}");
    }
}

#[test]
fn pcf_p_implicit_policies() {
    check(&[
        ("Policy-basic-normal", "permit-treatment", "", "north<south TREAT", "+--+"),
        ("Policy-basic-normal: research", "permit-treatment", "", "north<south HRESCH", "----"),
        ("Policy-all-normal", "permit-all", "", "north<south HRESCH", "+--+"),
        ("Policy-deny", "deny", "", "north<south TREAT", "----"),
        ("Policy-break-glass-only", "break-glass-only", "", "north<south TREAT", "----"),
        ("Policy-break-glass-only: BTG", "break-glass-only", "", "north<south BTG glass", "++++"),
        ("a draft is none", "permit-treatment", "", "north<south TREAT", "+--+"),
    ]);
}

#[test]
fn pcf_p_break_glass() {
    let denial = "2026-01-01 deny";
    check(&[
        ("BTG with the switch", "permit-treatment", denial, "north<south BTG glass", "++++"),
        ("BTG without the switch", "permit-treatment", denial, "north<south BTG", "----"),
        (
            "only by clinicians",
            "permit-treatment",
            denial,
            "north<south BTG glass role=registrar",
            "----",
        ),
        (
            "BTG itself denied",
            "permit-treatment",
            "2026-01-01 deny #BTG",
            "north<south BTG glass",
            "----",
        ),
        ("first without BTG", "permit-treatment", denial, "north<south TREAT", "----"),
    ]);
}

/// ITI-71 extension `ihe_pcf`: "only data from 2022" is a forbid of all and a permit of 2022.
#[test]
fn pcf_3_71_residual_rules() {
    let rules = |default: &str, consents: &[&str]| {
        let consents: Vec<_> = consents.iter().enumerate().map(|(n, c)| consent(n, c)).collect();
        let defaults =
            Defaults { network: default.parse().expect("default"), ..Defaults::default() };
        let request = request("north<south TREAT");
        let found = residual(&request, &compiled(&consents), &defaults);
        let parse = |rule: &consilium_policy::consent::Residual| {
            serde_json::from_str::<serde_json::Value>(&rule.json()).expect("JSON")
        };
        json!(found.iter().map(parse).collect::<Vec<_>>())
    };
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let label = |code: &str| json!([{"system": confidentiality, "code": code}]);
    assert_eq!(
        rules("deny", &["2026-01-01 permit of:2022..2022"]),
        json!([{"type": "forbid"}, {"type": "permit", "securityLabel": label("N"), "dataPeriod":
            {"start": "2022-01-01T00:00:00.000Z", "end": "2022-12-31T23:59:59.999Z"}}])
    );
    assert_eq!(rules("deny", &[]), json!([{"type": "forbid"}]));
    assert_eq!(
        rules("permit-treatment", &[]),
        json!([{"type": "forbid", "securityLabel": label("R")}])
    );
    assert_eq!(
        rules("permit-treatment", &["2026-01-01 deny authoredby:Practitioner/4"]),
        json!([{"type": "forbid", "securityLabel": label("R")}, {"type": "forbid", "data":
            [{"meaning": "authoredby", "reference": {"reference": "Practitioner/4"}}]}])
    );
    let compiled = Compiled::default();
    let own = request("north<north TREAT");
    assert!(residual(&own, &compiled, &Defaults::default()).is_empty());
}

//! The consent that a patient gives for one recipient at the point of care: exactly that and
//! nothing for anybody else.

use fhir::json::quote;

use super::Party;
use super::build::organisation_reference;
use crate::purpose;

/// An exact permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// Relative reference to the patient where the decision is made.
    pub patient: &'a str,
    /// The organisation whose people may see.
    pub recipient: Party<'a>,
    /// The organisations whose holdings they may see.
    pub holders: &'a [Party<'a>],
    /// Whether what others hold is not to be seen by this recipient while the grant lasts.
    pub only: bool,
    /// Resource types; everything that is not sensitive where empty.
    pub kinds: &'a [&'a str],
    /// Purpose of use, a code of v3-ActReason.
    pub purpose: &'a str,
    /// Until when, RFC 3339.
    pub until: &'a str,
}

/// The provision of the Consent, JSON.
///
/// It names the recipient alone at the outermost level, and the holders within that: repeats of an
/// element are alternatives, so both at one level would open all that others hold too, and lift
/// withdrawals about a holder for everybody. The outermost level itself permits or, where the
/// holders are to be the only ones, denies.
pub fn provision(grant: &Grant<'_>) -> String {
    let actor = |role: &str, party: &Party<'_>| {
        format!(
            r#"{{"role":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"{role}"}}]}},"reference":{}}}"#,
            organisation_reference(*party)
        )
    };
    let holders: Vec<String> = grant.holders.iter().map(|party| actor("CST", party)).collect();
    let holders = holders.join(",");
    let kind = if grant.only { "deny" } else { "permit" };
    let mut members = vec![
        format!(r#""type":"{kind}""#),
        format!(r#""period":{{"end":{}}}"#, quote(grant.until)),
        format!(r#""actor":[{}]"#, actor("IRCP", &grant.recipient)),
        format!(
            r#""purpose":[{{"system":{},"code":{}}}]"#,
            quote(purpose::SYSTEM),
            quote(grant.purpose)
        ),
    ];
    if !grant.kinds.is_empty() {
        let class = |kind: &&str| {
            format!(r#"{{"system":"http://hl7.org/fhir/resource-types","code":{}}}"#, quote(kind))
        };
        let classes: Vec<String> = grant.kinds.iter().map(class).collect();
        members.push(format!(r#""class":[{}]"#, classes.join(",")));
    }
    if !holders.is_empty() {
        members.push(format!(r#""provision":[{{"type":"permit","actor":[{holders}]}}]"#));
    }
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use fhir::Resource;
    use serde_json::{Value, json};

    use super::*;
    use crate::consent::{Choice, Compiled, Defaults, Item, Kind, Request, build, decide_all};
    use crate::{Purpose, Role};

    const NOW_MS: i64 = 1_750_000_000_000;
    const ORGS: [&str; 3] = ["north", "south", "east"];

    fn withdrawn(organisation: Option<&str>) -> Resource {
        let custodian = Party { id: "north", name: "North" };
        let organisation = organisation.map(|id| Party { id, name: id });
        let decision = Kind::Deny;
        let date_ms = NOW_MS - 60_000;
        let choice = Choice { patient: "Patient/1", organisation, decision, date_ms, custodian };
        Resource::parse(build(&choice)).unwrap()
    }

    fn granted(holders: &[&str], only: bool, kinds: &[&str]) -> Resource {
        let holders: Vec<Party<'_>> = holders.iter().map(|id| Party { id, name: id }).collect();
        let provision = provision(&Grant {
            patient: "Patient/1",
            recipient: Party { id: "north", name: "North" },
            holders: &holders,
            only,
            kinds,
            purpose: "TREAT",
            until: "2026-01-01T00:00:00Z",
        });
        let provision: Value = serde_json::from_str(&provision).unwrap();
        let consent = json!({
            "resourceType": "Consent", "id": "g", "status": "active",
            "scope": {"coding": [{"code": "patient-privacy"}]},
            "dateTime": fhir::time::instant(NOW_MS), "provision": provision,
        });
        Resource::parse(consent.to_string()).unwrap()
    }

    /// Who sees an Observation and a Condition of whom: `recipient<holder` with `o`, `c` or both.
    fn open(consents: &[Resource], now_ms: i64) -> Vec<String> {
        let items = ["Observation", "Condition"].map(|kind| {
            Item::of(&Resource::parse(format!(r#"{{"resourceType":"{kind}","id":"1"}}"#)).unwrap())
        });
        let mut list = Vec::new();
        for (recipient, holder) in ORGS.iter().flat_map(|r| ORGS.map(|h| (*r, h))) {
            let request = Request {
                recipient_org: recipient.into(),
                recipient_user: None,
                role: Role::Clinician,
                purpose: Purpose::TREAT,
                custodian_org: holder.into(),
                now_ms,
                break_glass_enabled: true,
            };
            let compiled = Compiled::new(consents);
            let decided = decide_all(&request, &compiled, &Defaults::default(), &items);
            let seen: String = decided
                .iter()
                .zip("oc".chars())
                .filter(|d| d.0.is_permitted())
                .map(|d| d.1)
                .collect();
            if recipient != holder && !seen.is_empty() {
                list.push(format!("{recipient}<{holder} {seen}"));
            }
        }
        list
    }

    #[test]
    fn a_grant_opens_what_it_names_and_nothing_for_others() {
        let all = || granted(&ORGS, false, &[]);
        for (what, consents, expected) in [
            ("all withdrawn", vec![withdrawn(None)], vec![]),
            (
                "all withdrawn, all granted",
                vec![withdrawn(None), all()],
                vec!["north<south oc", "north<east oc"],
            ),
            (
                "the holder withdrawn, all granted",
                vec![withdrawn(Some("south")), all()],
                vec!["north<south oc", "north<east oc", "east<north oc"],
            ),
            (
                "the recipient withdrawn, all granted",
                vec![withdrawn(Some("north")), all()],
                vec!["north<south oc", "north<east oc", "south<east oc", "east<south oc"],
            ),
            (
                "all withdrawn, one kind granted",
                vec![withdrawn(None), granted(&ORGS, false, &["Observation"])],
                vec!["north<south o", "north<east o"],
            ),
            (
                "all withdrawn, one holder granted",
                vec![withdrawn(None), granted(&["south"], true, &[])],
                vec!["north<south oc"],
            ),
            (
                "one holder granted where all is open",
                vec![granted(&["south"], true, &["Condition"])],
                vec![
                    "north<south oc",
                    "north<east o",
                    "south<north oc",
                    "south<east oc",
                    "east<north oc",
                    "east<south oc",
                ],
            ),
            (
                "the holder withdrawn, that holder granted",
                vec![withdrawn(Some("south")), granted(&["south"], true, &[])],
                vec!["north<south oc", "east<north oc"],
            ),
        ] {
            assert_eq!(open(&consents, NOW_MS), expected, "{what}");
        }
        let ended = [withdrawn(None), all()];
        assert_eq!(open(&ended, 1_800_000_000_000), Vec::<String>::new(), "it ends");
    }
}

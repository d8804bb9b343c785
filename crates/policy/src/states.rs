//! The second table that people review: what a patient's consent leaves of what the policies
//! allow, by who asks, what the patient has decided, how old the second factor is, and purpose.
//!
//! As with the first, nothing is derived: every cell is a question to both engines, about an
//! ordinary and a sensitive resource.

use std::fmt::Write;

use fhir::Resource;
use serde_json::{Value, json};

use crate::consent::{Compiled, Defaults, Item, Request, decide_all, user_of};
use crate::engine::{Engine, with_conditions_met};
use crate::purpose::Purpose;
use crate::question::{Action, Question, Relation, Role};

const HEAD: &str = "

# What consent leaves: role × relation × consent × age of the second factor × purpose, where all
# other conditions of the table above are met, under the network's usual default.
#
# asker      member: staff of the organisation that holds the record; peer: of another one;
#            self: the patient
# 2F         none, old: more than 300 s ago, fresh; any: all alike
# all        ordinary and sensitive data       ordinary  what is not sensitive
# sensitive  what is sensitive alone           nothing   withheld by consent or default
# no         refused by policy
";

/// 2026-01-01, at which the questions are asked.
const NOW_MS: i64 = 1_767_225_600_000;
const HOLDER: &str = "north";

/// Somebody who asks.
struct Asker {
    word: &'static str,
    role: Role,
    relation: Relation,
    action: Action,
    org: &'static str,
}

const ASKERS: [Asker; 4] = [
    Asker {
        word: "clinician, member",
        role: Role::Clinician,
        relation: Relation::Member,
        action: Action::Read,
        org: HOLDER,
    },
    Asker {
        word: "clinician, peer",
        role: Role::Clinician,
        relation: Relation::Peer,
        action: Action::Answer,
        org: "south",
    },
    Asker {
        word: "patient, self",
        role: Role::Patient,
        relation: Relation::SelfPatient,
        action: Action::OwnRecord,
        org: HOLDER,
    },
    Asker {
        word: "patient, self, at another organisation",
        role: Role::Patient,
        relation: Relation::SelfPatient,
        action: Action::Answer,
        org: "south",
    },
];

/// Ages of the second factor in seconds.
const FACTORS: [(&str, Option<u32>); 3] =
    [("none", None), ("old", Some(301)), ("fresh", Some(300))];

/// Prints the table. The text ends with a line break.
pub fn print(engine: &Engine) -> String {
    let mut out = String::from(HEAD);
    let items = [item(None), item(Some("HIV"))];
    let lines: Vec<(usize, Vec<Line>)> =
        ASKERS.iter().map(|asker| lines(engine, asker, &items)).enumerate().collect();
    let columns = columns(lines.iter().flat_map(|(_, lines)| lines));
    for column in &columns {
        if let [first, _, ..] = &**column {
            let codes: Vec<_> = column.iter().map(|at| code(*at)).collect();
            let _ = writeln!(out, "# {}+: {}", code(*first), codes.join(" "));
        }
    }
    for (at, lines) in &lines {
        if let Some(asker) = ASKERS.get(*at) {
            section(&mut out, asker.word, lines, &columns);
        }
    }
    out
}

struct Line {
    state: &'static str,
    factor: &'static str,
    cells: Vec<&'static str>,
}

fn lines(engine: &Engine, asker: &Asker, items: &[Item; 2]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (state, consents) in states(asker.org) {
        let consents: Vec<Resource> =
            consents.iter().filter_map(|text| Resource::parse(text.to_string()).ok()).collect();
        let compiled = Compiled::new(&consents);
        let by_factor = FACTORS.map(|(factor, age)| {
            let cell = |purpose| cell(engine, asker, (age, purpose), &compiled, items);
            Line { state, factor, cells: Purpose::all().map(cell).collect() }
        });
        match by_factor.windows(2).all(|pair| pair.iter().all(|line| pair[0].cells == line.cells)) {
            true => {
                lines.extend(by_factor.into_iter().take(1).map(|l| Line { factor: "any", ..l }))
            }
            false => lines.extend(by_factor),
        }
    }
    lines
}

fn cell(
    engine: &Engine,
    asker: &Asker,
    (age, purpose): (Option<u32>, Purpose),
    consents: &Compiled,
    items: &[Item; 2],
) -> &'static str {
    let question = Question {
        same_organisation: asker.org == HOLDER,
        ..Question::new(asker.role, asker.action, purpose, asker.relation)
    };
    let question = Question { mfa_age_s: age, ..with_conditions_met(&question) };
    if !engine.decide(&question).allowed {
        return "no";
    }
    let request = Request {
        recipient_org: asker.org.to_owned(),
        recipient_user: Some(user_of(asker.org, "asker")),
        role: asker.role,
        purpose,
        custodian_org: HOLDER.to_owned(),
        now_ms: NOW_MS,
        break_glass_enabled: true,
    };
    let decided = decide_all(&request, consents, &Defaults::default(), items);
    let open: Vec<bool> = decided.iter().map(|decision| decision.is_permitted()).collect();
    match open.as_slice() {
        [true, true] => "all",
        [true, _] => "ordinary",
        [_, true] => "sensitive",
        _ => "nothing",
    }
}

fn item(label: Option<&str>) -> Item {
    let security = label.map(|code| json!([{"system": crate::label::ACT_CODE, "code": code}]));
    let text = json!({
        "resourceType": "Observation", "id": "x", "status": "final",
        "meta": {"security": security.unwrap_or_else(|| json!([]))},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
        "subject": {"reference": "Patient/p"},
    });
    Resource::parse(text.to_string()).map_or_else(|_| Item::default(), |found| Item::of(&found))
}

/// What a patient may have decided about an asker of `org`.
fn states(org: &str) -> Vec<(&'static str, Vec<Value>)> {
    let user = |name: &str| json!({"identifier": {"system": format!("urn:consilium:org:{org}"), "value": name}});
    let to = |kind: &str, who: Value| json!({"type": kind, "actor": [actor(who)]});
    let organisation = json!({"identifier": {"value": format!("urn:consilium:org:{org}")}});
    let label = |kind: &str, system: &str, code: &str| json!({"type": kind, "securityLabel": [{"system": system, "code": code}]});
    let (act, degree) = (crate::label::ACT_CODE, crate::label::CONFIDENTIALITY);
    let all = |kind: &str| json!({"type": kind});
    let mut ended = all("deny");
    ended["period"] = json!({"start": "2025-01-01", "end": "2025-12-30"});
    let mut research = all("permit");
    research["purpose"] = json!([{"system": REASON, "code": "HRESCH"}]);
    let mut emergencies = all("deny");
    emergencies["provision"] =
        json!([{"type": "deny", "purpose": [{"system": REASON, "code": "BTG"}]}]);
    let mut odd = all("permit");
    odd["modifierExtension"] = json!([{"url": "https://example.org/unknown"}]);
    let mut withdrawn = consent(1, all("deny"));
    withdrawn["status"] = json!("inactive");
    let mut only = consent(1, all("permit"));
    only["policyRule"] = json!({"coding": [{"system": act, "code": "EMRGONLY"}]});
    only.as_object_mut().map(|only| only.remove("provision"));
    vec![
        ("none", vec![]),
        ("permits all", vec![consent(1, all("permit"))]),
        ("permits the organisation", vec![consent(1, to("permit", organisation.clone()))]),
        ("permits the asker", vec![consent(1, to("permit", user("asker")))]),
        ("permits HIV by name", vec![consent(1, label("permit", act, "HIV"))]),
        ("permits research", vec![consent(1, research)]),
        ("denies all", vec![consent(1, all("deny"))]),
        ("denies the organisation", vec![consent(1, to("deny", organisation))]),
        ("denies the asker", vec![consent(1, to("deny", user("asker")))]),
        ("denies another person", vec![consent(1, to("deny", user("another")))]),
        (
            "denies somebody unknown",
            vec![consent(1, to("deny", json!({"display": "the tall one"})))],
        ),
        ("denies HIV", vec![consent(1, label("deny", act, "HIV"))]),
        ("denies what is restricted", vec![consent(1, label("deny", degree, "R"))]),
        ("denies, emergencies too", vec![consent(1, emergencies)]),
        ("emergencies only", vec![only]),
        ("denied all, later permits", vec![consent(1, all("deny")), consent(2, all("permit"))]),
        ("permitted all, later denies", vec![consent(1, all("permit")), consent(2, all("deny"))]),
        ("denied, ended", vec![consent(1, ended)]),
        ("denied, withdrawn", vec![withdrawn]),
        ("not understood", vec![consent(1, odd)]),
    ]
}

const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

fn actor(who: Value) -> Value {
    let role = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    json!({"role": {"coding": [{"system": role, "code": "IRCP"}]}, "reference": who})
}

/// A consent of the given month of 2025.
fn consent(month: u8, provision: Value) -> Value {
    json!({
        "resourceType": "Consent", "id": format!("c{month}"), "status": "active",
        "scope": {"coding": [{"code": "patient-privacy",
            "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
        "patient": {"reference": "Patient/p"},
        "dateTime": format!("2025-{month:02}-01T00:00:00Z"),
        "provision": provision,
    })
}

/// Groups of purposes with the same cells everywhere; those refused everywhere are left out.
fn columns<'a>(lines: impl Iterator<Item = &'a Line> + Clone) -> Vec<Vec<usize>> {
    let column =
        |at: usize| -> Vec<_> { lines.clone().map(|line| line.cells.get(at).copied()).collect() };
    let mut groups: Vec<(Vec<Option<&str>>, Vec<usize>)> = Vec::new();
    for at in 0..Purpose::all().count() {
        let this = column(at);
        if this.iter().all(|cell| cell.is_none_or(|cell| cell == "no")) {
            continue;
        }
        match groups.iter_mut().find(|(known, _)| *known == this) {
            Some((_, group)) => group.push(at),
            None => groups.push((this, vec![at])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn section(out: &mut String, asker: &str, lines: &[Line], columns: &[Vec<usize>]) {
    let shown = |line: &Line, column: &Vec<usize>| {
        column.first().and_then(|at| line.cells.get(*at)).copied().unwrap_or_default()
    };
    let columns: Vec<_> = columns
        .iter()
        .filter(|column| lines.iter().any(|line| shown(line, column) != "no"))
        .collect();
    let mut head = vec!["consent".to_owned(), "2F".to_owned()];
    head.extend(columns.iter().filter_map(|column| {
        let more = if column.len() > 1 { "+" } else { "" };
        column.first().map(|first| format!("{}{more}", code(*first)))
    }));
    let rows = lines.iter().map(|line| {
        let mut row = vec![line.state.to_owned(), line.factor.to_owned()];
        row.extend(columns.iter().map(|column| shown(line, column).to_owned()));
        row
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    crate::table::aligned(out, asker, &rows);
}

fn code(at: usize) -> &'static str {
    Purpose::all().nth(at).map_or("", Purpose::code)
}

//! The pages of agreements.

use policy::agreement::State;
use web::agreements::form::{self, Chosen, ChosenClause, DraftView};
use web::agreements::list::{self, ListView, Row};
use web::agreements::mine::{self, MineView};
use web::agreements::one::{self, AgreementView, BreachView, VersionView};
use web::agreements::wording::{ClauseView, DifferenceView};
use web::form::{Field, FieldFault};
use web::{Lang, Role, Theme};

use super::{Fill, NOW_MS, Page, chrome};

const DAY_MS: i64 = 86_400_000;

fn clause(full: bool) -> ClauseView {
    let many = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    ClauseView {
        asks: "North Valley Hospital, East Clinic".into(),
        answers: "North Valley Hospital, East Clinic, West Regional Medical Center".into(),
        purposes: many(&["Treatment", "health quality improvement (HQUALIMP)"]),
        classes: many(&["Personal data (Patient)", "Result (Observation), only laboratory"]),
        ceiling: "Normal; nothing marked sensitive".into(),
        topics: if full { many(&["HIV", "SUD"]) } else { Vec::new() },
        obligations: if full { many(&["Delete it after use"]) } else { Vec::new() },
    }
}

fn version(number: u32, full: bool) -> VersionView {
    let hash = format!("{number}f3c2a99d41b2e5f0a7c6d8e9f00112233445566778899aabbccddeeff001122");
    VersionView {
        hash,
        number,
        title: "Shared care of stroke patients in the valley".into(),
        proposed_by: "East Clinic".into(),
        issued_ms: NOW_MS - DAY_MS,
        parties: vec!["North Valley Hospital".into(), "East Clinic".into()],
        term: (NOW_MS, NOW_MS + 365 * DAY_MS),
        notice_days: 30,
        clauses: vec![clause(full), clause(false)]
            .into_iter()
            .take(1 + usize::from(full))
            .collect(),
        signatures: vec![("East Clinic".into(), "Kim Adler".into(), NOW_MS)],
        missing: vec!["North Valley Hospital".into()],
        since_ms: None,
        differences: vec![DifferenceView {
            about: "Clause 1, Which data".into(),
            removed: vec!["All data".into()],
            added: vec!["Result (Observation)".into()],
        }],
        signable: true,
    }
}

fn one_view(full: bool) -> AgreementView {
    let breach = |settled: bool| BreachView {
        id: "b".into(),
        by: "East Clinic".into(),
        at_ms: NOW_MS,
        reason: "Findings were passed on to an insurer.".into(),
        settled_ms: settled.then_some(NOW_MS),
        ours: true,
    };
    AgreementView {
        id: "a-1".into(),
        state: if full { State::Suspended } else { State::Negotiated },
        ends_ms: full.then_some(NOW_MS + 30 * DAY_MS),
        versions: if full {
            vec![version(2, true), version(1, false)]
        } else {
            vec![version(1, false)]
        },
        breaches: if full { vec![breach(false), breach(true)] } else { Vec::new() },
        endings: match full {
            true => vec![("East Clinic".into(), NOW_MS, "We part ways.".into())],
            false => Vec::new(),
        },
        may_act: true,
        passkey_fault: None,
        fault: full.then(|| "the agreement has been ended; propose a new one".into()),
        reason: if full { Field::new("").with(FieldFault::Required) } else { Field::default() },
    }
}

pub fn pages(lang: Lang, theme: Theme, fill: Fill) -> Vec<Page> {
    let full = fill == Fill::Full;
    let frame = |role, path: &str| chrome(lang, theme, Some(role), path, fill);
    let states = [
        State::Negotiated,
        State::Signed,
        State::InForce,
        State::Suspended,
        State::Expired,
        State::Ended,
    ];
    let rows = states.into_iter().enumerate().map(|(at, state)| Row {
        id: format!("a-{at}"),
        title: "Shared care of stroke patients".into(),
        with: "East Clinic, West Regional Medical Center".into(),
        state,
        until_ms: NOW_MS + 365 * DAY_MS,
        waits: at == 0,
    });
    let list = ListView {
        agreements: if full { rows.collect() } else { Vec::new() },
        without: if full { vec!["South Clinic".into()] } else { Vec::new() },
        common: full,
    };
    let draft = DraftView {
        changes: (!full).then(|| ("a-1".into(), "f00".into())),
        members: vec![("east".into(), "East Clinic".into()), ("west".into(), "West".into())],
        chosen: Chosen {
            title: Field::new("").with(FieldFault::Required),
            parties: vec!["east".into()],
            clauses: vec![
                ChosenClause { obligations: vec!["DELAU".into()], ..ChosenClause::fresh() },
                ChosenClause {
                    base: 2,
                    purposes: vec!["HQUALIMP".into()],
                    kinds: vec!["Observation".into(), "Condition".into()],
                    ceiling: "N".into(),
                    kept: vec!["Observations (Observation), only laboratory".into()],
                    ..ChosenClause::default()
                },
            ],
            ..Chosen::default()
        },
        fault: full.then(|| "the term would be over already".into()),
    };
    let own = MineView {
        common: if full { vec![clause(false)] } else { Vec::new() },
        agreed: match full {
            true => vec![("Shared care".into(), NOW_MS, vec![clause(true), clause(false)])],
            false => Vec::new(),
        },
    };
    vec![
        Page {
            name: "agreements",
            html: list::render(&list, &frame(Role::Steward, "/agreements")).unwrap(),
        },
        Page {
            name: "agreement",
            html: one::render(&one_view(full), &frame(Role::Steward, "/agreements/a-1")).unwrap(),
        },
        Page {
            name: "agreement-draft",
            html: form::render(&draft, &frame(Role::Steward, "/agreements/new")).unwrap(),
        },
        Page {
            name: "my-agreements",
            html: mine::render(&own, &frame(Role::Patient, "/me/agreements")).unwrap(),
        },
    ]
}

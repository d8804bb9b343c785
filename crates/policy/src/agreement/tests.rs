//! Texts, statements and coverage, tried with many of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::consent::Item;
use crate::label::{Confidentiality, Label, Labels};
use crate::purpose::Purpose;

const DAY_MS: i64 = 86_400_000;
const ORGS: [&str; 3] = ["east", "north", "west"];
const KINDS: [&str; 4] = ["Condition", "Encounter", "Observation", "Patient"];
const PURPOSES: [&str; 6] = ["TREAT", "ETREAT", "HQUALIMP", "HOPERAT", "HRESCH", "PATRQT"];

fn orgs() -> impl Strategy<Value = Vec<Box<str>>> {
    prop::collection::btree_set(prop::sample::select(&ORGS[..]), 1..=3)
        .prop_map(|set| set.into_iter().map(Into::into).collect())
}

fn clause() -> impl Strategy<Value = Clause> {
    let classes = prop_oneof![
        1 => Just(vec![Class::all()]),
        4 => prop::collection::btree_set(prop::sample::select(&KINDS[..]), 0..3).prop_map(|mut set| {
            set.insert("Patient");
            let class = |kind: &str| Class { kind: fhir::resource_type(kind), categories: Vec::new() };
            set.into_iter().map(class).collect()
        }),
    ];
    let purposes = prop::collection::btree_set(prop::sample::select(&PURPOSES[..]), 1..4);
    let ceiling = prop::sample::select(&Confidentiality::ALL[..]);
    let obligations =
        prop::collection::btree_set(prop::sample::select(vec!["DELAU", "NORDSCLCD"]), 0..3);
    let topics = prop_oneof![Just(vec![]), Just(vec![Label::of("", "HIV")])];
    (orgs(), orgs(), purposes, classes, ceiling, topics, obligations).prop_map(
        |(asks, answers, purposes, classes, ceiling, topics, obligations)| {
            let mut purposes: Vec<_> = purposes.into_iter().filter_map(Purpose::find).collect();
            purposes.sort();
            let mut obligations: Vec<_> =
                obligations.into_iter().filter_map(Obligation::find).collect();
            obligations.sort();
            Clause { asks, answers, purposes, classes, ceiling, topics, obligations }
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    let clauses = prop::collection::vec(clause(), 1..4);
    (clauses, 0..40_i64, 1..40_i64, 1..60_u32, "[a-zA-Z\u{e9}\"<& ]{0,20}x").prop_map(
        |(clauses, from, length, notice_days, title)| Terms {
            id: "a-1".into(),
            version: 1,
            replaces: None,
            issued_ms: 0,
            title: title.into(),
            parties: ORGS
                .iter()
                .map(|org| Party { org: (*org).into(), name: format!("{org} hospital").into() })
                .collect(),
            from_ms: from * DAY_MS,
            until_ms: (from + length) * DAY_MS,
            notice_days,
            clauses,
        },
    )
}

fn item() -> impl Strategy<Value = Item> {
    let labels = prop::sample::select(vec![
        vec![],
        vec!["R"],
        vec!["V"],
        vec!["HIV"],
        vec!["SUD"],
        vec!["L"],
    ]);
    (prop::sample::select(&KINDS[..]), labels).prop_map(|(kind, labels)| Item {
        resource_type: kind.into(),
        labels: Labels::new(labels.into_iter().map(|code| Label::of("", code))),
        ..Item::default()
    })
}

fn said(number: usize, issuer: &str, at_ms: i64, said: Said) -> Statement {
    Statement { hash: format!("{number:03}").into(), issuer: issuer.into(), at_ms, said }
}

/// What the statements say, in words of their own: kept for the property below.
fn dossier(statements: &[(Statement, Option<&str>)]) -> Dossier {
    let mut dossier = Dossier::default();
    // Who is a party is known from the texts.
    for (statement, text) in statements.iter().filter(|(_, text)| text.is_some()) {
        dossier.enter(statement.clone(), *text);
    }
    for (statement, text) in statements.iter().filter(|(_, text)| text.is_none()) {
        dossier.enter(statement.clone(), *text);
    }
    dossier
}

proptest! {
    #[test]
    fn a_text_reads_back_as_it_was_written(terms in terms()) {
        let text = terms.text();
        let read = read(&text);
        prop_assert_eq!(read.as_ref(), Ok(&terms));
        prop_assert!(differences(&terms, &terms).is_empty());
        // No byte more or less says the same.
        let padded = [" ", text.as_str()].concat();
        prop_assert!(super::read(&padded).is_err());
        prop_assert!(super::read(&text.replacen("\"title\"", "\"subtitle\":\"x\",\"title\"", 1)).is_err());
    }

    #[test]
    fn nothing_outside_of_purposes_classes_and_term_is_covered(
        terms in terms(), item in item(), asker in prop::sample::select(&ORGS[..]),
        holder in prop::sample::select(&ORGS[..]), purpose in prop::sample::select(&PURPOSES[..]),
        day in -2..90_i64, signed in 0..45_i64, ended in prop::option::of(0..60_i64),
        breached in prop::option::of(0..2_u8),
    ) {
        let (now, purpose) = (day * DAY_MS, Purpose::find(purpose).unwrap());
        let mut all = vec![(said(0, "north", 0, Said::Proposed(Arc::new(terms.clone()))), Some("t"))];
        for (number, org) in ORGS.iter().enumerate() {
            let sign = Said::Signed { text: "t".into(), steward: "S".into() };
            all.push((said(number + 1, org, (signed - number as i64) * DAY_MS, sign), None));
        }
        if let Some(ended) = ended {
            let end = Said::Ended { from_ms: 0, reason: "x".into() };
            all.push((said(8, "west", ended * DAY_MS, end), None));
        }
        if let Some(settled) = breached {
            all.push((said(9, "east", 0, Said::Breached { reason: "x".into() }), None));
            if settled == 1 {
                let settle = Said::Settled { breach: "009".into(), reason: "x".into() };
                all.push((said(10, "east", 0, settle), None));
            }
        }
        let dossier = dossier(&all);
        let agreed = dossier.agreed();
        let cover = Cover::of(&agreed, &[], asker, holder, purpose, now);
        let covered = cover.holds(&item, &mut BTreeSet::new());

        // The same, thought out once more without the engine.
        let since = terms.from_ms.max(signed * DAY_MS);
        let notice = i64::from(terms.notice_days) * DAY_MS;
        let end = ended.map(|day| {
            let at = day * DAY_MS;
            if since <= at { at + notice } else { at }
        });
        let holds = since <= now && now < terms.until_ms && end.is_none_or(|end| now < end)
            && breached != Some(0);
        let expected = holds && terms.clauses.iter().any(|clause| {
            let names = |list: &[Box<str>], org: &str| list.iter().any(|one| **one == *org);
            let sensitive = |label: &str| item.labels.sensitivity.iter().any(|one| one.code() == label);
            names(&clause.asks, asker) && names(&clause.answers, holder)
                && clause.purposes.iter().any(|one| purpose.is_a(*one))
                && clause.classes.iter().any(|class| class.kind.is_none_or(|kind| *kind == *item.resource_type))
                && item.labels.confidentiality <= clause.ceiling
                && (clause.topics.is_empty() || !sensitive("SUD"))
        });
        prop_assert_eq!(covered, expected);
        prop_assert_eq!(dossier.standing(now).state == State::InForce, holds);
    }

    /// Parties talk over links that lose, double and reorder; two of them propose a change at the
    /// same time. Whoever has heard the same says the same, and at the end all have.
    #[test]
    fn parties_converge_over_lossy_links(
        base in terms(), first in clause(), second in clause(), winner in 0..2_usize,
        deliveries in prop::collection::vec((0..3_usize, 0..3_usize, 0..20_usize), 0..120),
    ) {
        let change = |clause: &Clause, number: u32, replaces: &str| Arc::new(Terms {
            version: number, replaces: Some(replaces.into()), clauses: vec![clause.clone()],
            ..base.clone()
        });
        let texts: BTreeMap<&str, Arc<Terms>> = [
            ("t1", Arc::new(base.clone())), ("t2a", change(&first, 2, "t1")),
            ("t2b", change(&second, 2, "t1")),
        ].into();
        let propose = |number, org, text: &'static str| {
            (said(number, org, number as i64, Said::Proposed(texts[text].clone())), Some(text))
        };
        let sign = |number, org: &'static str, text: &str| {
            (said(number, org, number as i64, Said::Signed { text: text.into(), steward: "S".into() }), None)
        };
        let chosen = ["t2a", "t2b"][winner];
        let mut all = vec![propose(0, "north", "t1")];
        all.extend(ORGS.iter().enumerate().map(|(at, org)| sign(at + 1, org, "t1")));
        all.push(propose(4, "east", "t2a"));
        all.push(propose(5, "west", "t2b"));
        all.extend(ORGS.iter().enumerate().map(|(at, org)| sign(at + 6, org, chosen)));
        // Each party begins with what it said itself; a link delivers one statement, or nothing.
        let mut known: [Vec<usize>; 3] = std::array::from_fn(|at| {
            all.iter().enumerate().filter(|(_, (one, _))| *one.issuer == *ORGS[at]).map(|(n, _)| n).collect()
        });
        let of = |known: &[usize]| {
            let mut seen = BTreeSet::new();
            let kept: Vec<_> = known.iter().filter(|n| seen.insert(**n)).map(|n| all[*n].clone()).collect();
            dossier(&kept)
        };
        for (from, to, which) in deliveries {
            if let Some(number) = known[from].get(which).copied() {
                known[to].push(number);
            }
        }
        // Comparing brings everybody everything, in whatever order it comes.
        let everything: Vec<usize> = known.iter().flatten().copied().collect();
        let now = base.until_ms - 1;
        let states: Vec<_> = known.iter_mut().map(|own| {
            own.extend(everything.iter().rev());
            let dossier = of(own);
            let standing = dossier.standing(now);
            (format!("{standing:?}"), dossier.decisive().into_iter().map(str::to_owned).collect::<Vec<_>>())
        }).collect();
        prop_assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", states);
        let stands = of(&known[0]).standing(now).text;
        prop_assert_eq!(stands.as_deref(), Some(chosen));
        // Nobody can sign the proposal that lost.
        let lost = ["t2b", "t2a"][winner];
        prop_assert!(of(&known[0]).unsignable("north", lost, 0).is_some());
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let terms = Terms {
        id: "a-1".into(),
        version: 1,
        replaces: None,
        issued_ms: 0,
        title: "Care".into(),
        parties: vec![
            Party { org: "east".into(), name: "East".into() },
            Party { org: "north".into(), name: "North".into() },
        ],
        from_ms: 0,
        until_ms: DAY_MS,
        notice_days: 1,
        clauses: common()
            .into_iter()
            .map(|clause| Clause {
                asks: vec!["east".into()],
                answers: vec!["north".into()],
                ..clause
            })
            .collect(),
    };
    let text = terms.text();
    assert_eq!(read(&text).as_ref(), Ok(&terms));
    let check = |from: &str, to: &str, path: &str| {
        assert!(text.contains(from), "{from}");
        let fault = read(&text.replacen(from, to, 1)).unwrap_err();
        assert_eq!(fault.path, path, "{fault}");
    };
    check("\"title\"", "\"scope\":{},\"title\"", "Contract.scope");
    check("\"TREAT\"", "\"CURIOSITY\"", "Contract.term[0].action[1].intent");
    check("\"disclose\"", "\"collect\"", "Contract.term[0].action[0].type");
    check("\"Resource\"", "\"Thing\"", "Contract.term[0].asset[0].type[0].system");
    check("\"V\"", "\"X\"", "Contract.term[0].securityLabel[0].classification");
    check(
        "{\"reference\":\"Organization/north\"}]",
        "{\"reference\":\"Organization/west\"}]",
        "Contract.term[0].offer.party[1].reference[0].reference",
    );
    check("\"value\":1,", "\"value\":0,", "Contract.extension[0].valueDuration.value");
    check("\"end\":\"1970-01-02", "\"end\":\"1969-01-02", "Contract.applies.end");
    check("\"version\":\"1\"", "\"version\":\"2\"", "Contract.extension");
    assert_eq!(read("{}").unwrap_err().path, "Contract");
}

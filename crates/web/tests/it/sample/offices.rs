//! Pages of the privacy officer, the operator and the registrar.

use web::clinician::notices;
use web::council::{self, affairs, new, proposal};
use web::form::{Field, FieldFault};
use web::operator::{accounts, network};
use web::parts::standing::Standing;
use web::privacy::{break_glass, denials, objections, papers, reconciliation, witnesses};
use web::registrar::{links, recalls};
use web::terms::{Kind, Purpose, Touched};
use web::{Lang, Role, Theme};

use super::{Fill, NOW_MS, Page, chrome};

pub fn pages(lang: Lang, theme: Theme, fill: Fill) -> Vec<Page> {
    let full = fill == Fill::Full;
    let frame = |role, path: &str| chrome(lang, theme, Some(role), path, fill);
    let officer = Role::PrivacyOfficer;
    vec![
        Page {
            name: "reviews",
            html: break_glass::render(&reviews(full), &frame(officer, "/privacy/break-glass"))
                .unwrap(),
        },
        Page {
            name: "papers",
            html: papers::render(&papers_view(full), &frame(officer, "/privacy/consents")).unwrap(),
        },
        Page {
            name: "paper",
            html: papers::render_paper(&paper_view(full), &frame(officer, "/privacy/consents"))
                .unwrap(),
        },
        Page {
            name: "denials",
            html: denials::render(&denials_view(full), &frame(officer, "/privacy/denials"))
                .unwrap(),
        },
        Page {
            name: "witnesses",
            html: witnesses::render(&witnesses_view(full), &frame(officer, "/privacy/witnesses"))
                .unwrap(),
        },
        Page {
            name: "objections",
            html: objections::render(
                &objections_view(full),
                &frame(officer, "/privacy/objections"),
            )
            .unwrap(),
        },
        Page {
            name: "reconciliation",
            html: reconciliation::render(
                &reconciliation_view(full),
                &frame(officer, "/privacy/reconciliation"),
            )
            .unwrap(),
        },
        Page {
            name: "recalls",
            html: recalls::render(&recalls_view(full), &frame(Role::Registrar, "/recalls"))
                .unwrap(),
        },
        Page {
            name: "notices",
            html: notices::render(&notices_view(full), &frame(Role::Clinician, "/notices"))
                .unwrap(),
        },
        Page {
            name: "network",
            html: network::render(&network_view(full), &frame(Role::Operator, "/operator"))
                .unwrap(),
        },
        Page {
            name: "accounts",
            html: accounts::render(
                &accounts_view(full),
                &frame(Role::Operator, "/operator/accounts"),
            )
            .unwrap(),
        },
        Page {
            name: "account-of-another",
            html: accounts::render_one(
                &account_view(full),
                &frame(Role::Operator, "/operator/accounts/ada"),
            )
            .unwrap(),
        },
        Page {
            name: "council",
            html: affairs::render(&affairs_view(full), &frame(Role::Operator, "/council")).unwrap(),
        },
        Page {
            name: "proposal",
            html: proposal::render(
                &proposal_view(full),
                &frame(Role::CouncilMember, "/council/proposals/p"),
            )
            .unwrap(),
        },
        Page {
            name: "proposal-new",
            html: new::render(&new_view(full), &frame(Role::CouncilMember, "/council/new"))
                .unwrap(),
        },
        Page {
            name: "links",
            html: links::render(&links_view(full), &frame(Role::Registrar, "/links")).unwrap(),
        },
    ]
}

fn reviews(full: bool) -> break_glass::BreakGlassView {
    if !full {
        return break_glass::BreakGlassView::default();
    }
    let used = |id: &str, hours: i64, reason: &str| break_glass::Use {
        id: id.into(),
        at_ms: NOW_MS - hours * 3_600_000,
        until_ms: NOW_MS - hours * 3_600_000 + 1_800_000,
        who: "Dr. Ellen Brandt".into(),
        organisation: "St. Agnes Clinic".into(),
        patient: "Maren Lindqvist".into(),
        patient_identifier: "NV-204118".into(),
        reason: reason.into(),
        seen: vec![
            Touched { kind: Kind::Allergy, count: 2 },
            Touched { kind: Kind::Medication, count: 1 },
            Touched { kind: Kind::Problem, count: 11 },
        ],
        patient_told: true,
        review: None,
        outcome: Field::default(),
        comment: Field::default(),
    };
    let mut faulty = used("u-2", 12, "Seizure in the waiting room, no relatives present");
    faulty.patient_told = false;
    faulty.outcome = Field::new("not-justified");
    faulty.comment = Field::default().with(FieldFault::Required);
    let reviewed = |id: &str, outcome, comment: &str| break_glass::Use {
        review: Some(break_glass::Review {
            outcome,
            comment: comment.into(),
            by: "Jonas Weber".into(),
            at_ms: NOW_MS - 86_400_000,
        }),
        ..used(id, 90, "Chest pain, transferred without papers")
    };
    break_glass::BreakGlassView {
        waiting: vec![
            used("u-1", 31, "Unconscious on arrival, allergies and medicines unknown"),
            faulty,
        ],
        reviewed: vec![
            reviewed("u-3", break_glass::Outcome::Justified, ""),
            reviewed("u-4", break_glass::Outcome::NotJustified, "The patient was at home."),
            reviewed("u-5", break_glass::Outcome::InClarification, "Asked the ward."),
        ],
    }
}

fn witnesses_view(full: bool) -> witnesses::WitnessesView {
    if !full {
        return witnesses::WitnessesView::default();
    }
    let peer =
        |name: &str, at| witnesses::Watched { name: name.into(), cosigned: at, witnessed: at };
    let alarm = |shortened| witnesses::Alarm {
        at_ms: NOW_MS - 60_000,
        org: "agnes".into(),
        log: "St. Agnes Clinic".into(),
        witness: "Northvale General".into(),
        shortened,
        cosigned: 20_412,
        offered: 20_399,
        cosigned_note: "valley/agnes/audit\n20412\n…\n\n— valley/agnes/audit …\n".into(),
        offered_note: "valley/agnes/audit\n20399\n…\n\n— valley/agnes/audit …\n".into(),
        accepted: shortened.then(|| {
            ("Jonas Weber".into(), NOW_MS - 30_000, "restored from yesterday’s backup".into())
        }),
        reason: Field::default().with(FieldFault::Required),
    };
    witnesses::WitnessesView {
        entries: 118_204,
        root: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328".into(),
        peers: vec![
            peer("St. Agnes Clinic", Some((20_412, NOW_MS - 120_000))),
            peer("Harbour Hospital", None),
        ],
        alarms: vec![alarm(false), alarm(true)],
        may_accept: true,
    }
}

fn objections_view(full: bool) -> objections::ObjectionsView {
    if !full {
        return objections::ObjectionsView::default();
    }
    let case = |n: i64, standing, answer: &str| objections::Case {
        id: format!("t-{n}"),
        at_ms: NOW_MS - n * 86_400_000,
        due_ms: NOW_MS + (14 - n) * 86_400_000,
        standing,
        patient: "nv-204118".into(),
        from: "Harrow Bay Medical Center".into(),
        reason: "I have never been treated there, and I know nobody of this name.".into(),
        access: (n != 3).then(|| {
            let at = NOW_MS - n * 90_000_000;
            ("Dr. Ellen Brandt".into(), "St. Agnes Clinic".into(), Purpose::Treatment, at)
        }),
        answer: answer.into(),
        typed_outcome: Field::default(),
        typed_answer: match n {
            2 => Field::default().with(FieldFault::Required),
            _ => Field::default(),
        },
    };
    objections::ObjectionsView {
        waiting: vec![case(20, Standing::Overdue, ""), case(2, Standing::Received, "")],
        answered: vec![case(3, Standing::Upheld, "You are right. The person was spoken to.")],
    }
}

fn reconciliation_view(full: bool) -> reconciliation::ReconciliationView {
    if !full {
        return reconciliation::ReconciliationView::default();
    }
    let peer = |name: &str, until_ms, failed: &str| reconciliation::Compared {
        name: name.into(),
        until_ms,
        entries: 1_204,
        failed: failed.into(),
    };
    let gap = |here| reconciliation::Gap {
        org: "agnes".into(),
        name: "St. Agnes Clinic".into(),
        here,
        request: "018f7a3e-52c1-7d90-a3f0-0c4f5be6a1d2".into(),
        at_ms: NOW_MS - 60_000_000,
        closed: here.then(|| {
            ("Jonas Weber".into(), NOW_MS - 30_000, "their store was restored on Monday".into())
        }),
        reason: Field::default(),
    };
    reconciliation::ReconciliationView {
        peers: vec![
            peer("St. Agnes Clinic", Some(NOW_MS - 3_600_000), ""),
            peer("Harbour Hospital", None, "the node cannot be reached"),
        ],
        gaps: vec![gap(false), gap(true)],
        may_close: true,
    }
}

fn recalls_view(full: bool) -> recalls::RecallsView {
    if !full {
        return recalls::RecallsView::default();
    }
    let one = |standing, due: Option<i64>| recalls::Recall {
        patient: "nv-204118".into(),
        hospital: "St. Agnes Clinic".into(),
        reason: "the two records are not the same person's".into(),
        standing,
        at_ms: NOW_MS - 86_400_000,
        due_ms: due,
        confirmed_ms: due.is_none().then_some(NOW_MS - 3_600_000),
    };
    recalls::RecallsView {
        recalls: vec![
            one(Standing::Sent, Some(NOW_MS + 500_000_000)),
            one(Standing::Overdue, Some(NOW_MS - 500_000)),
            one(Standing::Confirmed, None),
        ],
        may_declare: true,
        patient: Field::default(),
        reason: Field::default().with(FieldFault::Required),
    }
}

fn notices_view(full: bool) -> notices::NoticesView {
    let notice = notices::Notice {
        patient: "nv-204118".into(),
        hospital: "St. Agnes Clinic".into(),
        at_ms: NOW_MS - 3_600_000,
    };
    notices::NoticesView { notices: if full { vec![notice] } else { Vec::new() } }
}

fn denials_view(full: bool) -> denials::DenialsView {
    if !full {
        return denials::DenialsView::default();
    }
    let grounds = [
        denials::Ground::Consent,
        denials::Ground::Policy,
        denials::Ground::Authentication,
        denials::Ground::Evidence,
        denials::Ground::Identity,
        denials::Ground::Other,
    ];
    let denials = grounds
        .into_iter()
        .zip(Purpose::ALL)
        .map(|(ground, purpose)| denials::Denial {
            at_ms: NOW_MS - 7_200_000,
            who: "Dr. Ellen Brandt".into(),
            organisation: "St. Agnes Clinic".into(),
            purpose,
            patient: "NV-204118".into(),
            ground,
        })
        .collect();
    denials::DenialsView { denials, older: Some("/privacy/denials?page=x".into()) }
}

fn located(peer: &str, records: u64, complete: bool, at_ms: Option<i64>) -> network::Located {
    network::Located { peer: peer.into(), records, complete, at_ms }
}

fn network_view(full: bool) -> network::NetworkView {
    if !full {
        return network::NetworkView {
            answering: false,
            peers: Vec::new(),
            queues: Vec::new(),
            dead_letters: Vec::new(),
            locator: network::Locator {
                mode: network::LocatorMode::Refuse,
                ..network::Locator::default()
            },
            store: network::StoreFigures::default(),
            audit: None,
        };
    }
    let peer = |id: &str, name: &str, state, ms: Option<u64>| network::Peer {
        id: id.into(),
        name: name.into(),
        address: format!("https://{id}.example:8443"),
        state,
        answered_ms: ms.map(|_| NOW_MS - 40_000),
        latency_ms: ms,
    };
    network::NetworkView {
        answering: true,
        peers: vec![
            peer("harrow", "Harrow Bay Medical Center", network::PeerState::Up, Some(84)),
            peer("agnes", "St. Agnes Clinic", network::PeerState::Slow, Some(2610)),
            peer("mercy", "Mercy Rehabilitation", network::PeerState::Down, Some(120)),
            peer("lake", "Lakeside Children’s Hospital", network::PeerState::WrongKey, None),
            peer("oak", "Oak Street Practice", network::PeerState::NotAsked, None),
        ],
        queues: vec![network::Queue {
            peer: "Mercy Rehabilitation".into(),
            waiting: 14,
            oldest_ms: Some(NOW_MS - 5_400_000),
            next_ms: Some(NOW_MS + 60_000),
        }],
        dead_letters: vec![
            network::DeadLetter {
                id: "d-1".into(),
                peer: "Lakeside Children’s Hospital".into(),
                what: "Consent".into(),
                waiting: None,
                at_ms: NOW_MS - 86_400_000,
                attempts: 40,
                fault: "the key of the peer is not in the membership list".into(),
            },
            network::DeadLetter {
                id: "subscription-3f1c".into(),
                peer: "0199f2a4-6c1e-7d10-9a2b-5d1f3c7e8a90".into(),
                what: "Subscription".into(),
                waiting: Some(312),
                at_ms: NOW_MS - 259_200_000,
                attempts: 81,
                fault: "the receiver answered with status 503".into(),
            },
        ],
        locator: network::Locator {
            mode: network::LocatorMode::On,
            epoch: 20_780,
            rotated_ms: NOW_MS - 30_000_000,
            rotates_ms: NOW_MS + 56_400_000,
            keys: 2,
            published: vec![
                located("St. Agnes Clinic", 41_207, true, Some(NOW_MS - 31_000)),
                located("Harrow Bay Medical Center", 0, false, None),
            ],
            received: vec![located("Oak Street Practice", 3_118, true, Some(NOW_MS - 12_000))],
        },
        store: network::StoreFigures {
            resources: 48_211,
            versions: 51_904,
            bytes: 47_300_000,
            sequence: 1_048_576,
            by_type: vec![("Observation".into(), 31_020), ("Encounter".into(), 5_412)],
        },
        audit: Some(network::AuditHead {
            number: 90_118,
            hash: "9f2c7d41e0aa53b86c1d0e94f7b2a6835cd14e7f90ab36d2c85e1f047ab9d362".into(),
            at_ms: NOW_MS - 2_000,
            verification: Some(network::Verification {
                at_ms: NOW_MS - 600_000,
                entries: 90_112,
                broken_at: None,
            }),
        }),
    }
}

fn links_view(full: bool) -> links::LinksView {
    if !full {
        return links::LinksView::default();
    }
    use links::{Agreement::*, PersonField::*};
    let fields = [
        (Family, "Lindqvist", "Lindquist", Close, 5.2),
        (Given, "Maren", "Maren", Same, 6.9),
        (Birth, "28 Feb 1961", "28 Feb 1961", Same, 9.8),
        (Sex, "Female", "Female", Same, 0.9),
        (Address, "12 Mill Lane", "4 Harbour Road", Different, -2.1),
        (PostalCode, "01238", "01312", Different, -1.3),
        (City, "Valley Ford", "Harrow Bay", Different, -1.0),
        (Phone, "", "555 0142", Missing, 0.0),
        (Email, "m.l@example.org", "", Missing, 0.0),
        (NationalId, "", "999-41-2038", Missing, 0.0),
        (Identifier, "NV-204118", "HB-77120", Different, 0.0),
    ];
    let decided = |id: &str, same, by: &str| links::DecidedLink {
        id: id.into(),
        here_name: "Per Lindström".into(),
        organisation: "St. Agnes Clinic".into(),
        same,
        by: by.into(),
        at_ms: NOW_MS - 172_800_000,
    };
    links::LinksView {
        waiting: vec![links::PossibleLink {
            id: "l-1".into(),
            here_name: "Maren Lindqvist".into(),
            organisation: "Harrow Bay Medical Center".into(),
            score: 18.4,
            certain_from: 22.0,
            none_below: 9.0,
            fields: fields
                .into_iter()
                .map(|(field, here, there, agreement, weight)| links::FieldComparison {
                    field,
                    here: here.into(),
                    there: there.into(),
                    agreement,
                    weight,
                })
                .collect(),
        }],
        decided: vec![decided("l-2", true, "Lucía Ferrer"), decided("l-3", false, "")],
    }
}

fn line(title: &str, motion: &'static str, outcome: council::Outcome) -> affairs::Line {
    affairs::Line {
        id: "0b5c2f9f1be7a2a1".repeat(4),
        title: title.into(),
        motion,
        proposer: "North Valley Hospital".into(),
        made_ms: NOW_MS - 86_400_000,
        closes_ms: NOW_MS + 13 * 86_400_000,
        outcome,
        votes: (2, 1, 3),
        waits: outcome == council::Outcome::Open,
    }
}

fn affairs_view(full: bool) -> affairs::AffairsView {
    if !full {
        return affairs::AffairsView { network: "valley".into(), ..Default::default() };
    }
    let member = |id: &str, name: &str, suspended| affairs::Member {
        id: id.into(),
        name: name.into(),
        suspended,
        seat: !suspended,
        contact: "Ida Sorensen, +1 555 0134, network@agnes.example".into(),
    };
    let flag = |kind: &'static str, user: &str| affairs::Flag {
        kind,
        asker: "St. Agnes Clinic".into(),
        noticed_by: "North Valley Hospital".into(),
        user: user.into(),
        count: 61,
        limit: 40,
        at_ms: NOW_MS - 600_000,
    };
    affairs::AffairsView {
        network: "valley".into(),
        serial: 12,
        expires_ms: NOW_MS + 200 * 86_400_000,
        governed: true,
        members: vec![
            member("north", "North Valley Hospital", false),
            member("agnes", "St. Agnes Clinic", true),
        ],
        advisers: vec![
            ("Patients of the Valley".into(), "North Valley Hospital".into(), true),
            ("Ethics board".into(), "St. Agnes Clinic".into(), false),
        ],
        thresholds: vec![("motion-admit", 2), ("motion-expel", 3)],
        unreachable: vec!["motion-expel"],
        applications: vec![
            applicant("Lakeside Rehabilitation (lakeside)", false),
            applicant("St. Agnes Clinic (agnes)", true),
        ],
        proposals: vec![
            line("Admit Lakeside Rehabilitation", "motion-admit", council::Outcome::Open),
            line("Suspend St. Agnes Clinic", "motion-suspend", council::Outcome::Carried),
            line("Yearly report for patients", "motion-general", council::Outcome::Rejected),
        ],
        misconduct: vec![
            ("St. Agnes Clinic".into(), true, 11),
            ("St. Agnes Clinic".into(), false, 0),
        ],
        flags: vec![
            flag("many-patients", "acc-7f31"),
            flag("bulk-treatment", ""),
            flag("no-evidence", "acc-7f31"),
            flag("night-burst", ""),
        ],
        cuts: vec![affairs::Cut {
            id: "agnes".into(),
            name: "St. Agnes Clinic".into(),
            by: "Sam Okafor".into(),
            reason: "their passwords were found on the internet this morning".into(),
            at_ms: NOW_MS - 60_000,
        }],
        may_propose: true,
        may_cut: true,
        form: (Field::default(), Field::default()),
    }
}

fn applicant(name: &str, recovers: bool) -> affairs::Applicant {
    affairs::Applicant {
        id: "5e".repeat(32),
        name: name.into(),
        contact: "Ida Sorensen, +1 555 0134".into(),
        reason: if recovers { String::new() } else { "we share many patients with you".into() },
        recovers,
        at_ms: NOW_MS - 86_400_000,
    }
}

fn proposal_view(full: bool) -> proposal::ProposalView {
    let line = line("Admit Lakeside Rehabilitation", "motion-admit", council::Outcome::Open);
    if !full {
        return proposal::ProposalView {
            line,
            reason: "they care for many of our patients after surgery".into(),
            by: String::new(),
            moot: "there is no such member".into(),
            fault: None,
            list: Some(3),
            facts: Vec::new(),
            checks: Vec::new(),
            ballots: Vec::new(),
            seats: Vec::new(),
            form: (Field::default(), Field::default()),
        };
    }
    let ballot = |seat: &str, choice: &'static str, reason: &str| proposal::Ballot {
        seat: seat.into(),
        by: "Dr. Ellen Brandt".into(),
        choice,
        reason: reason.into(),
        at_ms: NOW_MS - 3_600_000,
        passkey: choice != "comment",
    };
    proposal::ProposalView {
        line,
        reason: "they care for many of our patients after surgery".into(),
        by: "Lucía Ferrer".into(),
        moot: String::new(),
        fault: Some("this seat has voted on the proposal already".into()),
        list: None,
        facts: vec![
            ("member", "Lakeside Rehabilitation (lakeside)".into()),
            ("fact-certificate", "8f14e45fceea167a".repeat(4)),
            ("fact-key", "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w".into()),
        ],
        checks: vec!["check-both-keys", "check-network", "check-unused"],
        ballots: vec![
            ballot("North Valley Hospital", "yes", "we know them, and visited in April"),
            ballot("St. Agnes Clinic", "no", "their privacy officer is not named yet"),
            ballot("Harbor Hospital", "abstain", "we do not work with them"),
            ballot("Patients of the Valley", "comment", "please ask how they tell patients"),
        ],
        seats: vec![
            (String::new(), "North Valley Hospital".into()),
            ("patients".into(), "Patients of the Valley".into()),
        ],
        form: (Field::default(), Field::default().with(FieldFault::Required)),
    }
}

fn new_view(full: bool) -> new::NewView {
    let members = vec![("agnes".to_owned(), "St. Agnes Clinic".to_owned())];
    let speakers = vec![(String::new(), "North Valley Hospital".to_owned())];
    let days = Field::new("14");
    let fault = full.then(|| "there is no such member".to_owned());
    new::NewView { fault, members, speakers, days, ..new::NewView::default() }
}

fn papers_view(full: bool) -> papers::PapersView {
    if !full {
        return papers::PapersView::default();
    }
    let form = papers::PaperForm {
        number: "4711".into(),
        born: "3.2.1970".into(),
        organisation: "all".into(),
        person: super::HOSTILE.into(),
        decision: "see".into(),
        ..papers::PaperForm::default()
    };
    let one = |id: &str, name: &str, active| papers::Recorded {
        id: id.into(),
        name: (!name.is_empty()).then(|| name.to_owned()),
        permission: web::patient::permissions::Permission { see: active, share: true },
        patient: "p-1".into(),
        signed: web::When::parse("2026-03-02"),
        by: "Petra Adler".into(),
        active,
    };
    papers::PapersView {
        fields: form.fields(),
        organisations: vec![("north".into(), "North Valley Hospital".into())],
        recorded: vec![one("c-1", "Harrow Bay Medical Center", true), one("c-2", "", false)],
    }
}

fn paper_view(full: bool) -> papers::PaperView {
    let touched = |kind, count| web::terms::Touched { kind, count };
    let effect = web::patient::preview::Effect {
        recipient: "Harrow Bay Medical Center".into(),
        holder: "North Valley Hospital".into(),
        gained: Vec::new(),
        lost: vec![touched(web::terms::Kind::Result, 12)],
    };
    papers::PaperView {
        form: papers::PaperForm { number: super::HOSTILE.into(), ..papers::PaperForm::default() },
        name: full.then(|| "Harrow Bay Medical Center".to_owned()),
        is_related: false,
        permission: web::patient::permissions::Permission { see: false, share: false },
        effects: if full { vec![effect] } else { Vec::new() },
        scan: match full {
            true => Field::default().with(FieldFault::NotAScan),
            false => Field::default(),
        },
    }
}

fn account_row(number: usize) -> accounts::Row {
    let (username, name, role) = match number {
        0 => ("ada", "Dr. Ada Example-Longname", "clinician"),
        1 => ("robin", "Robin Keller", "privacy-officer"),
        _ => ("importer", "Nightly export", "service"),
    };
    accounts::Row {
        username: username.into(),
        name: name.into(),
        role: role.into(),
        disabled: number == 1,
        passkeys: usize::from(number == 0) * 2,
        second_factor: number < 2,
        signed_in_ms: (number == 0).then_some(NOW_MS - 3_600_000),
    }
}

fn shown_once() -> accounts::Shown {
    accounts::Shown {
        username: "ada".into(),
        password: "not-a-real-password".into(),
        secret: Some((
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into(),
            "otpauth://totp/North:ada?secret=GEZDGNBVGY3TQOJQ&issuer=North".into(),
        )),
        recovery: None,
    }
}

fn accounts_view(full: bool) -> accounts::ListView {
    if !full {
        return accounts::ListView::default();
    }
    accounts::ListView {
        rows: (0..3).map(account_row).collect(),
        total: 103,
        next: Some("/operator/accounts?q=&role=&from=50".into()),
        made: Some(shown_once()),
        fault: Some("the username is taken; choose another".into()),
        ..accounts::ListView::default()
    }
}

fn account_view(full: bool) -> accounts::OneView {
    accounts::OneView {
        row: account_row(usize::from(!full)),
        resource: "Person/account-0123456789abcdef0123456789abcdef01234567".into(),
        practitioner: Some("Practitioner/account-0123456789abcdef0123456789abcdef01234567".into()),
        patient: None,
        since_ms: NOW_MS - 86_400_000,
        is_own: false,
        made: full.then(|| accounts::Shown { recovery: Some("ABCD-EFGH".into()), ..shown_once() }),
        fault: full.then(|| "this is the last operator".into()),
        form: accounts::TypedForm::default(),
    }
}

//! Sign-in, second factor, finding, asking, emergency access, and the patient's pages.

use web::account::{factors, one_time_codes, recovery};
use web::clinician::propose;
use web::clinician::{ask, break_glass, find};
use web::entry::{outside, sign_in, step_up};
use web::fault::{self, Fault};
use web::form::{Field, FieldFault};
use web::parts::GrantWords;
use web::parts::PasskeyFault;
use web::parts::standing::Standing;
use web::patient::{accesses, grant, objections, permissions, preview, simulation};
use web::terms::{Kind, Purpose, Sex, Touched};
use web::{Lang, Role, Theme, When};

use super::{Fill, NOW_MS, Page, chrome};

pub fn pages(lang: Lang, theme: Theme, fill: Fill) -> Vec<Page> {
    let full = fill == Fill::Full;
    let door = chrome(lang, theme, None, "/sign-in", fill);
    let clinician = chrome(lang, theme, Some(Role::Clinician), "/patients?q=lind", fill);
    let account = chrome(lang, theme, Some(Role::Operator), "/account", fill);
    let mut pages = vec![
        Page {
            name: "sign-in",
            html: sign_in::render(
                &sign_in::SignInView {
                    username: Field::new(if full { "haddad" } else { "" }),
                    fault: full.then_some(sign_in::SignInFault::Wrong),
                    passkeys: full,
                    providers: providers(full),
                    next: "/".into(),
                    ..sign_in::SignInView::default()
                },
                &door,
            )
            .unwrap(),
        },
        Page {
            name: "step-up",
            html: step_up::render(
                &step_up::StepUpView {
                    reason: step_up::StepUpReason::OtherOrganisations,
                    code: match full {
                        true => Field::default().with(FieldFault::WrongCode),
                        false => Field::default(),
                    },
                    next: "/patients/p-1/record".into(),
                    throttled_minutes: full.then_some(1),
                    passkey: full,
                    code_counts: true,
                    recovery: full,
                    providers: providers(full),
                    passkey_fault: full.then_some(PasskeyFault::Expired),
                },
                &clinician,
            )
            .unwrap(),
        },
        Page { name: "account", html: factors::render(&factors_view(full), &account).unwrap() },
        Page {
            name: "one-time-codes",
            html: one_time_codes::render(
                &one_time_codes::OneTimeCodesView {
                    ceremony: "c".into(),
                    secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".into(),
                    uri: "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP".into(),
                    code: match full {
                        true => Field::default().with(FieldFault::WrongCode),
                        false => Field::default(),
                    },
                },
                &account,
            )
            .unwrap(),
        },
        Page {
            name: "outside",
            html: outside::render(
                &outside::OutsideView {
                    fault: match full {
                        true => outside::OutsideFault::NotLinked,
                        false => outside::OutsideFault::MixUp,
                    },
                    provider: "University of Northfield".into(),
                    subject: full.then(|| super::HOSTILE.into()),
                    back: "/sign-in".into(),
                },
                &door,
            )
            .unwrap(),
        },
        Page {
            name: "recovery",
            html: recovery::render(
                &recovery::RecoveryView { codes: vec!["0123-4567-89AB-CDEF".into(); 10] },
                &account,
            )
            .unwrap(),
        },
        Page { name: "find", html: find::render(&find_view(full), &clinician).unwrap() },
        Page { name: "ask", html: ask::render(&ask_view(full), &clinician).unwrap() },
        Page {
            name: "break-glass",
            html: break_glass::render(
                &break_glass::BreakGlassView {
                    patient: found(0),
                    reason: match full {
                        true => Field::new("help").with(FieldFault::TooShort),
                        false => Field::default(),
                    },
                    understood: match full {
                        true => Field::default().with(FieldFault::Required),
                        false => Field::default(),
                    },
                },
                &clinician,
            )
            .unwrap(),
        },
    ];
    let patient = |path: &str| chrome(lang, theme, Some(Role::Patient), path, fill);
    pages.push(Page {
        name: "accesses",
        html: accesses::render(&accesses_view(full), &patient("/me/accesses")).unwrap(),
    });
    pages.push(Page {
        name: "my-objections",
        html: objections::render(&objections_view(full), &patient("/me/objections")).unwrap(),
    });
    pages.push(Page {
        name: "object",
        html: objections::render_form(&object_view(full), &patient("/me/objections/new")).unwrap(),
    });
    pages.push(Page {
        name: "permissions",
        html: permissions::render(&permissions_view(full), &patient("/me/permissions")).unwrap(),
    });
    pages.extend(consent_pages(full, &clinician, &patient("/me/permissions/simulation")));
    for (fault, name) in Fault::ALL.into_iter().zip([
        "error-400",
        "error-401",
        "error-403",
        "error-404",
        "error-409",
        "error-500",
    ]) {
        let frame = if full { &clinician } else { &door };
        let request_id = if full { "01HXY2-4F7A" } else { "" };
        pages.push(Page { name, html: fault::render(fault, request_id, frame).unwrap() });
    }
    pages
}

pub fn found(n: usize) -> find::Found {
    let people = [
        ("Maren Lindqvist", "1961-02-28", Sex::Female, "Valley Ford"),
        ("Mårten Lindqvist", "1958-11-03", Sex::Male, "Valley Ford"),
        ("Marie Lindquist", "1961-08-22", Sex::Female, "Eastmoor"),
        ("Ida Lindberg", "2023-04-17", Sex::Female, "Harrow Bay"),
        ("Per Lindström", "1937", Sex::Other, ""),
    ];
    let (name, birth, sex, place) = people[n];
    find::Found {
        id: format!("p-{}", n + 1),
        name: name.into(),
        birth: When::parse(birth),
        sex,
        identifier: if n == 4 { String::new() } else { format!("NV-{}", 204_118 + n * 731) },
        place: place.into(),
        deceased: n == 4,
    }
}

fn find_view(full: bool) -> find::FindView {
    if !full {
        return find::FindView { results: Some(Vec::new()), ..find::FindView::default() };
    }
    find::FindView {
        q: Field::new("lind"),
        birth_date: Field::new("28/02/61").with(FieldFault::NotADate),
        results: Some((0..5).map(found).collect()),
        more: true,
        ..find::FindView::default()
    }
}

fn ask_view(full: bool) -> ask::AskView {
    let offers = vec![
        ask::Offer {
            reference: "Encounter/e-1".into(),
            text: "Outpatient visit, internal medicine".into(),
            when: When::parse("2024-05-14T12:10:00Z"),
        },
        ask::Offer {
            reference: "Appointment/a-7".into(),
            text: "Follow-up, cardiology".into(),
            when: When::parse("2024-05-21"),
        },
    ];
    ask::AskView {
        patient: found(if full { 0 } else { 4 }),
        offers: if full { offers } else { Vec::new() },
        purpose: Field::new("TREAT"),
        evidence: Field::new(if full { "Encounter/e-1" } else { "" }),
        reason: match full {
            true => Field::default(),
            false => Field::default().with(FieldFault::Required),
        },
    }
}

fn accesses_view(full: bool) -> accesses::AccessesView {
    if !full {
        return accesses::AccessesView::default();
    }
    let access = |hours: i64, who: &str, organisation: &str, purpose, seen: &[(Kind, usize)]| {
        accesses::Access {
            at_ms: NOW_MS - hours * 3_600_000,
            who: who.into(),
            role: "clinician".into(),
            relationship: None,
            organisation: organisation.into(),
            purpose,
            reason: String::new(),
            seen: seen.iter().map(|&(kind, count)| Touched { kind, count }).collect(),
            held_by: "Harrow Bay Medical Center".into(),
            break_glass: false,
            refused: false,
            authority: accesses::Authority::Rules,
            proof: accesses::Proof::Cosigned(2),
            line: accesses::Line { at: "harrow".into(), entry: format!("audit-{hours}") },
            objection: None,
        }
    };
    let mut accesses = vec![
        access(
            0,
            "Dr. Amira Haddad",
            "North Valley Hospital",
            Purpose::Treatment,
            &[(Kind::Problem, 9), (Kind::Medication, 6), (Kind::Result, 84), (Kind::Document, 3)],
        ),
        access(
            1,
            "Tomás Rivas",
            "North Valley Hospital",
            Purpose::Treatment,
            &[(Kind::Allergy, 2), (Kind::Medication, 6), (Kind::Person, 1)],
        ),
        access(31, "Dr. Ellen Brandt", "St. Agnes Clinic", Purpose::BreakTheGlass, &[]),
        access(77, "Quality office", "St. Agnes Clinic", Purpose::Operations, &[]),
    ];
    accesses[0].reason = "Outpatient visit of 14 May 2024".into();
    accesses[1].authority = accesses::Authority::Permission;
    accesses[1].proof = accesses::Proof::Waiting;
    accesses[2].authority = accesses::Authority::Emergency;
    accesses[2].objection = Some(Standing::Received);
    accesses[3].proof = accesses::Proof::Absent;
    accesses[2].break_glass = true;
    accesses[2].reason = "Unconscious on arrival, allergies and medicines unknown".into();
    accesses[3].refused = true;
    accesses[3].role = "quality manager".into();
    accesses::AccessesView {
        accesses,
        older: Some("/me/accesses?page=abc".into()),
        missing: vec!["St. Agnes Clinic".into()],
    }
}

fn objections_view(full: bool) -> objections::ObjectionsView {
    if !full {
        return objections::ObjectionsView::default();
    }
    let one = |hours: i64, standing, answer: &str| objections::Objection {
        at_ms: NOW_MS - hours * 3_600_000,
        hospital: "St. Agnes Clinic".into(),
        reason: "I have never been treated there, and I know nobody of this name.".into(),
        standing,
        due_ms: answer.is_empty().then_some(NOW_MS + 200 * 3_600_000),
        answer: answer.into(),
    };
    let list = vec![
        one(2, Standing::Sent, ""),
        one(40, Standing::Overdue, ""),
        one(90, Standing::Upheld, "You are right. The person was spoken to and may no longer ask."),
        one(99, Standing::Rejected, "Dr. Brandt was on duty when you were brought in on 2 May."),
        one(200, Standing::NotTaken, ""),
    ];
    objections::ObjectionsView { objections: list }
}

fn object_view(full: bool) -> objections::ObjectView {
    objections::ObjectView {
        line: accesses::Line { at: "agnes".into(), entry: "audit-31".into() },
        hospital: "St. Agnes Clinic".into(),
        days: 14,
        reason: match full {
            true => Field::default().with(FieldFault::Required),
            false => Field::default(),
        },
    }
}

fn permissions_view(full: bool) -> permissions::PermissionsView {
    if !full {
        return permissions::PermissionsView::default();
    }
    let organisation = |id: &str, name: &str, see, share, by_default| permissions::Organisation {
        id: id.into(),
        name: name.into(),
        permission: permissions::Permission { see, share },
        by_default,
        holds_record: id != "mercy",
    };
    permissions::PermissionsView {
        organisations: vec![
            organisation("north", "North Valley Hospital", true, true, true),
            organisation("harrow", "Harrow Bay Medical Center", false, false, false),
            organisation("agnes", "St. Agnes Clinic", true, false, false),
            organisation("mercy", "Mercy Rehabilitation", false, true, false),
        ],
        people: vec![permissions::Named {
            key: "urn:consilium:org:harrow|weber".into(),
            name: "Dr. Jonas Weber, Harrow Bay Medical Center".into(),
            may_see: Some(false),
        }],
        sought: Field::new("Web"),
        found: Some(vec![permissions::Named {
            key: "urn:consilium:org:north|webster".into(),
            name: format!("Dr. Webster {}, North Valley Hospital", super::HOSTILE),
            may_see: None,
        }]),
        history: vec![
            permissions::PastDecision {
                at_ms: NOW_MS - 60_000,
                organisation: Some("Harrow Bay Medical Center".into()),
                permission: permissions::Permission { see: false, share: false },
                in_force: 2,
                of: 3,
                on_paper: Some("Petra Adler".into()),
            },
            permissions::PastDecision {
                at_ms: NOW_MS - 86_400_000 * 40,
                organisation: None,
                permission: permissions::Permission { see: true, share: true },
                in_force: 3,
                of: 3,
                on_paper: None,
            },
        ],
    }
}

fn providers(full: bool) -> Vec<outside::ProviderChoice> {
    let choice =
        |id: &str, label: &str| outside::ProviderChoice { id: id.into(), label: label.into() };
    match full {
        true => vec![choice("university", "University of Northfield"), choice("x", super::HOSTILE)],
        false => Vec::new(),
    }
}

fn factors_view(full: bool) -> factors::FactorsView {
    let row = |id: &str, name: &str, suspect: bool| factors::PasskeyRow {
        id: id.into(),
        name: name.into(),
        added_ms: NOW_MS - 90 * 86_400_000,
        used_ms: (!suspect).then_some(NOW_MS - 3_600_000),
        suspect_ms: suspect.then_some(NOW_MS - 86_400_000),
        synchronised: !suspect,
    };
    factors::FactorsView {
        passkeys: match full {
            true => vec![row("1", "Phone", false), row("2", super::HOSTILE, true)],
            false => Vec::new(),
        },
        one_time_codes: full,
        recovery_codes: if full { 8 } else { 0 },
        links: match full {
            true => vec![factors::LinkRow {
                id: "1".into(),
                label: "University of Northfield".into(),
                subject: super::HOSTILE.into(),
                added_ms: NOW_MS - 86_400_000,
                used_ms: None,
            }],
            false => Vec::new(),
        },
        providers: providers(full),
        usable: full,
        needed: true,
        address: "http://north.example".into(),
        name: match full {
            true => Field::new("").with(FieldFault::Required),
            false => Field::default(),
        },
        fault: full.then_some(PasskeyFault::LastFactor),
        link_fault: full.then_some(outside::OutsideFault::Taken),
    }
}

fn grant_words(full: bool) -> GrantWords {
    GrantWords {
        proposer: "Dr. Amira Haddad".into(),
        recipient: "North Valley Hospital".into(),
        holders: vec!["St. Agnes Clinic".into(), "Harrow Bay Medical Center".into()],
        kinds: if full { vec![Kind::Result, Kind::Report] } else { Vec::new() },
        only: full,
        purpose: Purpose::Treatment,
        until_ms: NOW_MS + 30 * 86_400_000,
    }
}

fn consent_pages(full: bool, clinician: &web::Chrome, patient: &web::Chrome) -> Vec<Page> {
    let code = "H7KM2QXD";
    let standing = if full { grant::Standing::Waiting } else { grant::Standing::Approved };
    let shown = full.then(|| "40718253".to_owned());
    let view = grant::GrantView {
        code: code.into(),
        digest: "5f".repeat(32),
        grant: grant_words(full),
        standing,
        expires_ms: NOW_MS + 600_000,
        passkey: full,
        shown,
        fault: full.then_some(PasskeyFault::Expired),
    };
    let fault = |full: bool| match full {
        true => Field::default().with(FieldFault::WrongCode),
        false => Field::default(),
    };
    let proposed = propose::ProposedView {
        code: code.into(),
        spelled: "H7KM-2QXD".into(),
        address: format!("https://north.example/me/grants/{code}"),
        grant: grant_words(full),
        expires_ms: NOW_MS + 600_000,
        refused: false,
        typed: fault(full),
        throttled: full,
        patient: "p-1".into(),
    };
    let holders = vec![("agnes".to_owned(), "St. Agnes Clinic".to_owned())];
    let form = propose::ProposeView::new(found(0), holders.clone());
    let absent = grant::FindView { code: Field::new(if full { "H7KM" } else { "" }), absent: full };
    vec![
        Page { name: "grant", html: grant::render(&view, patient).unwrap() },
        Page { name: "find-grant", html: grant::render_find(&absent, patient).unwrap() },
        Page { name: "propose", html: propose::render(&form, clinician).unwrap() },
        Page { name: "proposed", html: propose::render_proposed(&proposed, clinician).unwrap() },
        Page { name: "preview", html: preview::render(&preview_view(full), patient).unwrap() },
        Page {
            name: "simulation",
            html: simulation::render(&simulation_view(full, holders), patient).unwrap(),
        },
    ]
}

fn preview_view(full: bool) -> preview::PreviewView {
    let touched = |kind, count| web::terms::Touched { kind, count };
    let effect = |recipient: &str, holder: &str| preview::Effect {
        recipient: recipient.into(),
        holder: holder.into(),
        gained: Vec::new(),
        lost: vec![touched(Kind::Result, 12), touched(Kind::Problem, 3)],
    };
    preview::PreviewView {
        decision: permissions::Decision {
            organisation: full.then(|| "north".to_owned()),
            person: None,
            permission: permissions::Permission { see: full, share: false },
        },
        name: full.then(|| "North Valley Hospital".to_owned()),
        effects: match full {
            true => vec![
                effect("North Valley Hospital", "St. Agnes Clinic"),
                preview::Effect {
                    gained: vec![touched(Kind::Allergy, 1)],
                    lost: Vec::new(),
                    ..effect("St. Agnes Clinic", "North Valley Hospital")
                },
            ],
            false => Vec::new(),
        },
        silent: if full { vec!["Harrow Bay Medical Center".into()] } else { Vec::new() },
        emergency: full,
    }
}

fn simulation_view(full: bool, organisations: Vec<(String, String)>) -> simulation::SimulationView {
    let bar = |kind, seen, withheld| simulation::Bar { kind, seen, withheld };
    let withheld = |why, remedy| simulation::Withheld {
        kind: Kind::Result,
        display: "Haemoglobin A1c".into(),
        why,
        about: if why == simulation::Why::Withdrawn {
            "St. Agnes Clinic".into()
        } else {
            String::new()
        },
        decided_ms: (why == simulation::Why::Withdrawn).then_some(NOW_MS - 86_400_000),
        remedy,
    };
    let holder = |name: &str, answered| simulation::HolderView {
        name: name.into(),
        answered,
        refused: None,
        kinds: vec![
            bar(Kind::Person, 1, 0),
            bar(Kind::Problem, 9, 0),
            bar(Kind::Result, 84, 12),
            bar(Kind::Document, 0, 3),
        ],
        withheld: vec![
            withheld(simulation::Why::Withdrawn, wire::Remedy::PermitRecipient),
            withheld(simulation::Why::Sensitive, wire::Remedy::NameSensitive),
            withheld(simulation::Why::NotUnderstood, wire::Remedy::CorrectConsent),
            withheld(simulation::Why::Default, wire::Remedy::PermitBoth),
        ],
        more: true,
        emergency: true,
    };
    let empty = simulation::HolderView {
        refused: Some("not permitted".into()),
        kinds: Vec::new(),
        withheld: Vec::new(),
        more: false,
        emergency: false,
        ..holder("Harrow Bay Medical Center", true)
    };
    simulation::SimulationView {
        organisations,
        organisation: match full {
            true => Field::new("agnes"),
            false => Field::default().with(FieldFault::NotAChoice),
        },
        purpose: Field::new("TREAT"),
        holders: full.then(|| {
            vec![holder("North Valley Hospital", true), empty, holder("Westhaven General", false)]
        }),
    }
}

//! Names and texts come from other hospitals and from the public; they stay text.

use web::apps::{consent, wording};
use web::clinician::record::{self, Audience, Body};
use web::clinician::{ask, find};
use web::form::Field;
use web::patient::{accesses, objections};
use web::registrar::links;
use web::terms::{Purpose, Sex};
use web::{Lang, Role, Theme};

use crate::audit::{faults, parse};
use crate::sample::{Fill, HOSTILE, chrome, full_record};

/// The page has no element and no attribute out of the hostile text, and shows the text itself.
fn check(name: &str, html: &str) {
    let found = faults(html);
    assert!(found.is_empty(), "{name}: {found:?}");
    assert!(!html.contains("<script>alert"), "{name}");
    let (elements, _) = parse(html);
    assert!(elements.iter().all(|e| e.name != "img" && e.get("onerror").is_none()), "{name}");
    let body = elements.iter().find(|e| e.name == "body").unwrap();
    assert!(body.text.contains(HOSTILE), "{name} does not show the text as it is");
}

#[test]
fn hostile_texts_stay_text() {
    let mut frame =
        chrome(Lang::EnUs, Theme::Auto, Some(Role::Clinician), "/patients?q=%22%3E", Fill::Full);
    frame.organisation = HOSTILE.into();
    frame.csrf = HOSTILE.into();
    if let Some(session) = &mut frame.session {
        session.name = HOSTILE.into();
    }

    let mut view = full_record(Audience::Clinician);
    view.patient.name = HOSTILE.into();
    view.patient.id = HOSTILE.into();
    view.patient.identifiers = vec![(HOSTILE.into(), HOSTILE.into())];
    view.live = true;
    for source in &mut view.sources {
        source.chip.short = HOSTILE.into();
        source.chip.name = HOSTILE.into();
    }
    for row in view.problems.iter_mut().chain(&mut view.medications) {
        row.text = HOSTILE.into();
        row.detail = HOSTILE.into();
        for chip in &mut row.sources {
            chip.name = HOSTILE.into();
        }
        for claim in &mut row.originals {
            claim.text = HOSTILE.into();
        }
    }
    for measure in view.vitals.iter_mut().chain(&mut view.labs) {
        measure.name = HOSTILE.into();
        measure.value = HOSTILE.into();
        measure.unit = HOSTILE.into();
    }
    for conflict in &mut view.conflicts {
        conflict.about = HOSTILE.into();
        conflict.claims[0].text = HOSTILE.into();
    }
    for event in &mut view.timeline {
        event.text = HOSTILE.into();
    }
    for document in &mut view.documents {
        document.title = HOSTILE.into();
        document.body =
            Body::Text { text: format!("{HOSTILE}\r\ndata: x\n\nevent: y"), cut: false };
    }
    for visit in &mut view.encounters {
        visit.text = HOSTILE.into();
    }
    check("record", &record::render(&view, &frame).unwrap());
    for fragment in record::fragments(&view, &frame).unwrap() {
        assert!(!fragment.html.contains("<script>"), "{}", fragment.region);
        let event = fragment.event();
        let named = event.lines().filter(|line| line.starts_with("event:")).count();
        let ends = event.matches("\n\n").count();
        assert_eq!((named, ends), (1, 1), "{} ends early", fragment.region);
        assert!(!event.contains('\r'));
    }

    let found = find::Found {
        id: HOSTILE.into(),
        name: HOSTILE.into(),
        birth: None,
        sex: Sex::Unknown,
        identifier: HOSTILE.into(),
        place: HOSTILE.into(),
        deceased: false,
    };
    let view = find::FindView {
        q: Field::new(HOSTILE),
        results: Some(vec![found.clone()]),
        ..find::FindView::default()
    };
    check("find", &find::render(&view, &frame).unwrap());
    let view = ask::AskView {
        patient: found,
        offers: vec![ask::Offer { reference: HOSTILE.into(), text: HOSTILE.into(), when: None }],
        purpose: Field::new(HOSTILE),
        evidence: Field::new(HOSTILE),
        reason: Field::new(HOSTILE),
    };
    check("ask", &ask::render(&view, &frame).unwrap());
    let view = accesses::AccessesView {
        accesses: vec![accesses::Access {
            at_ms: 0,
            who: HOSTILE.into(),
            role: HOSTILE.into(),
            relationship: None,
            organisation: HOSTILE.into(),
            purpose: Purpose::Other,
            reason: HOSTILE.into(),
            seen: Vec::new(),
            held_by: HOSTILE.into(),
            break_glass: true,
            refused: false,
            authority: accesses::Authority::Emergency,
            proof: accesses::Proof::Cosigned(2),
            line: accesses::Line { at: HOSTILE.into(), entry: HOSTILE.into() },
            objection: None,
        }],
        older: None,
        missing: vec![HOSTILE.into()],
    };
    check("accesses", &accesses::render(&view, &frame).unwrap());
    let view = objections::ObjectView {
        line: accesses::Line { at: HOSTILE.into(), entry: HOSTILE.into() },
        hospital: HOSTILE.into(),
        days: 14,
        reason: Field::new(HOSTILE),
    };
    check("object", &objections::render_form(&view, &frame).unwrap());
    let view = links::LinksView {
        waiting: vec![links::PossibleLink {
            id: HOSTILE.into(),
            here_name: HOSTILE.into(),
            organisation: HOSTILE.into(),
            score: f64::NAN,
            certain_from: f64::INFINITY,
            none_below: 0.0,
            fields: vec![links::FieldComparison {
                field: links::PersonField::Family,
                here: HOSTILE.into(),
                there: HOSTILE.into(),
                agreement: links::Agreement::Same,
                weight: f64::NAN,
            }],
        }],
        decided: Vec::new(),
    };
    check("links", &links::render(&view, &frame).unwrap());
    let view = consent::ConsentView {
        request: HOSTILE.into(),
        app: HOSTILE.into(),
        publisher: HOSTILE.into(),
        site: HOSTILE.into(),
        reader: wording::Reader::Clinician,
        patient: Some(HOSTILE.into()),
        scopes: Vec::new(),
    };
    check("consent", &consent::render(&view, &frame).unwrap());
}

//! What events bring is what the page would have shown.

use web::clinician::record::{self, Audience, RecordView, SourceState};
use web::{Lang, Role, Theme};

use crate::audit::parse_piece;
use crate::sample::{Fill, chrome, full_record, with_states};

#[test]
fn every_fragment_is_one_region_of_the_page_word_for_word() {
    for audience in [Audience::Clinician, Audience::Patient] {
        for lang in Lang::ALL {
            let view = full_record(audience);
            let frame = chrome(lang, Theme::Auto, Some(Role::Clinician), "/", Fill::Full);
            let page = record::render(&view, &frame).unwrap();
            let fragments = record::fragments(&view, &frame).unwrap();
            let regions: Vec<&str> = fragments.iter().map(|f| f.region).collect();
            assert_eq!(regions, RecordView::REGIONS);
            for fragment in fragments {
                assert!(page.contains(fragment.html.trim_end()), "{}", fragment.region);
                let (elements, errors) = parse_piece(&fragment.html);
                assert!(errors.is_empty(), "{}: {errors:?}", fragment.region);
                let outer = elements.iter().find(|e| e.name == "section").unwrap();
                assert_eq!(outer.get("id"), Some(fragment.region));
            }
        }
    }
}

#[test]
fn the_script_listens_for_every_region() {
    let script = std::str::from_utf8(web::assets::LIVE.bytes).unwrap();
    for region in RecordView::REGIONS {
        assert!(script.contains(&format!("\"{region}\"")), "{region}");
    }
    assert!(record::DONE_EVENT.starts_with("event: done\n") && script.contains("\"done\""));
}

#[test]
fn an_event_carries_the_fragment_through_the_wire_format() {
    let view = with_states(
        full_record(Audience::Clinician),
        vec![SourceState::Answered { items: 3 }, SourceState::Asking],
    );
    let frame = chrome(Lang::De, Theme::Auto, Some(Role::Clinician), "/", Fill::Full);
    for fragment in record::fragments(&view, &frame).unwrap() {
        let event = fragment.event();
        let (head, rest) = event.split_once('\n').unwrap();
        assert_eq!(head, format!("event: {}", fragment.region));
        // What a browser makes of it: the data lines joined again.
        let lines: Vec<&str> = rest.lines().filter_map(|l| l.strip_prefix("data: ")).collect();
        assert_eq!(lines.join("\n"), fragment.html.replace('\r', "").trim_end_matches('\n'));
    }
}

#[test]
fn gaps_are_said_where_nothing_is_listed() {
    let frame = chrome(Lang::EnUs, Theme::Auto, Some(Role::Clinician), "/", Fill::Full);
    for (states, expected) in [
        (
            vec![SourceState::Answered { items: 0 }, SourceState::NoMatch],
            "None recorded at any of the 2 sources.",
        ),
        (
            vec![SourceState::Answered { items: 0 }, SourceState::Withheld],
            "None recorded at the sources that answered. There are gaps.",
        ),
        (
            vec![SourceState::Answered { items: 0 }, SourceState::Asking],
            "None so far. Sources are still being asked.",
        ),
    ] {
        let mut view = with_states(full_record(Audience::Clinician), states);
        view.allergies.clear();
        let page = record::render(&view, &frame).unwrap();
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn long_lists_are_cut_with_a_link_and_whole_on_request() {
    let frame = chrome(Lang::EnUs, Theme::Auto, Some(Role::Clinician), "/", Fill::Full);
    let mut view = full_record(Audience::Clinician);
    let first = view.timeline[0].clone();
    view.timeline = vec![first; 400];
    view.problems = vec![view.problems[0].clone(); 30];
    for (n, row) in view.problems.iter_mut().enumerate() {
        row.id = format!("p-{n}");
    }
    let short = record::render(&view, &frame).unwrap();
    assert!(short.contains("Show 376 more") && short.contains("/patients/p-1/record?all=true"));
    assert!(short.contains("id=\"p-29\""), "present problems are never cut");
    view.all = true;
    let whole = record::render(&view, &frame).unwrap();
    assert!(!whole.contains("Show 376 more"));
    assert!(whole.len() > short.len() * 2);
}

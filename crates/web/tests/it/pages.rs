//! Every page in every language passes the audit and stays small.

use web::{Lang, Theme, assets};

use crate::audit::{faults, parse};
use crate::sample::{Fill, pages};

/// First visit below 100 KB: page, style sheet, script and icon, as they are, not compressed.
const FIRST_VISIT_MAX: usize = 100_000;

#[test]
fn every_page_passes_the_audit_in_every_language() {
    let mut seen = 0;
    for lang in Lang::ALL {
        for theme in Theme::ALL {
            for fill in [Fill::Full, Fill::Empty] {
                for page in pages(lang, theme, fill) {
                    let found = faults(&page.html);
                    assert!(found.is_empty(), "{} in {}: {found:#?}", page.name, lang.tag());
                    assert!(page.html.contains(&format!("<html lang=\"{}\"", lang.tag())));
                    seen += 1;
                }
            }
        }
    }
    // 3 languages, 3 themes, full and empty.
    assert_eq!(seen, 73 * 3 * 3 * 2);
}

#[test]
fn a_first_visit_is_small() {
    let (live, passkey) = (assets::LIVE.bytes.len(), assets::PASSKEY.bytes.len());
    let (style, script) = (assets::STYLE.bytes.len(), live.max(passkey));
    assert!(style < 30_000, "style sheet of {style} bytes");
    assert!(script < 6_000, "script of {script} bytes");
    for lang in Lang::ALL {
        for page in pages(lang, Theme::Auto, Fill::Full) {
            let all = page.html.len() + style + script + assets::ICON.bytes.len();
            assert!(all < FIRST_VISIT_MAX, "{} takes {all} bytes", page.name);
        }
    }
}

#[test]
fn every_asset_a_page_names_is_there() {
    for page in pages(Lang::EnUs, Theme::Auto, Fill::Full) {
        let (elements, _) = parse(&page.html);
        let addresses = elements.iter().filter_map(|e| e.get("src").or_else(|| e.get("href")));
        let names: Vec<&str> = addresses.filter_map(|at| at.strip_prefix("/static/")).collect();
        assert!(names.len() >= 2, "{}", page.name);
        for name in names {
            assert!(assets::find(name).is_some(), "{} names {name}", page.name);
        }
    }
}

#[test]
fn scripts_come_only_where_a_page_is_live_or_asks_a_device_and_never_must() {
    for page in pages(Lang::EnUs, Theme::Auto, Fill::Full) {
        let (elements, _) = parse(&page.html);
        let scripts: Vec<_> = elements.iter().filter(|e| e.name == "script").collect();
        let device = ["sign-in", "step-up", "account", "grant", "agreement"].contains(&page.name);
        assert_eq!(
            scripts.len(),
            usize::from(device || page.name == "record-asking"),
            "{}",
            page.name
        );
        if device {
            // What needs the script stays out of sight without it, and a code does as well.
            let asks = elements.iter().filter(|e| e.get("data-passkey").is_some());
            assert!(asks.clone().all(|e| e.get("hidden").is_some() || page.name == "account"));
            assert!(asks.count() >= 1, "{}", page.name);
        } else if !scripts.is_empty() {
            let refresh = elements.iter().find(|e| e.get("http-equiv") == Some("refresh"));
            let refresh = refresh.expect("a way on without scripts");
            assert!(refresh.ancestors.contains(&"noscript".to_string()));
            assert_eq!(refresh.get("content"), Some("0;url=/patients/p-1/record?complete=true"));
        }
    }
}

#[test]
fn no_template_switches_escaping_off() {
    fn visit(dir: &std::path::Path, seen: &mut usize) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, seen);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let compact: String = text.split_whitespace().collect();
            assert!(!compact.contains("|safe") && !compact.contains("|escape"), "{path:?}");
            *seen += 1;
        }
    }
    let mut seen = 0;
    visit(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut seen);
    assert!(seen >= 20);
}

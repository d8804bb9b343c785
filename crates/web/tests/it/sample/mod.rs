//! Sample views of every page, rich and empty, for the tests and the gallery.

mod agreements;
mod apps;
mod offices;
mod people;
mod proxies;
mod record;
mod research;

use jiff::tz::TimeZone;
use web::chrome::ActingFor;
use web::proxies::relationship::Relationship;
use web::{Chrome, Lang, Notice, Role, Session, Theme};

/// 14 May 2024 14:32 UTC.
pub const NOW_MS: i64 = 1_715_697_120_000;

/// A page by name.
pub struct Page {
    pub name: &'static str,
    pub html: String,
}

/// How much the sample views hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    Full,
    Empty,
}

/// The frame for a role.
pub fn chrome(lang: Lang, theme: Theme, role: Option<Role>, path: &str, fill: Fill) -> Chrome {
    let name = match role {
        Some(Role::Patient) => "Maren Lindqvist",
        Some(Role::Clinician) => "Dr. Amira Haddad",
        Some(Role::PrivacyOfficer) => "Jonas Weber",
        Some(Role::Operator) => "Sam Okafor",
        _ => "Lucía Ferrer",
    };
    Chrome {
        lang,
        theme,
        organisation: "North Valley Hospital".into(),
        session: role.map(|role| Session {
            name: name.into(),
            role,
            held: false,
            factor_until_ms: (fill == Fill::Full).then_some(NOW_MS + 200_000),
            acting: (role == Role::Proxy).then(|| ActingFor {
                name: "Liv Lindqvist".into(),
                relationship: Relationship("MTH".into()),
                consents: fill == Fill::Full,
                invites: fill == Fill::Full,
            }),
        }),
        csrf: "sample-token".into(),
        path: path.into(),
        zone: TimeZone::fixed(jiff::tz::offset(2)),
        now_ms: NOW_MS,
        notice: (role == Some(Role::Patient) && fill == Fill::Full && path == "/me/permissions")
            .then_some(Notice::PermissionSaved),
    }
}

/// Every page in `lang` and `theme`.
pub fn pages(lang: Lang, theme: Theme, fill: Fill) -> Vec<Page> {
    let mut pages = people::pages(lang, theme, fill);
    pages.extend(record::pages(lang, theme, fill));
    pages.extend(offices::pages(lang, theme, fill));
    pages.extend(apps::pages(lang, theme, fill));
    pages.extend(agreements::pages(lang, theme, fill));
    pages.extend(research::pages(lang, theme, fill));
    pages.extend(proxies::pages(lang, theme, fill));
    pages
}

#[allow(unused_imports, reason = "used by the tests, not by the gallery")]
pub use record::{full_record, with_states};

/// The hostile text that must come out as text wherever a page shows it.
#[allow(dead_code, reason = "used by the tests, not by the gallery")]
pub const HOSTILE: &str = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;";

//! Sample views of the pages about people who act for a patient.

use web::proxies::acting::{self, ActingView, ActsFor};
use web::proxies::mine::{self, Basis, ProxiesView, Proxy};
use web::proxies::office::{self, OfficeFault, OfficeView};
use web::proxies::relationship::Relationship;
use web::{Lang, Role, Theme};

use super::{Fill, NOW_MS, Page, chrome};

pub fn pages(lang: Lang, theme: Theme, fill: Fill) -> Vec<Page> {
    let full = fill == Fill::Full;
    let frame = |role, path: &str| chrome(lang, theme, Some(role), path, fill);
    let proxies = if full { proxies() } else { Vec::new() };
    let view = ProxiesView {
        proxies: proxies.clone(),
        code: full.then(|| "ABCD-EFGH-JKLM".into()),
        is_faulty: full,
        only_invites: false,
    };
    let invites = ProxiesView { only_invites: true, ..ProxiesView::default() };
    let choice = ActingView {
        patients: if full { patients() } else { Vec::new() },
        is_wrong: full,
        next: if full { "/oauth/consent?request=a-1".into() } else { String::new() },
    };
    let office_view = OfficeView {
        patient: if full { "patient-1".into() } else { String::new() },
        proxies: full.then_some(proxies),
        fault: full.then_some(OfficeFault::Over),
        ..OfficeView::default()
    };
    vec![
        Page {
            name: "my-proxies",
            html: mine::render(&view, &frame(Role::Patient, "/me/proxies")).unwrap(),
        },
        Page {
            name: "invite-as-proxy",
            html: mine::render(&invites, &frame(Role::Proxy, "/me/proxies")).unwrap(),
        },
        Page {
            name: "acting",
            html: acting::render(&choice, &frame(Role::Proxy, "/acting")).unwrap(),
        },
        Page {
            name: "proxies",
            html: office::render(&office_view, &frame(Role::PrivacyOfficer, "/proxies")).unwrap(),
        },
    ]
}

fn patients() -> Vec<ActsFor> {
    let one = |n: u8, name: &str, relationship: &str, now| ActsFor {
        related: format!("proxy-{n}"),
        name: name.into(),
        relationship: Relationship(relationship.into()),
        now,
    };
    vec![one(1, "Liv Lindqvist", "MTH", true), one(2, super::HOSTILE, "DAU", false)]
}

fn proxies() -> Vec<Proxy> {
    let one = |n: i64, name: &str, relationship: &str, basis, holds| Proxy {
        id: format!("proxy-{n}"),
        name: name.into(),
        relationship: Relationship(relationship.into()),
        basis,
        holds,
        until_ms: (n != 2).then_some(NOW_MS + n * 86_400_000),
        last_day: if n == 2 { String::new() } else { "2024-05-15".into() },
        labels: vec!["HIV".into()],
        kinds: Vec::new(),
        released: vec!["MH".into(), "PSY".into(), "PSYTHPN".into(), "BH".into()],
        consents: n == 1,
        invites: false,
    };
    vec![
        one(1, "Erik Lindqvist", "SON", Basis::Invited, true),
        one(2, "Britta Lindqvist", "MTH", Basis::Parent, true),
        one(5, "Ulla Berg", "FRND", Basis::InvitedByProxy, true),
        one(3, "Dr. Jonas Weber", "GUARD", Basis::Court, true),
        one(4, super::HOSTILE, "POWATT", Basis::Attorney, false),
    ]
}

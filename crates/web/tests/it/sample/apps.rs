//! The pages of apps: a request, its patient and its answer, and what the operator registers.

use oauth::Scopes;
use web::apps::offered::{Offered, OfferedVisit};
use web::apps::wording::Reader;
use web::apps::{allowed, consent, offered, onward, patient, registry};
use web::form::Field;
use web::when::When;
use web::{Lang, Role, Theme};

use super::people::found;
use super::{Fill, NOW_MS, Page, chrome};

const ASKED: &str = "openid fhirUser launch/patient offline_access patient/*.rs \
                     patient/Observation.cruds patient/Flag.c \
                     patient/Condition.rs?category=http://example.org/category|problem-list-item";

fn scopes(text: &str) -> Vec<oauth::Scope> {
    Scopes::parse(text).unwrap().iter().cloned().collect()
}

pub fn pages(lang: Lang, theme: Theme, fill: Fill) -> Vec<Page> {
    let full = fill == Fill::Full;
    let frame = |role, path: &str| chrome(lang, theme, Some(role), path, fill);
    let (clinician, person) = (Role::Clinician, Role::Patient);
    let open = |full: bool| {
        let app = Offered {
            id: "app-1".into(),
            name: "Growth chart".into(),
            publisher: "Example Ltd".into(),
            patient: "p-1".into(),
        };
        if full { vec![app] } else { Vec::new() }
    };
    let visits = |full: bool| {
        let visit = |id: &str, text: &str| OfferedVisit {
            id: id.into(),
            text: text.into(),
            when: When::parse("2024-05-14T12:10:00Z"),
        };
        if full { vec![visit("e-1", "Check-up"), visit("e-2", "Emergency")] } else { Vec::new() }
    };
    vec![
        Page {
            name: "app-onward",
            html: onward::render(
                onward::Way::App,
                "/oauth/consent?request=x",
                &frame(person, "/oauth/authorize"),
            )
            .unwrap(),
        },
        Page {
            name: "app-refused",
            html: onward::render_refused(
                if full { onward::Why::Redirect } else { onward::Why::Client },
                &chrome(lang, theme, None, "/oauth/authorize", fill),
            )
            .unwrap(),
        },
        Page {
            name: "app-patient",
            html: patient::render(
                &patient::ChooseView {
                    request: "x".into(),
                    app: "Growth chart".into(),
                    q: Field::new(if full { "lind" } else { "" }),
                    results: full.then(|| (0..5).map(found).collect()),
                    more: full,
                },
                &frame(clinician, "/oauth/consent"),
            )
            .unwrap(),
        },
        Page {
            name: "app-consent",
            html: consent::render(
                &consent::ConsentView {
                    request: "x".into(),
                    app: "Growth chart".into(),
                    publisher: "Example Ltd".into(),
                    site: "https://app.example".into(),
                    reader: if full { Reader::Patient } else { Reader::Clinician },
                    patient: full.then(|| "Maren Lindqvist".into()),
                    scopes: scopes(if full { ASKED } else { "user/*.cud" }),
                },
                &frame(person, "/oauth/consent"),
            )
            .unwrap(),
        },
        Page {
            name: "apps-allowed",
            html: allowed::render(
                &allowed::AllowedView {
                    reader: Reader::Patient,
                    apps: if full { vec![granted()] } else { Vec::new() },
                    offered: open(full),
                },
                &frame(person, "/apps"),
            )
            .unwrap(),
        },
        Page {
            name: "apps-offered",
            html: offered::render(
                &offered::OfferedView {
                    patient: "p-1".into(),
                    apps: open(full),
                    visits: visits(full),
                    encounter: "e-1".into(),
                },
                &frame(clinician, "/patients/p-1/apps"),
            )
            .unwrap(),
        },
        Page {
            name: "apps-registry",
            html: registry::render(&registered(full), &frame(Role::Operator, "/operator/apps"))
                .unwrap(),
        },
    ]
}

fn granted() -> allowed::Allowed {
    allowed::Allowed {
        id: "account.grant".into(),
        name: "Growth chart".into(),
        publisher: "Example Ltd".into(),
        scopes: scopes(ASKED),
        since_ms: NOW_MS - 86_400_000,
        until_ms: NOW_MS + 86_400_000,
    }
}

fn registered(full: bool) -> registry::RegistryView {
    if !full {
        return registry::RegistryView::default();
    }
    let form = registry::RegisterForm {
        name: "Diary".into(),
        proof: "secret".into(),
        ..registry::RegisterForm::default()
    };
    registry::RegistryView {
        apps: vec![registry::Registered {
            id: "app-1".into(),
            name: "Growth chart".into(),
            publisher: "Example Ltd".into(),
            scopes: "launch patient/*.rs".into(),
            redirects: vec!["https://app.example/after".into()],
        }],
        made: Some(("app-1".into(), Some("cns-secret.sample".into()))),
        fault: Some("`x` cannot be used".into()),
        form: form.typed(),
    }
}

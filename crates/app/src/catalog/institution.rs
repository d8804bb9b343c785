//! The institution as its catalogue names it: who publishes, who decides, whom to ask.

use ::catalog::description::{Agent, Concept, Contact};
use ::catalog::words::Email;
use ::catalog::{Iri, Texts};

use super::About;
use super::document::{address, english, european, health, internal};
use crate::{App, Result};

/// The institution as who publishes.
pub(super) fn publisher(app: &App) -> Result<Agent> {
    let rules = &app.settings().catalog;
    let kind = match rules.publisher_type.as_str() {
        "" => "healthcare-providers",
        code => code,
    };
    let about = match rules.about.trim() {
        "" => format!("{} takes part in research over many institutions.", app.org().name),
        about => about.to_owned(),
    };
    Ok(Agent {
        iri: address(app, "/#organisation")?,
        name: english(&app.org().name),
        kind: Some(health("publisher-type", kind)?),
        note: english(&about),
        email: mail(app)?,
        homepage: homepage(app)?,
        telephone: None,
        is_trusted_holder: false,
    })
}

/// Who decides on access: the institution itself, unless the operator names a body.
pub(super) fn access_body(app: &App) -> Result<Agent> {
    let own = publisher(app)?;
    let Some(body) = &app.settings().catalog.access_body else { return Ok(own) };
    Ok(Agent {
        iri: body.homepage.clone(),
        name: english(&body.name),
        kind: None,
        note: Texts::new(),
        email: body.mail.clone(),
        homepage: body.homepage.clone(),
        ..own
    })
}

pub(super) fn contact(app: &App, about: &About) -> Result<Contact> {
    let name = match about.contact.trim() {
        "" => &app.org().name,
        name => name,
    };
    let email = match &about.mail {
        Some(mail) => mail.clone(),
        None => mail(app)?,
    };
    Ok(Contact { name: english(name), email, page: homepage(app)? })
}

/// The address for mail of the institution.
pub(super) fn mail(app: &App) -> Result<Email> {
    if let Some(mail) = &app.settings().catalog.mail {
        return Ok(mail.clone());
    }
    let base = &app.org().base_url;
    let host = base.split_once("://").map_or(base.as_str(), |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    let host = match host.starts_with('[') {
        true => "localhost",
        false => host.split(':').next().unwrap_or_default(),
    };
    Email::new(format!("postmaster@{host}")).map_err(internal)
}

pub(super) fn homepage(app: &App) -> Result<Iri> {
    match &app.settings().catalog.homepage {
        Some(page) => Ok(page.clone()),
        None => address(app, "/"),
    }
}

pub(super) fn place(app: &App) -> Result<Concept> {
    match app.settings().catalog.country.as_str() {
        // The EU's word for what is not known yet.
        "" => european("country", "OP_DATPRO", "Provisional data"),
        code => european("country", code, code),
    }
}

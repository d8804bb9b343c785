//! The catalogue of this institution as documents for programs of others.
//!
//! Who is signed in for research may read them; everybody may where the operator has said so.

use ::catalog::health_dcat;
use serde_json::Value as Json;

use super::{described, document};
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// Whether everybody may read the descriptions of this institution.
pub fn is_public(app: &App) -> bool {
    app.settings().catalog.public
}

/// Lets `reader` read the descriptions, or refuses; nobody is `None`.
pub(super) fn admit(app: &App, reader: Option<&Caller>) -> Result<()> {
    match reader {
        Some(caller) => {
            authorise(app, caller, Action::of(policy::Action::ReadResearch)).map(|_| ())
        }
        None if is_public(app) => Ok(()),
        None => Err(Error::new(Kind::Unauthenticated, "sign in to read the catalogue")),
    }
}

/// HealthDCAT-AP in Turtle.
pub fn turtle(app: &App, reader: Option<&Caller>) -> Result<String> {
    admit(app, reader)?;
    Ok(health_dcat::graph(&document::catalogue(app)?).turtle())
}

/// HealthDCAT-AP in JSON-LD.
pub fn json_ld(app: &App, reader: Option<&Caller>) -> Result<Json> {
    admit(app, reader)?;
    Ok(health_dcat::graph(&document::catalogue(app)?).json_ld())
}

/// A data set in Croissant.
///
/// Errors: [`Kind::NotFound`].
pub fn croissant(app: &App, reader: Option<&Caller>, name: &str) -> Result<Json> {
    admit(app, reader)?;
    let (set, known) = described::one(app, name)?;
    Ok(::catalog::croissant::describe(&document::description(app, &set, &known)?, "en"))
}

/// The head of a data set's table: the names of its variables as CSV, and no row.
///
/// Errors: [`Kind::NotFound`].
pub fn head(app: &App, reader: Option<&Caller>, name: &str) -> Result<String> {
    admit(app, reader)?;
    Ok(document::head(&described::one(app, name)?.0.dictionary))
}

/// The own data sets as members are told of them, for whoever may not see the network's.
pub fn own(app: &App, reader: Option<&Caller>) -> Result<Vec<wire::ToldSet>> {
    admit(app, reader)?;
    super::told::own(app)
}

//! What stands for a person in sketches.

use fhir::{Id, Resource};
use matching::Person as Identity;
use population::distinct::{Token, TokenKey};

use crate::{App, Error, Result};

/// Makes what stands for a person in sketches: the same at every institution of the network that has written name,
/// date of birth and sex alike, up to the folding of names that patient matching does. It stays in memory here, so
/// its key is no secret; what is sent is dealt by the secret key of each question and carries noise.
pub(super) struct TokenMaker {
    key: TokenKey,
    org: String,
}

impl TokenMaker {
    /// For the network of this node.
    pub(super) fn new(app: &App) -> Result<Self> {
        Self::of(&app.network().list().network, &app.org().id)
    }

    /// For an institution of a network of this name.
    pub(super) fn of(network: &str, org: &str) -> Result<Self> {
        let key = crypto::sha256(network.as_bytes());
        let key = TokenKey::new(&key).map_err(|e| Error::internal(e.to_string()))?;
        Ok(Self { key, org: org.to_owned() })
    }

    /// What stands for a patient here.
    pub(super) fn token(&self, patient: &Resource, id: &Id) -> Token {
        let person = Identity::of(patient);
        let born = person.birth_date().and_then(|date| {
            Some(format!("{:04}-{:02}-{:02}", date.year(), date.month()?, date.day()?))
        });
        let name =
            person.names().iter().find(|one| !one.family().is_empty() && !one.given().is_empty());
        match (born, name) {
            (Some(born), Some(name)) => {
                let sex = patient.root().str_at("gender").unwrap_or_default();
                let parts = [born.as_str(), &sex, name.family(), name.given()];
                self.key.token(&parts.map(str::as_bytes))
            }
            // Too little is known: nobody's but this institution's own.
            _ => self.key.token(&[b"alone", self.org.as_bytes(), id.as_str().as_bytes()]),
        }
    }
}

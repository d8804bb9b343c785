//! Where a store is: `postgres://user:password@host:port/database?schema=name&sslmode=require`.

use std::fmt;
use std::path::PathBuf;

use store::StoreError;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// The schema of PostgreSQL that holds the tables, where the address names none.
pub const SCHEMA: &str = "consilium";

/// An address of a store in PostgreSQL. Shown, it has no password.
#[derive(Clone)]
pub struct Place {
    pub(super) config: Config,
    pub(super) schema: String,
    /// The certificates to trust instead of the system's.
    pub(super) authorities: Option<PathBuf>,
}

impl Place {
    /// Whether a text is meant as such an address.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads an address: everything libpq knows, and `schema`, a name of lower-case letters, digits
    /// and `_`, at most 40 characters. Without `sslmode=require` the connection is not encrypted;
    /// with it, the server's certificate must be for the host and by an authority that the system
    /// trusts, or by one in the PEM file that `sslrootcert` names.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let refuse = |reason: &str| Err(StoreError::Failed(reason.to_owned()));
        if !Self::is_one(text) {
            return refuse("an address starts with `postgres://`");
        }
        let (address, parameters) = text.split_once('?').unwrap_or((text, ""));
        let (mut schema, mut authorities) = (SCHEMA.to_owned(), None);
        let mut others = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("schema", name)) => schema = name.to_owned(),
                Some(("sslrootcert", file)) => authorities = Some(PathBuf::from(file)),
                _ => others.push(parameter),
            }
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let letter = schema.starts_with(|c: char| c.is_ascii_lowercase());
        if !letter || schema.len() > 40 || !schema.chars().all(plain) || schema.starts_with("pg_") {
            return refuse("the schema's name is made of lower-case letters, digits and `_`");
        }
        let mut config: Config = match format!("{address}?{}", others.join("&")).parse() {
            Ok(config) => config,
            // The driver's message could repeat the password.
            Err(_) => return refuse("the address of PostgreSQL cannot be read"),
        };
        if config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Disable);
        }
        if authorities.is_some() && config.get_ssl_mode() == SslMode::Disable {
            return refuse("`sslrootcert` goes with `sslmode=require`");
        }
        Ok(Self { config, schema, authorities })
    }

    /// Whether the connection is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.config.get_dbname().unwrap_or("");
        write!(f, "schema `{}` of PostgreSQL database `{database}`", self.schema)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_keeps_passwords_to_itself() {
        let place = Place::parse("postgres://ada:secret@localhost:5432/health?schema=north");
        let shown = format!("{:?} {}", place.as_ref().unwrap(), place.as_ref().unwrap());
        assert!(shown.contains("`north`") && !shown.contains("secret"), "{shown}");
        assert!(!place.unwrap().is_encrypted());
        let place = Place::parse("postgresql:///health?host=/tmp&sslmode=require").unwrap();
        assert!(place.is_encrypted());
        assert_eq!(place.schema, SCHEMA);
        let own = Place::parse("postgres://h/d?sslmode=require&sslrootcert=/etc/ca.pem").unwrap();
        assert_eq!(own.authorities, Some(PathBuf::from("/etc/ca.pem")));
        for bad in [
            "mysql://x/y",
            "postgres://ada:secret@localhost/h?sslrootcert=/etc/ca.pem",
            "postgres://ada:secret@localhost/h?schema=a\"b",
            "postgres://ada:secret@localhost/h?schema=pg_catalog",
            "postgres://ada:secret@localhost/h?nonsense=secret",
            "postgres://ada:secret@localhost:port/h",
        ] {
            let error = Place::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

//! One connection, its settings and its prepared statements.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use store::StoreError;
use tokio::runtime::Handle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::Fault;
use super::place::Place;
use super::wait::wait;

/// A value of a statement together with its type, for statements that are not prepared.
pub(super) type Typed<'a> = (&'a (dyn ToSql + Sync), Type);
/// Values of a prepared statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long PostgreSQL may work on one question of a reader.
const LONGEST_QUESTION: Duration = Duration::from_secs(120);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Questions.
    Read,
    /// Changes: what is acknowledged is on disk, and takes as long as it takes.
    Write,
}

pub(super) struct Conn {
    pub(super) client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl Conn {
    /// Connects from any thread; the connection's task runs on `runtime`.
    pub(super) fn open(runtime: &Handle, place: &Place, purpose: Use) -> Result<Self, Fault> {
        let mut config = place.config.clone();
        config.connect_timeout(PATIENCE).tcp_user_timeout(Duration::from_secs(30));
        config.keepalives_idle(Duration::from_secs(30));
        config.application_name("consilium");
        let tls =
            if place.is_encrypted() { Some(tls(place.authorities.as_deref())?) } else { None };
        let task = runtime.spawn(async move { connect(&config, tls).await });
        let client = wait(task).map_err(|_| Fault::failed("the connection's task ended"))??;
        let conn = Self { client, statements: Mutex::default() };
        let limit = match purpose {
            Use::Read => LONGEST_QUESTION.as_millis(),
            Use::Write => 0,
        };
        conn.batch(&format!(
            "SET search_path = \"{}\"; SET client_min_messages = warning; SET jit = off;
             SET plan_cache_mode = force_custom_plan; SET synchronous_commit = on;
             SET statement_timeout = {limit}; SET default_transaction_isolation = 'read committed';
             SET standard_conforming_strings = on",
            place.schema
        ))?;
        Ok(conn)
    }

    /// Runs statements that give nothing back.
    pub(super) fn batch(&self, sql: &str) -> Result<(), Fault> {
        Ok(wait(self.client.batch_execute(sql))?)
    }

    /// Prepares a statement once.
    pub(super) fn statement(&self, sql: &'static str) -> Result<Statement, Fault> {
        if let Some(known) = self.statements.lock().get(sql) {
            return Ok(known.clone());
        }
        let statement = wait(self.client.prepare(sql))?;
        self.statements.lock().insert(sql, statement.clone());
        Ok(statement)
    }

    /// Asks a question that is asked often.
    pub(super) fn rows(&self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, Fault> {
        let statement = self.statement(sql)?;
        Ok(wait(self.client.query(&statement, values))?)
    }

    /// The first row of the answer.
    pub(super) fn row(&self, sql: &'static str, values: Values<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }

    /// Makes a change and returns how many rows it touched.
    pub(super) fn execute(&self, sql: &'static str, values: Values<'_>) -> Result<u64, Fault> {
        let statement = self.statement(sql)?;
        Ok(wait(self.client.execute(&statement, values))?)
    }

    /// Asks a question that was put together for the occasion.
    pub(super) fn ask(&self, sql: &str, values: &[Typed<'_>]) -> Result<Vec<Row>, Fault> {
        Ok(wait(self.client.query_typed(sql, values))?)
    }

    /// Whether the connection is lost.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

async fn connect(config: &Config, tls: Option<MakeRustlsConnect>) -> Result<Client, Fault> {
    let Some(tls) = tls else {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(async move { note_end(connection.await) });
        return Ok(client);
    };
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(async move { note_end(connection.await) });
    Ok(client)
}

fn note_end(end: Result<(), tokio_postgres::Error>) {
    if let Err(error) = end {
        let error = StoreError::from(Fault::Sql(error));
        tracing::warn!(%error, "a connection to PostgreSQL was lost");
    }
}

/// TLS with the authorities in a PEM file; without one, with those that the system trusts (or that
/// the file in `SSL_CERT_FILE` holds).
fn tls(authorities: Option<&Path>) -> Result<MakeRustlsConnect, Fault> {
    let mut roots = rustls::RootCertStore::empty();
    let missing = match authorities {
        Some(file) => {
            let shown = file.display();
            let certificates = CertificateDer::pem_file_iter(file)
                .map_err(|error| Fault::failed(format!("`{shown}` cannot be read: {error}")))?;
            roots.add_parsable_certificates(certificates.flatten());
            format!("`{shown}` holds no certificate")
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            "the system trusts no certificate authority; name a file with `sslrootcert`".to_owned()
        }
    };
    if roots.is_empty() {
        return Err(Fault::failed(missing));
    }
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::failed(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

//! TLS to a PostgreSQL with a certificate of its own.

use std::path::Path;

use store::SharedStore;
use store::suite::{found, store_all};

use super::super::conn::{Conn, Use};
use super::super::{Driver, Options, Place, PostgresStore};
use super::{clock, open, server};

/// A certificate for a name or address, and its key, as PEM.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn refusal(address: &str, parameters: &str) -> String {
    let place = Place::parse(&format!("{address}?{parameters}")).unwrap();
    PostgresStore::open(&place, Options::new(clock())).err().unwrap().to_string()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn a_connection_is_encrypted_and_the_server_known() {
    let (own, key) = certificate("127.0.0.1");
    let Some(address) = server::encrypted(&own, &key) else {
        eprintln!("SKIPPED: no PostgreSQL is installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let trusted = write(folder.path(), "own.pem", &own);
    let place = Place::parse(&format!("{address}?sslmode=require&sslrootcert={trusted}")).unwrap();
    let store: SharedStore = open(&place);
    store_all(&store, &[r#"{"resourceType":"Patient","id":"a","name":[{"family":"Ash"}]}"#]);
    assert_eq!(found(&*store.snapshot().unwrap(), "Patient?family=ash"), "a");
    drop(store);
    let driver = Driver::start().unwrap();
    let conn = Conn::open(&driver.handle().unwrap(), &place, Use::Read).unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(conn.row(sql, &[]).unwrap().unwrap().get::<_, bool>(0));

    // Somebody else's certificate is trusted, or this one's for another place is not meant.
    let (other, _) = certificate("127.0.0.1");
    let other = write(folder.path(), "other.pem", &other);
    let message = refusal(&address, &format!("sslmode=require&sslrootcert={other}"));
    assert!(message.contains("certificate"), "{message}");
    let named = address.replace("127.0.0.1", "localhost");
    let message = refusal(&named, &format!("sslmode=require&sslrootcert={trusted}"));
    assert!(message.contains("certificate"), "{message}");
    let empty = write(folder.path(), "empty.pem", "");
    let message = refusal(&address, &format!("sslmode=require&sslrootcert={empty}"));
    assert!(message.contains("holds no certificate"), "{message}");
}

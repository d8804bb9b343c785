//! A PostgreSQL for the tests: the one that `CONSILIUM_TEST_POSTGRES` names, or one of our own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Place;

/// The address of the server that serves all tests of this process; `None`, said aloud, where
/// there is none.
fn address() -> Option<&'static str> {
    static ADDRESS: OnceLock<Option<String>> = OnceLock::new();
    ADDRESS
        .get_or_init(|| match std::env::var("CONSILIUM_TEST_POSTGRES") {
            Ok(address) => Some(address),
            Err(_) => start(),
        })
        .as_deref()
}

/// A place for one more store, or `None` where the tests are skipped.
pub(super) fn place() -> Option<Place> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let address = address()?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let between = if address.contains('?') { '&' } else { '?' };
    let schema = format!("test_{}_{number}", std::process::id());
    Some(Place::parse(&format!("{address}{between}schema={schema}")).unwrap())
}

fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

/// Starts a server that ends with this process.
fn start() -> Option<String> {
    let folder = tempfile::Builder::new().prefix("consilium-pg").tempdir().ok()?.keep();
    let host = folder.to_string_lossy().replace('/', "%2F");
    let started = programs().and_then(|programs| launch(&programs, &folder, "", 5432));
    let started = started.map(|()| format!("postgres://consilium@{host}/test"));
    if started.is_none() {
        eprintln!("SKIPPED: no PostgreSQL; set CONSILIUM_TEST_POSTGRES or install it");
    }
    started
}

/// A server of its own that takes connections on loopback, encrypted with this certificate and key
/// (PEM). Returns the address without parameters; `None` where the test is skipped.
pub(super) fn encrypted(certificate: &str, key: &str) -> Option<String> {
    let programs = programs()?;
    let folder = tempfile::Builder::new().prefix("consilium-pg").tempdir().ok()?.keep();
    std::fs::write(folder.join("server.crt"), certificate).ok()?;
    std::fs::write(folder.join("server.key"), key).ok()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let shown = folder.display();
    let options = format!(
        "-c listen_addresses=127.0.0.1 -c ssl=on -c ssl_cert_file={shown}/server.crt \
         -c ssl_key_file={shown}/server.key"
    );
    launch(&programs, &folder, &options, port)?;
    Some(format!("postgres://consilium@127.0.0.1:{port}/test"))
}

fn launch(programs: &Path, folder: &Path, options: &str, port: u16) -> Option<()> {
    let script = r#"
        set -e
        run() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }
        for key in "$2"/*.key; do if [ -e "$key" ]; then chmod 0600 "$key"; fi; done
        if [ "$(id -u)" = 0 ]; then chown -R postgres "$2"; fi
        cd "$2"
        run "$1/initdb" -D "$2/data" -U consilium -A trust -E UTF8 --locale=C.UTF-8 -N >/dev/null
        # The watcher ends the server, and removes its folder, when the tests are gone.
        ( run "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off \
            -c max_connections=300 -c shared_buffers=64MB -p "$4" $5 >"$2/log" 2>&1 &
          server=$!
          while kill -0 "$3" 2>/dev/null; do sleep 0.3; done
          kill -INT $server; wait $server; rm -rf "$2" ) >/dev/null 2>&1 &
        for i in $(seq 100); do
            if run "$1/pg_isready" -q -h "$2" -p "$4"; then
                run "$1/createdb" -h "$2" -p "$4" -U consilium test && exit 0
            fi
            sleep 0.1
        done
        exit 1
    "#;
    let done = Command::new("sh")
        .args(["-c", script, "sh"])
        .args([programs, folder])
        .args([&std::process::id().to_string(), &port.to_string(), options])
        .stdin(Stdio::null())
        .status()
        .ok()?;
    done.success().then_some(())
}

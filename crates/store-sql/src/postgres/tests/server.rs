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
    let started = programs().and_then(|programs| launch(&programs));
    if started.is_none() {
        eprintln!("SKIPPED: no PostgreSQL; set CONSILIUM_TEST_POSTGRES or install it");
    }
    started
}

fn launch(programs: &Path) -> Option<String> {
    let folder = tempfile::Builder::new().prefix("consilium-pg").tempdir().ok()?.keep();
    let script = r#"
        set -e
        run() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }
        if [ "$(id -u)" = 0 ]; then chown postgres "$2"; fi
        cd "$2"
        run "$1/initdb" -D "$2/data" -U consilium -A trust -E UTF8 --locale=C.UTF-8 -N >/dev/null
        # The watcher ends the server, and removes its folder, when the tests are gone.
        ( run "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off \
            -c max_connections=300 -c shared_buffers=64MB >"$2/log" 2>&1 &
          server=$!
          while kill -0 "$3" 2>/dev/null; do sleep 0.3; done
          kill -INT $server; wait $server; rm -rf "$2" ) >/dev/null 2>&1 &
        for i in $(seq 100); do
            if run "$1/pg_isready" -q -h "$2"; then
                run "$1/createdb" -h "$2" -U consilium test && exit 0
            fi
            sleep 0.1
        done
        exit 1
    "#;
    let done = Command::new("sh")
        .args(["-c", script, "sh"])
        .args([programs, folder.as_path()])
        .arg(std::process::id().to_string())
        .stdin(Stdio::null())
        .status()
        .ok()?;
    let host = folder.to_string_lossy().replace('/', "%2F");
    done.success().then(|| format!("postgres://consilium@{host}/test"))
}

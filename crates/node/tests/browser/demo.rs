//! The demo as a program of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// A running demo; ends with the test.
pub struct Demo {
    child: Child,
    folder: tempfile::TempDir,
}

/// One of its accounts.
pub struct Account {
    pub base: String,
    pub username: String,
    pub password: String,
    pub name: String,
    pub patient: Option<String>,
    secret: String,
}

impl Account {
    /// The code that an authenticator shows now.
    pub fn code(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        identity::code_at(&self.secret, now.as_millis() as i64).unwrap()
    }
}

impl Demo {
    /// Starts `consilium demo` on free ports and returns when it says that it is ready.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// The same with Synthea's patients of a folder.
    pub fn start_with(data: Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_consilium"));
        command.args(["demo", "--headless", "--port", &free_ports().to_string(), "--dir"]);
        command.arg(folder.path());
        if let Some(data) = data {
            command.arg("--data").arg(data);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .any(|line| line.contains("are in") || line.contains("also in"));
        assert!(ready, "the demo ended before it was ready");
        Self { child, folder }
    }

    /// An account by hospital and role.
    pub fn account(&self, hospital: &str, role: &str) -> Account {
        let text = std::fs::read(self.folder.path().join("accounts.json")).unwrap();
        let list: Vec<Value> = serde_json::from_slice(&text).unwrap();
        let found = list.iter().find(|a| a["hospital"] == hospital && a["role"] == role).unwrap();
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        Account {
            base: text("base"),
            username: text("username"),
            password: text("password"),
            name: text("name"),
            secret: text("totp_secret"),
            patient: found["patient"].as_str().map(str::to_owned),
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Synthea's patients of the shared material, where it is there; generated patients otherwise.
pub fn synthea() -> Option<PathBuf> {
    let root = std::env::var_os("CONSILIUM_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = root.join("data/synthea");
    folder.is_dir().then_some(folder)
}

/// A port with the next two, and those a thousand above, free at this moment.
fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (0..200)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port())
        .find(|port| {
            *port < 60_000 && (0..3).all(|i| is_free(port + i) && is_free(port + 1000 + i))
        })
        .expect("no free ports")
}

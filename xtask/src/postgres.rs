//! A PostgreSQL for the tests: Debian's programs, a folder that is removed, a socket in it, and
//! nobody else who can reach it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{Outcome, say};

/// The variable by which tests find it.
pub const VARIABLE: &str = "CONSILIUM_TEST_POSTGRES";

/// A server that runs until it is dropped.
pub struct Server {
    /// Its address.
    pub address: String,
    process: Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Starts a server, unless the variable names one already or there are no programs.
pub fn start() -> Result<Option<Server>, Box<dyn std::error::Error>> {
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(None);
    }
    let Some(programs) = programs() else {
        say("skipped: no PostgreSQL is installed, its tests will say so");
        return Ok(None);
    };
    let folder = std::env::temp_dir().join(format!("consilium-postgres-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    if is_root()? {
        run(Command::new("chown").arg("postgres").arg(&folder))?;
    }
    run(Command::new("chmod").arg("0700").arg(&folder))?;
    let data = folder.join("data");
    let mut init = user(&programs.join("initdb"), &folder)?;
    init.arg("-D").arg(&data).args(["-U", "consilium", "-A", "trust", "-N"]);
    run(init.args(["-E", "UTF8", "--locale=C.UTF-8"]).stdout(Stdio::null()))?;
    let mut server = user(&programs.join("postgres"), &folder)?;
    server.arg("-D").arg(&data).arg("-k").arg(&folder);
    server.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=300"]);
    let process = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let host = folder.to_string_lossy().replace('/', "%2F");
    let address = format!("postgres://consilium@{host}/test");
    let server = Server { address, process, folder };
    for _ in 0..100 {
        let mut create = user(&programs.join("createdb"), &server.folder)?;
        create.arg("-h").arg(&server.folder).args(["-U", "consilium", "test"]);
        if create.stderr(Stdio::null()).status()?.success() {
            return Ok(Some(server));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err("PostgreSQL does not start".into())
}

/// The newest that is installed.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

/// A program as somebody who may run it: PostgreSQL refuses the superuser of the system.
fn user(program: &Path, folder: &Path) -> Result<Command, Box<dyn std::error::Error>> {
    let mut command = if is_root()? {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder);
    Ok(command)
}

fn is_root() -> Result<bool, Box<dyn std::error::Error>> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(String::from_utf8_lossy(&id.stdout).trim() == "0")
}

fn run(command: &mut Command) -> Outcome {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

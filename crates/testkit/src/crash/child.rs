//! The program `consilium` as a child process. Only processes started here are ever killed.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{Account, Fault};
use crate::network::Place;

/// How long a node may take to answer after a start.
const START: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// The program and the node that it runs.
#[derive(Clone, Debug)]
pub struct Program {
    binary: PathBuf,
    /// Where the node lives.
    pub place: Place,
}

/// A child process; killed when dropped.
pub struct Running(Child);

impl From<Child> for Running {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Running {
    /// The process's id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it with SIGKILL and waits until it is gone. Returns whether it had ended by itself,
    /// and how: `true` for success.
    pub fn kill(&mut self) -> Result<Option<bool>, Fault> {
        if let Some(status) = self.0.try_wait()? {
            return Ok(Some(status.success()));
        }
        self.0.kill()?;
        let status = self.0.wait()?;
        // It may have ended between the look and the signal.
        Ok(status.code().map(|code| code == 0))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the program is: `given`, else beside this program, else in `CARGO_TARGET_DIR/release`.
pub fn find(given: Option<PathBuf>) -> Result<PathBuf, Fault> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(|dir| Path::new(&dir).join("release"));
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let places =
        [given, beside.map(|dir| dir.join("consilium")), target.map(|dir| dir.join("consilium"))];
    let found = places.into_iter().flatten().find(|path| path.is_file());
    found.ok_or_else(|| {
        "there is no `consilium`; run `cargo build --release -p consilium-node`".into()
    })
}

impl Program {
    /// `binary` for the node at `place`.
    pub fn new(binary: PathBuf, place: Place) -> Self {
        Self { binary, place }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--dir").arg(&self.place.folder).stdin(Stdio::null());
        command
    }

    fn run(&self, command: &mut Command, what: &str) -> Result<String, Fault> {
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("`consilium {what}`: {}: {text} {errors}", output.status).into())
    }

    /// Adds an account while the node is down and returns it.
    pub fn add_account(
        &self,
        role: &str,
        username: &str,
        patient: Option<&str>,
    ) -> Result<Account, Fault> {
        let mut command = self.command(&["account", "add"]);
        command.args(["--role", role, "--username", username, "--name", username]);
        if let Some(patient) = patient {
            command.args(["--patient", patient]);
        }
        let text = self.run(&mut command, "account add")?;
        let value = |name: &str| -> Result<String, Fault> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            Ok(line.ok_or("`consilium account add` prints no such line")?.trim().to_owned())
        };
        Ok(Account {
            hospital: self.place.site.org.clone(),
            role: role.to_owned(),
            base: self.place.base(),
            username: username.to_owned(),
            password: value("password")?,
            totp_secret: value("one-time code secret")?,
        })
    }

    /// Verifies the audit, which must still contain `noted`. Returns the head `number:hash`.
    pub fn verify_audit(&self, noted: Option<&str>) -> Result<String, Fault> {
        let mut command = self.command(&["audit", "verify"]);
        if let Some(noted) = noted {
            command.args(["--noted", noted]);
        }
        let text = self.run(&mut command, "audit verify")?;
        let head = text.lines().find_map(|line| line.strip_prefix("head "));
        Ok(head.ok_or("`consilium audit verify` prints no head")?.to_owned())
    }

    /// Imports files to the end.
    pub fn import(&self, files: &Path) -> Result<(), Fault> {
        let mut command = self.command(&["import", "--quiet"]);
        self.run(command.arg(files), "import").map(drop)
    }

    /// Starts an import and leaves it running.
    pub fn start_import(&self, files: &Path) -> Result<Running, Fault> {
        let mut command = self.command(&["import", "--quiet"]);
        command.arg(files).stdout(Stdio::null()).stderr(self.log()?);
        Ok(Running(command.spawn()?))
    }

    /// Starts the node and returns once it answers, with how long that took.
    pub async fn serve(&self) -> Result<(Running, Duration), Fault> {
        let started = Instant::now();
        let mut command = self.command(&["serve"]);
        command.stdout(Stdio::null()).stderr(self.log()?);
        let mut running = Running(command.spawn()?);
        let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
        let url = format!("{}/healthz", self.place.base());
        while started.elapsed() < START {
            if let Ok(answer) = http.get(&url).send().await
                && answer.status().is_success()
            {
                return Ok((running, started.elapsed()));
            }
            if let Some(status) = running.0.try_wait()? {
                return Err(format!(
                    "the node did not start: {status}; see {}",
                    self.log_path().display()
                )
                .into());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(format!("the node did not answer within {} s", START.as_secs()).into())
    }

    fn log_path(&self) -> PathBuf {
        self.place.folder.join("crash.log")
    }

    fn log(&self) -> Result<std::fs::File, Fault> {
        Ok(OpenOptions::new().create(true).append(true).open(self.log_path())?)
    }
}

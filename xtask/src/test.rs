//! All tests, with what they need: installs the browser, PostgreSQL and SoftHSM where they are missing and
//! that is possible, and starts a PostgreSQL.

use std::fs::File;
use std::io::{Seek as _, copy, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{Outcome, postgres, root, say, step};

/// Programs that tests start, and the Debian packages that bring them.
const NEEDED: [(&str, &str); 4] = [
    ("/usr/bin/chromium", "chromium"),
    ("/usr/bin/chromedriver", "chromium-driver"),
    ("/usr/lib/postgresql", "postgresql"),
    ("/usr/bin/softhsm2-util", "softhsm2"),
];

/// How long each reader of outside input is given bad input at random.
const FUZZ_SECONDS: &str = "5";
/// How many times a node is killed while it delivers to subscribers.
const KILLS: &str = "4";
/// Tests of minutes that use one processor at most: the binary of `consilium-node` that holds them alone, and what
/// the names of all of them begin with. They run beside the others.
const BESIDE: (&str, &str) = ("leaks", "nothing_withheld_leaves_by_any_door");

/// Installs what is missing, then runs every test, the outside conformance suites, the readers of
/// outside input on bad input, and a node that is killed while it delivers to subscribers.
pub fn run(filter: &[String]) -> Outcome {
    install()?;
    if crate::codegen::available() {
        crate::codegen::run(&crate::codegen::Arguments { check: true })?;
    } else {
        say("skipped: the definitions pack is not compared, the published package is absent");
    }
    let server = postgres::start()?;
    let mut test = Command::new("cargo");
    test.args(["test", "--workspace", "--quiet"]).current_dir(root());
    if let Some(server) = &server {
        test.env(postgres::VARIABLE, &server.address);
    }
    // Whoever asks for some tests does not ask for the suites.
    if !filter.is_empty() {
        return step("tests", test.args(filter));
    }
    let beside = Beside::start()?;
    step("all tests", test.args(["--", "--skip", BESIDE.1]))?;
    beside.end()?;
    // Compiled apart from the program, which must not have the feature.
    let mut mutants = Command::new("cargo");
    mutants.args(["test", "--quiet", "--package", "consilium-leaks", "--test", "it"]);
    mutants.args(["--features", "mutants"]).current_dir(root());
    step("every rule of the consent engine is needed", &mut mutants)?;
    crate::development("conformance", &[])?;
    crate::development("fuzz", &["--seconds".into(), FUZZ_SECONDS.into()])?;
    // The tests have built it; cargo only makes sure.
    crate::built("consilium")?;
    crate::development("crash", &["--deliveries".into(), "--rounds".into(), KILLS.into()])
}

/// The test that runs beside the others, and what it prints until they have ended.
struct Beside {
    child: Child,
    printed: File,
}

impl Beside {
    /// Builds all tests, and starts the one.
    fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let mut build = Command::new("cargo");
        build.args(["test", "--workspace", "--quiet", "--no-run", "--message-format"]);
        build.arg("json-render-diagnostics").current_dir(root()).stderr(Stdio::inherit());
        let built = build.output()?;
        if !built.status.success() {
            return Err(format!("building the tests failed ({})", built.status).into());
        }
        let binary = String::from_utf8(built.stdout)?
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|artifact| {
                let target = &artifact["target"];
                target["kind"][0] == "test" && target["name"] == BESIDE.0
            })
            .and_then(|artifact| artifact["executable"].as_str().map(str::to_owned))
            .ok_or_else(|| format!("there is no test binary `{}`", BESIDE.0))?;
        let package = root().join("crates/node");
        let printed = tempfile::tempfile()?;
        let mut test = Command::new(binary);
        test.args(["--quiet", BESIDE.1]).env("CARGO_MANIFEST_DIR", &package).current_dir(package);
        let child = test.stdout(printed.try_clone()?).stderr(printed.try_clone()?).spawn()?;
        Ok(Self { child, printed })
    }

    fn end(mut self) -> Outcome {
        let status = self.child.wait()?;
        self.printed.rewind()?;
        copy(&mut self.printed, &mut stdout())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} failed ({status})", BESIDE.1).into())
        }
    }
}

/// Where another test fails, this one has no reader any more.
impl Drop for Beside {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn install() -> Outcome {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    let id = Command::new("id").arg("-u").output()?;
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return Err(
            format!("the browser tests need {}; run: sudo {install}", missing.join(", ")).into()
        );
    }
    say(&format!("installing {}", missing.join(", ")));
    step("apt-get update", Command::new("apt-get").args(["update", "-q"]))?;
    let mut command = Command::new("sh");
    command.args(["-c", &install]).env("DEBIAN_FRONTEND", "noninteractive");
    step(&install, &mut command)
}

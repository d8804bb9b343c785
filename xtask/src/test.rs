//! All tests, with what they need: installs the browser, PostgreSQL and SoftHSM where they are missing and
//! that is possible, and starts a PostgreSQL.

use std::path::Path;
use std::process::Command;

use crate::{Outcome, root, say, step};

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

/// Installs what is missing, then runs every test, the outside conformance suites, the readers of
/// outside input on bad input, and a node that is killed while it delivers to subscribers.
pub fn run(filter: &[String]) -> Outcome {
    install()?;
    if crate::codegen::available() {
        crate::codegen::run(&crate::codegen::Arguments { check: true })?;
    } else {
        say("skipped: the definitions pack is not compared, the published package is absent");
    }
    let server = crate::postgres::start()?;
    let mut test = Command::new("cargo");
    test.args(["test", "--workspace", "--quiet"]).args(filter).current_dir(root());
    if let Some(server) = &server {
        test.env(crate::postgres::VARIABLE, &server.address);
    }
    step("all tests", &mut test)?;
    // Whoever asks for some tests does not ask for the suites.
    if !filter.is_empty() {
        return Ok(());
    }
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

//! The Python package, installed as researchers install it, asks over real nodes and prints what it
//! was told; its own tests and its types hold. Skipped aloud where there is no `python3`.

mod whole;

use std::future::Future;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use app::rounds::part::look;
use identity::Role;
use serde_json::{Value, json};
use statistics::answer::{Coefficient, Finding};
use statistics::{
    Analysis, Answer, Column, Dictionary, Formula, Frame, Kind, Question, Regression, Step, Sums,
    Variable,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::hospitals::{Hospital, Hospitals, Setup, run};

/// Far more than making an environment, or any answer here, takes.
const PATIENCE: Duration = Duration::from_secs(300);
/// What checks the package, from PyPI.
const CHECKERS: [&str; 2] = ["pytest==9.2.0", "mypy==2.4.1"];
/// Rows of each hospital.
const ROWS: usize = 80;

/// What the researcher does: signs in, asks, and closes the notebook.
const NOTEBOOK: &str = r#"
import json, sys
import consilium

given = json.load(sys.stdin)
told = {}
with consilium.sign_in(given["address"], given["username"], password=given["password"], code=given["code"]) as session:
    assert given["password"] not in repr(session)
    project = session.project(given["project"])
    assert project.is_approved, project.state
    told["variables"] = [variable.name for variable in session.dataset("trial").dictionary]
    for name, asked in (
        ("logistic", lambda: project.logistic("died ~ age * C(arm)")),
        ("cox", lambda: project.cox("Surv(months, died) ~ age + arm + strata(site)")),
    ):
        answer = asked().answer(deadline_s=120)
        told[name] = {"n": answer.rows, "sites": answer.sites, "coefficients": [
            [one.name, one.estimate, one.se] for one in answer.coefficients
        ]}
        print(repr(answer), file=sys.stderr)
    try:
        project.logistic("died ~ agee")
    except consilium.FormulaError as error:
        told["fault"] = str(error).splitlines()[0]
    try:
        project.pca("age", "months")
    except consilium.Refused as error:
        told["refused"] = error.message

print(json.dumps(told))
"#;

/// Another notebook, later: what was asked is found again, and read.
const LATER: &str = r#"
import json, sys
import consilium

given = json.load(sys.stdin)
told = {}
with consilium.sign_in(given["address"], given["username"], password=given["password"], code=given["code"]) as session:
    questions = session.project(given["project"]).questions()
    told["again"] = [[one.analysis["formula"], session.question(one.id).answer().rows] for one in questions]

try:
    consilium.sign_in(given["address"], given["username"], password="another one", code="000000")
except consilium.errors.NotSignedIn as error:
    told["stranger"] = str(error.status)
print(json.dumps(told))
"#;

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/python")
}

/// An environment with the package of this checkout in it, made anew; `None` without `python3`.
async fn environment(folder: &Path) -> Option<PathBuf> {
    let there = Command::new("python3").arg("--version").output();
    if !there.is_ok_and(|done| done.status.success()) {
        return None;
    }
    // Built in a copy: building leaves files beside the sources.
    let copy = folder.join("package");
    copy_folder(&package(), &copy);
    let venv = folder.join("venv");
    finished(Command::new("python3").args(["-m", "venv"]).arg(&venv), String::new()).await;
    let python = venv.join("bin/python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    finished(Command::new(&python).args(pip).arg(&copy), String::new()).await;
    Some(python)
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let is_made = |name: &str| name.starts_with('.') || name.contains("egg-info");
        if is_made(&name.to_string_lossy()) || ["build", "dist"].iter().any(|made| name == *made) {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn dictionary() -> Dictionary {
    let number = |name: &str, min: f64, max: f64| Variable {
        name: name.to_owned(),
        kind: Kind::Number { min: Some(min), max: Some(max) },
        description: String::new(),
    };
    let levels = ["placebo", "treated"].map(str::to_owned).to_vec();
    let kind = Kind::Category { levels };
    let arm = Variable { name: "arm".to_owned(), kind, description: "as drawn".to_owned() };
    Dictionary {
        variables: vec![
            number("died", 0.0, 1.0),
            number("age", 18.0, 100.0),
            number("months", 0.0, 60.0),
            arm,
        ],
    }
}

/// One row of a hospital: died, age, months, whether treated.
fn row(hospital: usize, row: usize) -> (u8, f64, f64, bool) {
    let at = row * 3 + hospital;
    let age = 40.0 + ((at * 37) % 50) as f64;
    let is_treated = (at * 7) % 5 < 2;
    let risk = (age - 40.0) / 2.0 + if is_treated { 0.0 } else { 14.0 };
    let has_died = ((at * 53) % 47) as f64 + 6.0 < risk;
    (u8::from(has_died), age, 1.0 + ((at * 29) % 55) as f64, is_treated)
}

fn table(hospital: usize) -> String {
    let mut out = "died,age,months,arm\n".to_owned();
    for (died, age, months, is_treated) in (0..ROWS).map(|at| row(hospital, at)) {
        let arm = if is_treated { "treated" } else { "placebo" };
        out += &format!("{died},{age},{months},{arm}\n");
    }
    out
}

fn frame(hospital: usize) -> Frame {
    let rows: Vec<_> = (0..ROWS).map(|at| row(hospital, at)).collect();
    let column = |value: fn(&(u8, f64, f64, bool)) -> f64| {
        Column::Number(rows.iter().map(|row| Some(value(row))).collect())
    };
    let arms = rows.iter().map(|row| Some(u32::from(row.3))).collect();
    Frame::new(vec![
        ("died".to_owned(), column(|row| f64::from(row.0))),
        ("age".to_owned(), column(|row| row.1)),
        ("months".to_owned(), column(|row| row.2)),
        ("arm".to_owned(), Column::Category(arms)),
    ])
    .unwrap()
}

/// The coefficients that the engine finds in the same rows without a network.
fn known(formula: &str) -> Vec<Coefficient> {
    let regression = Regression::new(Formula::parse(formula).unwrap());
    let Finding::Model(model) = engine(Analysis::Regression(regression)).finding else {
        panic!("a model")
    };
    model.coefficients
}

/// What the engine finds in the same rows without a network.
fn engine(analysis: Analysis) -> Answer {
    let question = Question { dictionary: dictionary(), most_rows: 1_000, analysis };
    let frames: Vec<Frame> = (0..3).map(frame).collect();
    let mut progress = question.start().unwrap();
    let mut round = progress.first();
    loop {
        let mut values = vec![0.0; round.layout.len()];
        for rows in &frames {
            let given = question.contribute(&round, rows).unwrap().values;
            values.iter_mut().zip(given).for_each(|(sum, value)| *sum += value);
        }
        match progress.take(&Sums { values, sites: 3 }).unwrap() {
            Step::Ask(next) => round = next,
            Step::Done(answer) => return *answer,
        }
    }
}

async fn registered(hospitals: &Hospitals) {
    let declared = json!(dictionary());
    for (at, hospital) in hospitals.all.iter().enumerate() {
        let operator = hospital.signed_in(Role::Operator).await;
        let body = json!({"title": "A trial", "csv": table(at), "dictionary": declared});
        operator.put("/research/datasets/trial", &body).await.expect(200);
    }
}

async fn approved(hospitals: &Hospitals) -> (String, crate::client::Account) {
    registered(hospitals).await;
    let first = &hospitals.all[0];
    let account = first.account(Role::Researcher, None);
    // The code before the present one, which is for the notebook.
    let early = first.app.now_ms() - 30_000;
    let researcher = crate::client::Client::sign_in(&first.base, &account, Some(early)).await;
    let orgs: Vec<&str> = hospitals.all.iter().map(|one| one.org.as_str()).collect();
    let application = json!({
        "title": "Who survives", "purpose": "To learn whether the treatment helps",
        "holders": orgs, "aggregators": [orgs[1], orgs[2]], "dataset": "trial",
        "analyses": ["regression"], "min_sites": 3, "min_rows": 50, "days": 30,
    });
    let applied = researcher.post("/research/projects", &application).await.expect(201).json();
    let project = applied["id"].as_str().unwrap().to_owned();
    for hospital in &hospitals.all {
        look(&hospital.app).await;
        approve(hospital, &project).await;
        look(&hospital.app).await;
    }
    (project, account)
}

async fn approve(hospital: &Hospital, project: &str) {
    let steward = hospital.signed_in(Role::Steward).await;
    let path = format!("/research/projects/{project}/decision");
    let decision = json!({"choice": "approve", "reason": "reviewed"});
    steward.post(&path, &decision).await.expect(204);
}

#[test]
fn the_packages_own_tests_pass_and_its_types_hold() {
    run(async {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let Some(python) = environment(folder.path()).await else {
            println!("skipped: python3 is not installed");
            return;
        };
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        finished(Command::new(&python).args(pip).args(CHECKERS), String::new()).await;
        let package = folder.path().join("package");
        for check in [["-m", "pytest", "-q"].as_slice(), &["-m", "mypy"]] {
            let mut command = Command::new(&python);
            let (said, _) =
                finished(command.args(check).current_dir(&package), String::new()).await;
            println!("{}", said.lines().last().unwrap_or_default());
        }
    });
}

#[test]
fn a_program_in_python_asks_and_comes_back() {
    run(async {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let Some(python) = environment(folder.path()).await else {
            println!("skipped: python3 is not installed");
            return;
        };
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        let (project, account) = approved(&hospitals).await;
        let first = &hospitals.all[0];
        let code =
            |ahead_ms: i64| identity::code_at(&account.secret, first.app.now_ms() + ahead_ms);
        let given = json!({
            "address": first.base, "username": account.username, "password": account.password,
            "project": project, "code": code(0),
        });
        let (told, said) = notebook(&python, NOTEBOOK, &given).await;
        assert!(said.contains("hazard ratio"), "answers are shown: {said}");

        assert_eq!(told["variables"], json!(["died", "age", "months", "arm"]));
        for (name, formula) in [
            ("logistic", "logistic(died) ~ age + arm + age:arm"),
            ("cox", "cox(months, died) ~ age + arm"),
        ] {
            assert_eq!((&told[name]["n"], &told[name]["sites"]), (&json!(3 * ROWS), &json!(3)));
            let found = told[name]["coefficients"].as_array().unwrap();
            let known = known(formula);
            assert_eq!(found.len(), known.len(), "{name}");
            for (one, other) in found.iter().zip(&known) {
                assert_eq!(one[0], other.name);
                for (found, known) in [(&one[1], other.estimate), (&one[2], other.se.unwrap())] {
                    let found = found.as_f64().unwrap();
                    assert!((found - known).abs() <= 1e-9 * known.abs(), "{name} {one} {other:?}");
                }
            }
        }
        let fault = told["fault"].as_str().unwrap();
        assert!(fault.contains("did you mean `age`?"), "{fault}");
        assert_eq!(told["refused"], "the project does not allow the analysis `pca`");

        // A code is good once: the next one.
        let mut given = given.clone();
        given["code"] = json!(code(30_000));
        let (told, _) = notebook(&python, LATER, &given).await;
        assert_eq!(
            told["again"],
            json!([
                ["cox(months, died) ~ age + arm", 3 * ROWS],
                ["logistic(died) ~ age + arm + age:arm", 3 * ROWS],
            ])
        );
        assert_eq!(told["stranger"], "401");

        // What was asked in a project is for those who may see it, and holds no answer.
        let path = format!("/research/projects/{project}/questions");
        let steward = first.signed_in(Role::Steward).await;
        let listed = steward.get(&path).await.expect(200);
        assert_eq!(listed.json()["questions"].as_array().unwrap().len(), 2);
        assert!(!listed.text.contains("coefficients"), "no answer is listed");
        let clinician = first.signed_in(Role::Clinician).await;
        clinician.get(&path).await.expect(403);
        first.stranger().get(&path).await.expect(401);
        let other = first.signed_in(Role::Researcher).await;
        other.get("/research/projects/another/questions").await.expect(404);
        hospitals.stop().await;
    });
}

/// Runs a notebook with what it is given; the last line that it prints, and what it said beside.
async fn notebook(python: &Path, script: &str, given: &Value) -> (Value, String) {
    let mut command = Command::new(python);
    let (stdout, stderr) = finished(command.args(["-I", "-c", script]), given.to_string()).await;
    (serde_json::from_str(stdout.lines().last().unwrap()).unwrap(), stderr)
}

/// What a program prints and says by its end, which must be a good one and come in time.
async fn finished(command: &mut Command, input: String) -> (String, String) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let given = spawn_blocking(move || stdin.write_all(input.as_bytes()));
    // Both at once: a pipe that nobody reads fills up.
    let stdout = read(child.stdout.take().unwrap());
    let stderr = read(child.stderr.take().unwrap());
    let all = async { (stdout.await, stderr.await, given.await.unwrap()) };
    let Ok((stdout, stderr, given)) = timeout(PATIENCE, all).await else {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("{command:?} does not end");
    };
    assert!(child.wait().unwrap().success(), "{command:?}: {stdout}{stderr}");
    given.unwrap();
    (stdout, stderr)
}

/// Everything that comes out of a pipe.
fn read(mut pipe: impl Read + Send + 'static) -> impl Future<Output = String> {
    let all = spawn_blocking(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    async { all.await.unwrap().unwrap() }
}

//! A network with one node for each site of a table, and a regression asked through it.
//!
//! The nodes are whole: own folders, keys and stores, mutual TLS between them. The project is applied
//! for, approved by every institution's steward, asked by its researcher, and added in secret by two of
//! the institutions.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use app::catalog;
use app::projects::{self, Choice, Verdict};
use app::release;
use app::rounds::ask::{End, Standing, ask, ended, standing};
use app::{App, Caller, User};
use node::serve::{Running, start};
use serde_json::{Value, json};
use statistics::answer::Finding;
use statistics::csv::{self, Table};
use statistics::formula::Formula;
use statistics::regression::Regression;
use statistics::{Analysis, Answer, Dictionary, Frame, Question};
use synthetic::Site;
use tokio::task::block_in_place;
use tokio::time::timeout;
use wire::OrgId;
use wire::research::ReleaseRule;

use crate::client::Fault;
use crate::network::{Place, prepare};

/// Where the researcher works, who holds no data.
const COORDINATOR: &str = "university";
const DATASET: &str = "table";
/// Most sites, each of which is a node in this process.
pub const MOST_SITES: usize = 60;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// What is to be asked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The table, as CSV with a header.
    pub text: String,
    /// The column that says at which site a row is.
    pub site: String,
    /// The model as a formula.
    pub formula: Formula,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The pooled answer.
    pub answer: Answer,
    /// Rows that were left out, those without a site among them.
    pub dropped: u64,
    /// Rounds over the network.
    pub rounds: u32,
    /// From asking to the answer, in seconds.
    pub seconds: f64,
}

/// Starts a network for the table's sites in `folder`, asks, and stops it.
pub async fn run(folder: &Path, plan: &Plan) -> Result<Found, Fault> {
    let table = csv::read(&plan.text, &plan.site)?;
    if !(2..=MOST_SITES).contains(&table.sites.len()) {
        let found = table.sites.len();
        return Err(format!("the table has {found} sites; give 2 to {MOST_SITES}").into());
    }
    let dictionary = used(&table.dictionary, &plan.formula)?;
    let network = Network::start(folder, &table, &dictionary).await?;
    let found = network.ask(&table, &plan.formula, dictionary).await;
    network.stop().await;
    found
}

/// As the command prints it.
pub fn json(found: &Found) -> Result<Value, Fault> {
    let Finding::Model(model) = &found.answer.finding else {
        return Err("the answer is no model".into());
    };
    let named = model
        .coefficients
        .iter()
        .map(|one| (one.name.clone(), json!({"estimate": one.estimate, "se": one.se, "p": one.p})));
    Ok(json!({
        "coefficients": named.collect::<serde_json::Map<_, _>>(),
        "aliased": model.aliased,
        "n": found.answer.n,
        "events": model.events,
        "dropped": found.dropped,
        "sites": found.answer.sites,
        "rounds": found.rounds,
        "seconds": found.seconds,
        "log_likelihood": model.log_likelihood,
    }))
}

/// The variables that the formula uses.
fn used(dictionary: &Dictionary, formula: &Formula) -> Result<Dictionary, Fault> {
    let names = formula.variables();
    for name in &names {
        if dictionary.variable(name).is_none() {
            return Err(format!("the table has no column `{name}`").into());
        }
    }
    let mut variables = dictionary.variables.clone();
    variables.retain(|variable| names.contains(&variable.name.as_str()));
    Ok(Dictionary { variables })
}

struct Network {
    coordinator: App,
    sites: Vec<(OrgId, App)>,
    running: Vec<Running>,
}

impl Network {
    async fn start(folder: &Path, table: &Table, used: &Dictionary) -> Result<Self, Fault> {
        let named = |(at, (name, _)): (usize, &(String, Frame))| Site {
            org: format!("site-{}", at + 1),
            name: format!("Site {name}"),
        };
        let mut sites: Vec<Site> = table.sites.iter().enumerate().map(named).collect();
        sites.push(Site { org: COORDINATOR.to_owned(), name: "University".to_owned() });
        let places = prepare(folder, &sites)?;
        let mut running = Vec::new();
        let mut apps = Vec::new();
        for place in &places {
            let node = block_in_place(|| Place::open(place))?;
            apps.push((OrgId::new(&place.site.org)?, node.app.clone()));
            running.push(start(node).await?);
        }
        // Nobody takes another to be away who had not started yet.
        let is_apart =
            |(_, app): &(OrgId, App)| app.peers().figures().iter().any(|peer| peer.failing_fast);
        while apps.iter().any(is_apart) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (_, coordinator) = apps.pop().ok_or("there is no coordinator")?;
        for ((_, app), (_, rows)) in apps.iter().zip(&table.sites) {
            let draft = catalog::Draft {
                name: DATASET.to_owned(),
                title: "The table".to_owned(),
                dictionary: used.clone(),
                rows: rows.only(used),
            };
            block_in_place(|| catalog::register(app, &caller(app, "operator"), draft))
                .map_err(|e| e.message)?;
        }
        Ok(Self { coordinator, sites: apps, running })
    }

    async fn ask(
        &self,
        table: &Table,
        formula: &Formula,
        dictionary: Dictionary,
    ) -> Result<Found, Fault> {
        let most = table.sites.iter().map(|(_, rows)| rows.rows()).max().unwrap_or_default();
        let question = Question {
            dictionary,
            most_rows: u32::try_from(most)?.max(1).next_power_of_two(),
            analysis: Analysis::Regression(Regression::new(formula.clone())),
        };
        let project = self.project().await?;
        let researcher = || caller(&self.coordinator, "researcher");
        let since = Instant::now();
        let id = block_in_place(|| ask(&self.coordinator, &researcher(), &project, &question))
            .map_err(|e| e.message)?;
        let ended = timeout(PATIENCE, ended(&self.coordinator, &researcher(), &id)).await;
        let mut standing =
            ended.map_err(|_| "there is no answer in time")?.map_err(|e| e.message)?;
        if matches!(standing.end, Some(End::Checking(_))) {
            standing = self.let_go(&id)?;
        }
        let seconds = since.elapsed().as_secs_f64();
        let rounds = standing.rounds;
        match standing.end {
            Some(End::Answered(answer)) => {
                let dropped = answer.dropped + table.dropped as u64;
                Ok(Found { answer: *answer, dropped, rounds, seconds })
            }
            Some(End::Checking(_) | End::KeptBack(_) | End::Withheld(_)) => {
                Err("the answer did not leave".into())
            }
            Some(End::Failed(reason)) => {
                let missing: BTreeMap<_, _> = standing.missing;
                Err(format!("the question has no answer: {reason} {missing:?}").into())
            }
            None => Err("the question has not ended".into()),
        }
    }

    /// Two people look at an answer that the rules alone do not let leave, and let it.
    fn let_go(&self, question: &str) -> Result<Standing, Fault> {
        for id in ["first-checker", "second-checker"] {
            let mut checker = caller(&self.coordinator, "steward");
            checker.user.id = id.to_owned();
            let choice = release::Choice::Release;
            block_in_place(|| {
                release::decide(
                    &self.coordinator,
                    &checker,
                    question,
                    choice,
                    "compared with the pool",
                )
            })
            .map_err(|e| e.message)?;
        }
        let researcher = caller(&self.coordinator, "researcher");
        Ok(block_in_place(|| standing(&self.coordinator, &researcher, question))
            .map_err(|e| e.message)?)
    }

    /// Applied for, found by every institution, approved by each, and known as such to the coordinator.
    async fn project(&self) -> Result<String, Fault> {
        let holders: Vec<OrgId> = self.sites.iter().map(|(org, _)| org.clone()).collect();
        let [leader, helper, ..] = holders.as_slice() else { return Err("too few sites".into()) };
        let draft = projects::Draft {
            title: "A regression over all sites".to_owned(),
            purpose: "To compare it with what pooled rows give".to_owned(),
            researchers: Vec::new(),
            aggregators: [leader.clone(), helper.clone()],
            min_sites: u32::try_from(holders.len().min(3))?,
            holders,
            dataset: DATASET.to_owned(),
            analyses: vec!["regression".to_owned()],
            programs: Vec::new(),
            // The rows of a table that is compared are nobody's secret: a level of few of them is
            // worked out like any other.
            min_rows: 1,
            release: ReleaseRule::Automatic,
            days: 30,
        };
        let researcher = caller(&self.coordinator, "researcher");
        let id = block_in_place(|| projects::apply(&self.coordinator, &researcher, draft))
            .map_err(|e| e.message)?;
        let reason = "agreed".to_owned();
        let verdict = Verdict { choice: Choice::Approve, reason, embargo_days: 0 };
        for (_, app) in &self.sites {
            app::rounds::part::look(app).await;
            let steward = caller(app, "steward");
            block_in_place(|| projects::decide(app, &steward, &id, &verdict))
                .map_err(|e| e.message)?;
        }
        // Each has told its decision when it looked again.
        for (_, app) in &self.sites {
            app::rounds::part::look(app).await;
        }
        Ok(id)
    }

    async fn stop(self) {
        for node in self.running {
            node.stop().await;
        }
    }
}

/// Somebody of a node in a role, signed in with a second factor just now.
fn caller(app: &App, role: &str) -> Caller {
    let now = app.now_ms();
    Caller {
        user: User {
            id: role.to_owned(),
            role: role.to_owned(),
            name: format!("The {role} of {}", app.org().name),
            patient: None,
            practitioner: None,
            acting: None,
            amr: ["pop", "user", "mfa"].map(str::to_owned).to_vec(),
            auth_time_ms: now,
            mfa_time_ms: Some(now),
        },
        purpose: if role == "researcher" { "HRESCH" } else { "HOPERAT" }.to_owned(),
        evidence: None,
        request_id: app.new_id().to_string(),
        address: "127.0.0.1".to_owned(),
        granted: None,
    }
}

#[cfg(test)]
mod tests {
    use statistics::{Step, Sums};

    use super::*;
    use crate::network::use_cryptography;

    /// A table of the shared material with its column of sites, or one that counts rows out to `parts`.
    fn table(name: &str, parts: Option<usize>) -> Option<String> {
        let root = std::env::var_os("CONSILIUM_SHARED").map_or_else(
            || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into(),
            std::path::PathBuf::from,
        );
        let path = root.join("data/statistics").join(name);
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("skipped: `{}` is absent; set CONSILIUM_SHARED", path.display());
            return None;
        };
        let Some(parts) = parts else { return Some(text) };
        let with = |(row, line): (usize, &str)| match row {
            0 => format!("{line},part\n"),
            row => format!("{line},part-{}\n", row % parts),
        };
        Some(text.lines().enumerate().map(with).collect())
    }

    /// What the same sites give when their vectors are added in the open, in this process.
    fn in_the_open(plan: &Plan) -> Answer {
        let table = csv::read(&plan.text, &plan.site).unwrap();
        let question = Question {
            dictionary: used(&table.dictionary, &plan.formula).unwrap(),
            most_rows: 4_096,
            analysis: Analysis::Regression(Regression::new(plan.formula.clone())),
        };
        let frames: Vec<Frame> =
            table.sites.iter().map(|(_, rows)| rows.only(&question.dictionary)).collect();
        let mut progress = question.start().unwrap();
        let mut round = progress.first();
        loop {
            let mut values = vec![0.0; round.layout.len()];
            for rows in &frames {
                let given = question.contribute(&round, rows).unwrap().values;
                values.iter_mut().zip(given).for_each(|(sum, value)| *sum += value);
            }
            let sites = u32::try_from(frames.len()).unwrap();
            match progress.take(&Sums { values, sites }).unwrap() {
                Step::Ask(next) => round = next,
                Step::Done(answer) => return *answer,
            }
        }
    }

    /// Runs a model through the network; the greatest relative difference of a coefficient or a
    /// standard error to what the open sum gives is at most 1e-9. Returns the estimates.
    fn check(name: &str, parts: Option<usize>, site: &str, formula: &str) -> Option<Vec<f64>> {
        use_cryptography();
        let formula = Formula::parse(formula).unwrap();
        let plan = Plan { text: table(name, parts)?, site: site.to_owned(), formula };
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let found = runtime.block_on(run(folder.path(), &plan)).unwrap();
        let open = in_the_open(&plan);
        assert_eq!((found.answer.n, found.answer.sites), (open.n, open.sites));
        let (Finding::Model(found), Finding::Model(open)) = (found.answer.finding, open.finding)
        else {
            panic!("no models")
        };
        let mut greatest = 0.0_f64;
        for (one, other) in found.coefficients.iter().zip(&open.coefficients) {
            assert_eq!(one.name, other.name);
            let pairs = [(one.estimate, other.estimate), (one.se.unwrap(), other.se.unwrap())];
            for (one, other) in pairs {
                greatest = greatest.max(((one - other) / other).abs());
            }
        }
        println!("{name}: greatest relative difference {greatest:.1e}");
        assert!(greatest <= 1e-9, "{name}: {greatest}");
        Some(found.coefficients.iter().map(|one| one.estimate).collect())
    }

    fn near(found: Option<Vec<f64>>, expected: &[f64]) {
        let Some(found) = found else { return };
        for (one, other) in found.iter().zip(expected) {
            assert!(((one - other) / other).abs() <= 1e-9, "{found:?}");
        }
        assert_eq!(found.len(), expected.len());
    }

    // The pooled estimates are those of `reference_results.json` beside the tables.
    #[test]
    fn lung_over_its_institutions_is_the_stratified_cox_model_of_the_pooled_rows() {
        let found = check("lung.csv", None, "inst", "cox(time, status) ~ age + sex + ph.ecog");
        near(
            found,
            &[0.009_561_341_696_557_896, -0.547_356_676_848_954_1, 0.597_253_244_680_412_3],
        );
    }

    #[test]
    fn a_trial_over_its_sites_one_of_three_patients_is_the_logistic_model_of_the_pooled_rows() {
        let formula = "logistic(outcome) ~ rx + age + gender + risk";
        let found = check("indo_rct.csv", None, "site", formula);
        if let Some(found) = found {
            near(
                Some(vec![found[1], found[4]]),
                &[-0.767_868_853_754_817_4, 0.436_440_399_215_718_7],
            );
        }
    }

    #[test]
    fn a_cohort_over_four_parts_is_as_its_pooled_rows() {
        let linear = "linear(wt82_71) ~ qsmk + sex + age + race + wt71 + smokeintensity + smokeyrs";
        check("nhefs_complete.csv", Some(4), "part", linear);
        let logistic = "logistic(death) ~ qsmk + sex + age + race + smokeintensity + smokeyrs";
        check("nhefs_complete.csv", Some(4), "part", logistic);
    }

    #[test]
    fn cancer_over_five_parts_is_as_its_pooled_rows() {
        let formula = "cox(rtime, recur) ~ age + log1p(nodes) + grade + hormon + chemo + size";
        check("rotterdam.csv", Some(5), "part", formula);
    }
}

//! A network with one node for each site of a table and one for whoever asks.

use std::path::Path;
use std::time::{Duration, Instant};

use app::catalog;
use app::projects::{self, Choice, Verdict};
use app::release;
use app::rounds::ask::{End, Standing, ask, ended, standing};
use app::{App, Caller, User};
use node::serve::{Running, start};
use statistics::csv::Table;
use statistics::{Answer, Dictionary, Frame, Question};
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
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// A released answer and what it took.
#[derive(Clone, Debug)]
pub struct Answered {
    /// It.
    pub answer: Answer,
    /// Rounds over the network.
    pub rounds: u32,
    /// From asking to the answer, in seconds.
    pub seconds: f64,
}

/// The nodes, all in this process.
pub struct Network {
    coordinator: App,
    sites: Vec<(OrgId, App)>,
    running: Vec<Running>,
}

impl Network {
    /// Starts them in `folder`, each site with its rows of the variables in `used`.
    pub async fn start(folder: &Path, table: &Table, used: &Dictionary) -> Result<Self, Fault> {
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

    /// Asks in a project, and lets the answer go where people have to look at it.
    pub async fn ask(&self, project: &str, question: &Question) -> Result<Answered, Fault> {
        let researcher = || caller(&self.coordinator, "researcher");
        let since = Instant::now();
        let id = block_in_place(|| ask(&self.coordinator, &researcher(), project, question))
            .map_err(|e| e.message)?;
        let ended = timeout(PATIENCE, ended(&self.coordinator, &researcher(), &id)).await;
        let mut standing =
            ended.map_err(|_| "there is no answer in time")?.map_err(|e| e.message)?;
        let seconds = since.elapsed().as_secs_f64();
        if matches!(standing.end, Some(End::Checking(_))) {
            standing = self.let_go(&id)?;
        }
        let Standing { rounds, missing, end, .. } = standing;
        match end {
            Some(End::Answered(answer)) => Ok(Answered { answer: *answer, rounds, seconds }),
            Some(End::Checking(_) | End::KeptBack(_) | End::Withheld(_)) => {
                Err("the answer did not leave".into())
            }
            Some(End::Failed(reason)) => {
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
    pub async fn project(&self, analyses: &[&str]) -> Result<String, Fault> {
        let holders: Vec<OrgId> = self.sites.iter().map(|(org, _)| org.clone()).collect();
        let [leader, helper, ..] = holders.as_slice() else { return Err("too few sites".into()) };
        let draft = projects::Draft {
            amends: None,
            title: "A question of all sites".to_owned(),
            purpose: "To compare it with what pooled rows give".to_owned(),
            researchers: Vec::new(),
            aggregators: [leader.clone(), helper.clone()],
            min_sites: u32::try_from(holders.len().min(3))?,
            holders,
            dataset: DATASET.to_owned(),
            analyses: analyses.iter().map(|kind| (*kind).to_owned()).collect(),
            programs: Vec::new(),
            // The rows of a table that is compared are nobody's secret: a level of few of them is
            // worked out like any other.
            min_rows: 1,
            release: ReleaseRule::Automatic,
            privacy: None,
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

    /// Stops them all.
    pub async fn stop(self) {
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

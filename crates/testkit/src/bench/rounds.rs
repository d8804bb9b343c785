//! Questions in rounds over real nodes: a logistic model over ten institutions, and many reports of
//! counts beside what adding them costs without a network.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use privacy::aggregate::{
    Aggregator, Batch, Context, Layout, Range, Report, Role, Summation, VerifyKey,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use statistics::csv;
use statistics::{Dictionary, Entry, Question};

use super::Settings;
use crate::client::Fault;
use crate::federated::Network;
use crate::figures::{Table, Times, cpu_seconds, ms};

/// Institutions that are asked for the model.
const SITES: usize = 10;
/// Rows at each.
const ROWS: usize = 500;
/// The same question again and again; the median counts.
const REPEATS: usize = 7;
/// Most that a round of a logistic model over ten nodes is to take.
const AIM: Duration = Duration::from_millis(300);

/// Levels of the second category of a table of counts.
const PARTS: usize = 20;

/// Measures both.
pub async fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    table.part("questions in rounds, real nodes over TLS, two aggregators");
    logistic(settings, table).await?;
    for groups in if settings.quick { vec![100] } else { vec![100, 1_000] } {
        counts(settings, table, groups).await?;
    }
    Ok(())
}

async fn logistic(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    let mut text = "site,y,a,b\n".to_owned();
    let mut rng = ChaCha20Rng::seed_from_u64(settings.seed);
    for row in 0..SITES * ROWS {
        let (a, b, luck) = rng.random::<(f64, f64, f64)>();
        let y = u8::from(luck < 1.0 / (1.0 + (1.0 - a - 0.5 * b).exp()));
        writeln!(text, "s{},{y},{a:.6},{b:.6}", row % SITES)?;
    }
    let analysis = serde_json::json!({"kind": "regression", "formula": "logistic(y) ~ a + b"});
    let read = csv::read(&text, "site")?;
    let question = question(&read.dictionary, ROWS, analysis)?;
    let folder = tempfile::tempdir()?;
    let network = Network::start(folder.path(), &read, &read.dictionary).await?;
    let project = network.project(&["regression"]).await?;
    let (mut times, mut rounds) = (Times::default(), 0);
    for _ in 0..if settings.quick { 2 } else { REPEATS } {
        let answered = network.ask(&project, &question).await?;
        rounds = answered.rounds;
        times.push(Duration::from_secs_f64(answered.seconds / f64::from(rounds.max(1))));
    }
    network.stop().await;
    let median = times.percentile(0.5);
    let what = format!("a round of a logistic model over {SITES} nodes ({rounds} rounds)");
    table.aimed(&what, &ms(median), "≤ 300 ms", median <= AIM);
    Ok(())
}

/// Counts by two categories, of `groups` cells beside those of missing values: every site gives one report.
async fn counts(settings: &Settings, table: &mut Table, groups: usize) -> Result<(), Fault> {
    let sites = if settings.quick { 3 } else { 20 };
    let mut text = "site,group,part\n".to_owned();
    for row in 0..sites * groups * 12 {
        let group = (row / sites) % groups;
        writeln!(text, "s{},g{:02},p{:02}", row % sites, group / PARTS, group % PARTS)?;
    }
    let read = csv::read(&text, "site")?;
    let analysis = serde_json::json!({"kind": "crosstab", "by": ["group", "part"]});
    let question = question(&read.dictionary, groups * 12, analysis)?;
    let entries = question.start()?.first().layout.entries;
    let cells: usize = entries.iter().map(|entry| entry.length).sum();
    // Counts travel in as many bits as their bounds have: beside it stands a report of the same bounds.
    let range = |entry: &Entry| Range {
        bound: entry.bound,
        is_count: entry.is_count,
        length: entry.length,
    };
    let layout = Layout::new(entries.iter().map(range).collect())?;
    let folder = tempfile::tempdir()?;
    let network = Network::start(folder.path(), &read, &read.dictionary).await?;
    let project = network.project(&["crosstab"]).await?;
    let (mut times, mut rounds) = (Times::default(), 0);
    let repeats = if settings.quick { 1 } else { REPEATS };
    let before = cpu_seconds()?;
    for _ in 0..repeats {
        let answered = network.ask(&project, &question).await?;
        rounds = answered.rounds;
        times.push(Duration::from_secs_f64(answered.seconds));
    }
    let each = (cpu_seconds()? - before) / (repeats * sites) as f64;
    network.stop().await;
    let alone = adding(layout, sites.max(20))?;
    table.fact(
        &format!("counts in {groups} groups, {sites} nodes, {rounds} rounds"),
        &format!("{} a question", ms(times.percentile(0.5))),
    );
    let what = format!("a report of {cells} counts, all nodes together");
    let share = alone / each;
    let reached = format!("{:.1} ms CPU, {:.1} %", each * 1e3, share * 100.0);
    table.aimed(&what, &reached, "≥ 80 % of the rate without a network", share >= 0.8);
    table.fact("the same report made and added without a network", &milliseconds(alone));
    Ok(())
}

/// CPU seconds of a report of counts: made by a site, verified and added by both.
fn adding(layout: Layout, reports: usize) -> Result<f64, Fault> {
    let values = vec![12.0; layout.length()];
    let task = Summation::committed(layout, &Context::new("net", "q", 1))?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = VerifyKey::generate(&mut rng);
    let leader = task.aggregator(Role::Leader, key.clone());
    let helper = task.aggregator(Role::Helper, key);
    let (before, since) = (cpu_seconds()?, Instant::now());
    let mut done = 0_usize;
    // The clock of a process has ticks of ten milliseconds.
    while since.elapsed() < Duration::from_secs(1) {
        let (mut one, mut two) = (Batch::new(&leader), Batch::new(&helper));
        for _ in 0..reports {
            let report = task.shard(&values, &mut rng)?;
            add(&report, (&leader, &mut one), (&helper, &mut two))?;
        }
        one.aggregate_share()?;
        two.aggregate_share()?;
        done += reports;
    }
    Ok((cpu_seconds()? - before) / done as f64)
}

fn add(
    report: &Report,
    (leader, one): (&Aggregator, &mut Batch),
    (helper, two): (&Aggregator, &mut Batch),
) -> Result<(), Fault> {
    let (first, share) = leader.init(report.id, &report.public_share, &report.leader)?;
    let (second, _) = helper.init(report.id, &report.public_share, &report.helper)?;
    let message = helper.combine(&second, &share)?;
    two.add(&helper.finish(second, &message)?)?;
    one.add(&leader.finish(first, &message)?)?;
    Ok(())
}

fn question(
    dictionary: &Dictionary,
    rows: usize,
    analysis: serde_json::Value,
) -> Result<Question, Fault> {
    Ok(Question {
        dictionary: dictionary.clone(),
        most_rows: u32::try_from(rows)?.next_power_of_two(),
        analysis: serde_json::from_value(analysis)?,
    })
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms CPU", seconds * 1e3)
}

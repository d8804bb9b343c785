//! Asking: every query once to warm up, then some rounds with a clock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use datafusion::prelude::{SessionConfig, SessionContext};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::tables::{Query, queries, register};
use crate::{Fault, limits, runtime};

/// How long one query may take.
const QUERY_TIME: Duration = Duration::from_secs(300);

/// What one process is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The tables
    #[arg(long)]
    tables: PathBuf,
    /// The queries
    #[arg(long)]
    queries: PathBuf,
    /// The cores to stay on, separated by commas; one partition and one thread each
    #[arg(long, required = true, value_delimiter = ',')]
    cores: Vec<usize>,
    /// Rounds with a clock
    #[arg(long)]
    rounds: u32,
    /// The file for what is found
    #[arg(long)]
    to: PathBuf,
}

/// A query, what it answered, and how long it took.
pub struct Measured {
    /// Its name.
    pub name: String,
    /// What it answered, in every round.
    pub answer: Answer,
    /// Seconds of each round, the first one not among them.
    pub seconds: Vec<f64>,
}

impl Measured {
    /// The median.
    pub fn median(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn json(&self) -> Value {
        json!({"name": self.name, "answer": self.answer.json(), "seconds": self.seconds})
    }
}

/// Asks DataFusion in this process.
pub fn single(arguments: &Arguments) -> Result<(), Fault> {
    limits::stay_on(&arguments.cores)?;
    let queries = queries(&arguments.queries)?;
    let found = runtime()?.block_on(async {
        let config = SessionConfig::new().with_target_partitions(arguments.cores.len());
        let context = SessionContext::new_with_config(config);
        register(&context, &arguments.tables).await?;
        ask(&context, &queries, arguments.rounds).await
    })?;
    let found: Vec<Value> = found.iter().map(Measured::json).collect();
    std::fs::write(&arguments.to, json!(found).to_string())?;
    Ok(())
}

/// What [`single`] wrote.
pub fn read(text: &str) -> Result<Vec<Measured>, Fault> {
    let found: Value = serde_json::from_str(text)?;
    let found = found.as_array().ok_or("a measurement is no list")?;
    let one = |value: &Value| -> Result<Measured, Fault> {
        let seconds = value["seconds"].as_array().into_iter().flatten();
        Ok(Measured {
            name: value["name"].as_str().unwrap_or_default().to_owned(),
            answer: Answer::read(&value["answer"])?,
            seconds: seconds.filter_map(Value::as_f64).collect(),
        })
    };
    found.iter().map(one).collect()
}

/// Asks every query once, and then as many rounds with a clock.
///
/// Errors: those of the engine, a query that takes longer than five minutes, and one that does not answer
/// the same in every round.
pub async fn ask(
    context: &SessionContext,
    queries: &[Query],
    rounds: u32,
) -> Result<Vec<Measured>, Fault> {
    let mut found = Vec::new();
    for Query { name, sql } in queries {
        let mut first: Option<Answer> = None;
        let mut seconds = Vec::new();
        for _ in 0..=rounds {
            let begun = Instant::now();
            let asked = async { context.sql(sql).await?.collect().await };
            let batches = tokio::time::timeout(QUERY_TIME, asked)
                .await
                .map_err(|_| format!("`{name}` takes longer than {QUERY_TIME:?}"))?
                .map_err(|error| format!("`{name}`: {error}"))?;
            let taken = begun.elapsed().as_secs_f64();
            let answer = Answer::of(&batches)?;
            match &first {
                None => first = Some(answer),
                Some(first) => {
                    first.compare(&answer).map_err(|error| format!("`{name}` again: {error}"))?;
                    seconds.push(taken);
                }
            }
        }
        let answer = first.ok_or("no round")?;
        found.push(Measured { name: name.clone(), answer, seconds });
    }
    Ok(found)
}

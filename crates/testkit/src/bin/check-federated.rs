//! Fits a regression over the sites of a table through a real network, one node for each site, and
//! prints the estimates as JSON: to be compared with what any other program finds in the pooled rows.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use statistics::formula::Formula;
use testkit::client::Fault;
use testkit::federated::{Plan, json, run};
use testkit::figures::say;
use testkit::network::use_cryptography;

#[derive(Parser)]
#[command(
    name = "check-federated",
    about = "Fit a model over the sites of a CSV table, through one node for each site",
    after_help = "Models: linear(y), logistic(y), poisson(y), negbin(y) or cox(time, event), then ~ and terms:\n  \
                  'cox(time, event) ~ age + sex'    'logistic(outcome) ~ rx*age + log(dose)'\n\
                  Text columns become indicator variables; rows with a missing value in a used column are\n\
                  dropped and counted. Cox models are stratified by site."
)]
struct Arguments {
    /// The table: CSV with a header line; empty fields and NA are missing
    #[arg(long)]
    csv: PathBuf,
    /// The column that names the site of a row
    #[arg(long)]
    site: String,
    /// The model
    #[arg(long)]
    model: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match start(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(arguments: Arguments) -> Result<(), Fault> {
    use_cryptography();
    let path = arguments.csv.display();
    let text = std::fs::read_to_string(&arguments.csv)
        .map_err(|e| format!("cannot read `{path}`: {e}"))?;
    let formula = Formula::parse(&arguments.model)?;
    let folder = tempfile::Builder::new().prefix("consilium-federated-").tempdir()?;
    let found = run(folder.path(), &Plan { text, site: arguments.site, formula }).await?;
    say(&serde_json::to_string_pretty(&json(&found)?)?);
    Ok(())
}

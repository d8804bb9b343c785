//! `consilium lake`: the tables of views over the records, at the terminal.

use std::path::PathBuf;

use app::lake::export::{Exported, Order, export};
use clap::Subcommand;

use crate::command::say;
use crate::wiring::{Fault, open, system_clock};

/// What to do with the lake.
#[derive(Subcommand)]
pub enum Task {
    /// Hand tables out as plain Parquet files, on purpose, for an engine that runs on many machines
    ///
    /// Makes the folder TO with one folder for each table (`observation/observation.parquet`) and a
    /// README.txt that says what they are. The tables hold whoever is in research at this moment and
    /// nobody who opted out. Keys are replaced by others of this export alone, so tables of one export
    /// can be joined and lead back to no record; tables of two exports cannot be joined.
    ///
    /// The files are NOT encrypted and hold personal data: a row for each record with exact dates,
    /// postal codes and typed texts. None of the node's rules holds for them: no least group, no
    /// privacy budget, no check of answers; and a patient who opts out later stays in them until you remove them.
    /// For data that may leave the institution order a de-identified extract instead
    /// (`/research/extracts`). The export and its reason are in the audit.
    ///
    /// The node must not be running. Its lake first follows the records to their end, which takes a
    /// while where it has never run. Nothing is overwritten: TO must not be there yet.
    ///
    /// Example: consilium lake export --dir north --to /srv/tables --reason "yearly report, Spark"
    Export {
        /// The node's folder; the node must not be running
        #[arg(long)]
        dir: PathBuf,
        /// The folder to make; put it on an encrypted disk that few people can read
        #[arg(long)]
        to: PathBuf,
        /// For what, in one line without a word about a patient; the audit keeps it
        #[arg(long)]
        reason: String,
        /// Tables, separated by commas; all of them if absent
        #[arg(long = "table", value_delimiter = ',')]
        tables: Vec<String>,
    },
}

/// Carries out the task.
pub fn run(task: Task) -> Result<(), Fault> {
    let Task::Export { dir, to, reason, tables } = task;
    let node = open(&dir, system_clock())?;
    let order = Order { tables, reason, to };
    let written = export(&node.app, &order).map_err(|error| error.message)?;
    for Exported { table, rows } in &written {
        say(&format!("{table}: {rows} rows"));
    }
    say(&format!(
        "`{}` holds {} tables; they are NOT encrypted, and who opts out from now on stays in them: \
         see its README.txt, and remove it when it is no longer needed",
        order.to.display(),
        written.len()
    ));
    Ok(())
}

//! The same questions of a node that holds ten times the data.

use std::sync::Arc;

use super::Settings;
use super::peers::import;
use super::server::Server;
use super::wire::load;
use super::workload::{Stored, Workload, kinds};
use crate::client::Fault;
use crate::figures::{Table, ms, say};
use crate::population::Bundles;

/// How many times as much.
const TIMES: usize = 10;
/// Requests of each kind.
const REQUESTS: usize = 400;

/// Loads one node with a tenth of Synthea's patients and one with all, and asks both the same
/// about the patients that both have.
pub async fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    let Some(data) = settings.data.as_deref() else {
        say("\nskipped: the same questions of ten times the data, Synthea's bundles are absent");
        return Ok(());
    };
    let bundles = Bundles::read(data)?;
    let few = (bundles.patients.len() / TIMES).max(1);
    let (small, large) =
        (Workload::new(bundles.clone(), few)?, Workload::new(bundles, few * TIMES)?);
    table.part(&format!("the same questions of {} and {} entries", small.entries, large.entries));
    let (one, ten) = (Server::consilium().await?, Server::consilium().await?);
    let held = import(&one, &small, false, table).await?;
    let whole = import(&ten, &large, false, table).await?;
    // Both took the same patients first.
    let shared = Stored {
        patients: whole.patients.iter().take(held.patients.len()).cloned().collect(),
        observations: whole.observations.iter().take(held.observations.len()).cloned().collect(),
        count: held.count,
    };
    let large = kinds(&ten.base, &shared, &small.codes);
    for (small, large) in kinds(&one.base, &held, &small.codes).into_iter().zip(large) {
        let count = REQUESTS.min(small.requests);
        // Neither works for itself while the other is asked.
        ten.rest().await?;
        let before = load(&one.door, Arc::new(small.asks), 1, count).await?;
        one.rest().await?;
        let after = load(&ten.door, Arc::new(large.asks), 1, count).await?;
        let (before, after) = (before.times.percentile(0.5), after.times.percentile(0.5));
        let ratio = after.as_secs_f64() / before.as_secs_f64().max(1e-9);
        let shown = format!("{} to {}: {ratio:.2}", ms(before), ms(after));
        table.aimed(small.name, &shown, "<= 1.3 times", ratio <= 1.3);
    }
    Ok(())
}

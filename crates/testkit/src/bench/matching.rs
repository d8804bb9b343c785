//! Patient matching as the node does it: searches find candidates, each is scored, at most one of
//! a hospital is followed without a person's decision.

use std::time::Instant;

use matching::evaluate::{Labelled, Report, evaluate};
use matching::{Model, Person};
use synthetic::{World, sites};

use super::Settings;
use crate::client::Fault;
use crate::figures::{Table, cpu_seconds, say};
use crate::population::{Bundles, generated};

/// Hits of one search that are looked at.
const SEARCH_CAP: usize = 200;
/// Records that are compared each with each for the speed.
const COMPARED: usize = 400;
/// Wrong pairs whose scores are printed.
const SHOWN: usize = 3;

/// Seeds of the noise on Synthea's patients; populations generated, and people in each.
struct Sizes {
    seeds: u64,
    worlds: u64,
    people: usize,
}

/// Measures on Synthea's patients where they are, and on generated people with families, twins
/// and namesakes. Blocks.
pub fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    table.part("matching between three hospitals");
    let model = Model::standard()?;
    let sizes = match settings.quick {
        true => Sizes { seeds: 2, worlds: 1, people: 60 },
        false => Sizes { seeds: 50, worlds: 10, people: 400 },
    };
    let sites = sites(3);
    let mut sample = Vec::new();
    match &settings.data {
        None => table.fact("Synthea's patients", "skipped, they are absent"),
        Some(folder) => {
            let bundles = Bundles::read(folder)?.only_demographics()?;
            let mut sum = Sum::default();
            for seed in 0..sizes.seeds {
                sample = labelled(&bundles.split(&sites, settings.seed + seed)?);
                sum.add(&sample, &model)?;
            }
            let name =
                format!("{} Synthea patients x {} seeds", bundles.patients.len(), sizes.seeds);
            sum.print(&name, table);
        }
    }
    let mut sum = Sum::default();
    for seed in 0..sizes.worlds {
        let world = generated(&sites, settings.seed + seed, sizes.people);
        let records = labelled(&world);
        sum.add(&records, &model)?;
        if sample.is_empty() {
            sample = records;
        }
    }
    let name = format!("{} generated people with families x {} seeds", sizes.people, sizes.worlds);
    sum.print(&name, table);
    speed(&sample, &model, table)
}

fn labelled(world: &World) -> Vec<Labelled> {
    let mut records = Vec::new();
    for person in &world.persons {
        for (org, known) in &person.at {
            if let Some(patient) = known.resources.first() {
                records.push((person.file.clone(), org.clone(), patient.clone()));
            }
        }
    }
    records
}

#[derive(Default)]
struct Sum {
    report: Report,
    cpu: f64,
    wrong: Vec<String>,
}

impl Sum {
    fn add(&mut self, records: &[Labelled], model: &Model) -> Result<(), Fault> {
        let cpu = cpu_seconds()?;
        let report = evaluate(records, model, SEARCH_CAP)?;
        self.cpu += cpu_seconds()? - cpu;
        self.report.add(&report);
        for listed in &report.wrongly_followed {
            let file = |at: usize| records.get(at).map_or("", |record| record.0.as_str());
            let weight = listed.score.as_ref().map_or(0.0, |score| score.weight);
            let pair = format!("{} taken for {}", file(listed.query), file(listed.candidate));
            self.wrong.push(format!("    wrong: {pair}, weight {weight:.1}"));
        }
        Ok(())
    }

    fn print(&self, name: &str, table: &mut Table) {
        let r = &self.report;
        let (certain, possible) = (r.certain, r.possible);
        let pairs = certain.right + certain.missed;
        table
            .fact(name, &format!("{pairs} true pairs, {} questions, both directions", r.questions));
        let (precision, recall) = (certain.precision(), certain.recall());
        let shown = format!("{precision:.5} ({} wrong)", certain.wrong);
        table.aimed("  precision of certain", &shown, ">= 0.999", precision >= 0.999);
        let shown = format!("{recall:.4} ({} missed)", certain.missed);
        table.aimed("  recall of certain", &shown, ">= 0.98", recall >= 0.98);
        let found = possible.recall();
        let shown = format!("{found:.4} ({} missed)", possible.missed);
        table.aimed("  recall of certain or possible", &shown, ">= 0.98", found >= 0.98);
        table.fact("  recall of the searches", &format!("{:.4}", r.blocking.recall()));
        let each = r.comparisons as f64 / r.questions.max(1) as f64;
        let rate = r.comparisons as f64 / self.cpu.max(0.01);
        let shown = format!("{rate:.0} ({each:.1} candidates a question)");
        table.fact("  comparisons per CPU second, parsing and searches included", &shown);
        self.wrong.iter().take(SHOWN).for_each(|line| say(line));
    }
}

/// Comparisons alone, on one core: each record with each.
fn speed(records: &[Labelled], model: &Model, table: &Table) -> Result<(), Fault> {
    let mut people = Vec::new();
    for (_, _, text) in records.iter().take(COMPARED) {
        people.push(Person::of(&fhir::Resource::parse(text.as_str())?));
    }
    let started = Instant::now();
    let mut certain = 0_u64;
    for a in &people {
        for b in &people {
            certain += u64::from(model.compare(a, b).grade == matching::Grade::Certain);
        }
    }
    let count = (people.len() * people.len()) as f64;
    let rate = count / started.elapsed().as_secs_f64().max(1e-9);
    let shown = format!("{rate:.0} ({count:.0} made, {certain} certain)");
    table.fact("comparisons/s on one core, each explained", &shown);
    Ok(())
}

//! The work of an extract: walk, de-identify, write, and look whether all are still in research.

use std::collections::{BTreeMap, HashSet};

use fhir::edit::walk_references;
use fhir::{Document, Id, Resource};
use jiff::Timestamp;
use privacy::deidentify::text::Finder;
use privacy::deidentify::{
    Action as What, CompiledRecipe, Context, Counts, Links, ProjectKey, Recipe, Rule, Subject,
    postal,
};
use serde_json::{Value, json};
use store::query::Query;
use store::{Key, Method, Snapshot, Stored};

use super::demographics::{Demographics, TAKEN};
use super::order::{LEAST_PATIENTS, Order, too_few};
use super::subjects::{Known, Subjects};
use super::{key, manifest, report, stale};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::bulk::{Met, Part, Plan, Rolls, Scan, Window, stood};
use crate::consent::research::{Participants, Standing, participants};
use crate::jobs::{Outcome, Run};
use crate::records::{holdings, kept, parse};
use crate::{App, Error, Kind, Result};

/// How often an extract is made anew because somebody left research meanwhile.
const MOST_PASSES: usize = 5;
/// Changes that are walked along at a time.
const PAGE: usize = 500;
/// Types that belong to no patient and come along where an extracted resource refers to them.
const REFERENCED: [&str; 7] = [
    "HealthcareService",
    "Location",
    "Medication",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Substance",
];
/// Most of them that come along.
const MOST_REFERENCED: usize = 500_000;

const RECIPE: &str = "recipe.json";
const RISK: &str = "risk.json";
const RISK_TEXT: &str = "risk.md";
const DEMOGRAPHICS: &str = "demographics.csv";

/// Makes an extract, from its start also after a restart: what was decided before may not hold any more.
pub(super) fn run(app: &App, run: &Run) -> Outcome<Value> {
    let order = Order::of(run.request())?;
    let recipe = order.compiled()?;
    order.check_project(app, run.caller(), &recipe)?;
    let narrow = match order.anonymity {
        Some(_) => Some(without_demographics(recipe.recipe())?),
        None => None,
    };
    let means = Means {
        recipe: &recipe,
        narrow: narrow.as_ref(),
        key: key::of(app, &order.project)?,
        year: Timestamp::from_millisecond(app.now_ms())
            .map_err(|e| Error::internal(e.to_string()))?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .year(),
        areas: postal::Areas::default(),
        links: Links::default(),
        finder: Finder::new(),
    };
    for _ in 0..MOST_PASSES {
        let mut pass = Pass::begin(app, run, &order, &means)?;
        pass.walk()?;
        pass.bring_along()?;
        if stale::holds(app, &pass.included)? {
            order.check_project(app, run.caller(), &recipe)?;
            return pass.end();
        }
    }
    let message = "patients keep deciding about research while the extract is made; order it again";
    Err(Error::new(Kind::Busy, message).into())
}

/// The recipe, but for what the table of demographics tells in its place.
fn without_demographics(recipe: &Recipe) -> Result<CompiledRecipe> {
    let redact = |path: &str| Rule { path: path.to_owned(), action: What::Redact };
    let mut narrow = recipe.clone();
    narrow.rules = TAKEN.iter().map(|path| redact(path)).chain(narrow.rules).collect();
    CompiledRecipe::new(narrow).map_err(|e| Error::invalid("value", format!("the recipe: {e}")))
}

/// What resources are de-identified with.
struct Means<'a> {
    recipe: &'a CompiledRecipe,
    /// For Patients, where their demographics are in a table of their own.
    narrow: Option<&'a CompiledRecipe>,
    key: ProjectKey,
    year: i16,
    areas: postal::Areas,
    links: Links,
    finder: Finder,
}

impl Means<'_> {
    fn context(&self) -> Context<'_> {
        Context {
            key: &self.key,
            reference_year: self.year,
            areas: &self.areas,
            links: &self.links,
            finder: &self.finder,
        }
    }

    fn reads_texts(&self) -> bool {
        self.recipe.recipe().rules.iter().any(|rule| rule.action == What::FreeText)
    }
}

/// One walk over the records.
struct Pass<'a> {
    app: &'a App,
    run: &'a Run,
    order: &'a Order,
    means: &'a Means<'a>,
    kinds: HashSet<&'static str>,
    listed: HashSet<Id>,
    plan: Plan,
    rolls: Rolls,
    subjects: Subjects,
    demographics: Demographics,
    included: BTreeMap<Id, Standing>,
    counts: Counts,
    seen: HashSet<Key>,
    referenced: Vec<Key>,
}

impl<'a> Pass<'a> {
    fn begin(app: &'a App, run: &'a Run, order: &'a Order, means: &'a Means<'a>) -> Outcome<Self> {
        let rows = app.jobs().options().file_rows;
        let nothing: BTreeMap<String, Vec<Part>> = BTreeMap::new();
        let rolls = Rolls::resume(run.folder(), rows, nothing.clone(), &nothing)?;
        let listed = order.listed();
        let plan = Plan::make(app, run.folder(), &window(order))?;
        let subjects = Subjects::new(plan.seq, means.reads_texts());
        Ok(Self {
            app,
            run,
            order,
            means,
            kinds: order.kinds().into_iter().collect(),
            listed,
            plan,
            rolls,
            subjects,
            demographics: Demographics::default(),
            included: BTreeMap::new(),
            counts: Counts::default(),
            seen: HashSet::new(),
            referenced: Vec::new(),
        })
    }

    fn walk(&mut self) -> Outcome<()> {
        let (plan, window) = (self.plan.clone(), window(self.order));
        let mut scan = Scan::open(self.run.folder(), plan, window, 0)?;
        loop {
            self.run.progress(scan.progress());
            self.run.check()?;
            let participants = participants(self.app)?;
            let snapshot = self.app.store().snapshot()?;
            let more = scan.page((self.app, self.run.caller()), PAGE, &mut |met| match met {
                Met::Deleted(_) => Ok(()),
                Met::Resource(stored, resource) => {
                    let resource = resource.map_or_else(|| parse(&stored), Ok)?;
                    self.take(&*snapshot, &participants, &stored, &resource)
                }
            })?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Writes what may be told of a resource.
    fn take(
        &mut self,
        snapshot: &dyn Snapshot,
        participants: &Participants,
        stored: &Stored,
        resource: &Resource,
    ) -> Outcome<()> {
        let Some(patient) = holdings::whose(resource) else { return Ok(()) };
        if kept::is_governance(resource)
            || !self.listed.is_empty() && !self.listed.contains(&patient)
        {
            return Ok(());
        }
        let standing = participants.standing(&patient);
        if matches!(standing, Standing::Out) {
            return Ok(());
        }
        let known = self.subjects.get((self.app, snapshot), &patient, &standing)?;
        let Some(known) = known.filter(|known| known.lets(&stored.key)) else { return Ok(()) };
        self.write(&patient, &known, stored, resource)?;
        self.included.entry(patient).or_insert(standing);
        self.refer(resource);
        Ok(())
    }

    fn write(
        &mut self,
        patient: &Id,
        known: &Known,
        stored: &Stored,
        resource: &Resource,
    ) -> Outcome<()> {
        let context = self.means.context();
        let made = self.means.recipe.apply(resource, &known.subject, &context);
        let kind = stored.key.resource_type;
        let narrowed = match (kind, self.means.narrow) {
            ("Patient", narrow) => {
                let after = Document::parse(made.text.as_str())
                    .map_err(|e| Error::internal(format!("a recipe made no JSON: {e}")))?;
                self.demographics.patient(patient, resource.root(), after.root());
                narrow.map(|narrow| narrow.apply(resource, &known.subject, &context).text)
            }
            ("Condition", _) => {
                self.demographics.condition(patient, resource.root());
                None
            }
            _ => None,
        };
        self.counts.add(&made.counts);
        self.rolls.line(kind, "ndjson", narrowed.as_deref().unwrap_or(&made.text))
    }

    /// Notes what a resource refers to that belongs to nobody.
    fn refer(&mut self, resource: &Resource) {
        walk_references(resource.root(), &mut |reference| {
            let text = reference.as_str().unwrap_or_default();
            let Some((kind, id)) = text.split_once('/') else { return };
            let kind = REFERENCED.into_iter().find(|known| *known == kind);
            let Some(resource_type) = kind.filter(|kind| self.kinds.contains(kind)) else { return };
            let Ok(id) = Id::new(id) else { return };
            let key = Key { resource_type, id };
            if self.seen.len() < MOST_REFERENCED && !self.seen.contains(&key) {
                self.seen.insert(key.clone());
                self.referenced.push(key);
            }
        });
    }

    /// Writes what may be told of what was referred to, as it stood at the same moment.
    fn bring_along(&mut self) -> Outcome<()> {
        let nobody = Subject::nobody();
        let mut at = 0;
        while let Some(key) = self.referenced.get(at).cloned() {
            at += 1;
            if at % 100 == 1 {
                self.run.check()?;
            }
            let snapshot = self.app.store().snapshot()?;
            let stored = stood(&*snapshot, &key, self.plan.seq)?;
            let Some(stored) = stored.filter(|stored| stored.method != Method::Delete) else {
                continue;
            };
            let resource = parse(&stored)?;
            let made = self.means.recipe.apply(&resource, &nobody, &self.means.context());
            self.counts.add(&made.counts);
            self.rolls.line(key.resource_type, "ndjson", &made.text)?;
            self.refer(&resource);
        }
        Ok(())
    }

    fn end(&mut self) -> Outcome<Value> {
        if self.included.len() < LEAST_PATIENTS {
            return Err(too_few().into());
        }
        self.rolls.finish()?;
        stale::write(self.run.folder(), &self.included)?;
        let mut others = vec![RECIPE];
        let recipe = self.means.recipe.recipe();
        let name = format!("{} {}", recipe.name, recipe.version);
        let text = json!({"recipe": recipe, "done": self.counts});
        manifest::put(self.run, RECIPE, &pretty(&text)?)?;
        // Without Patients there are no demographics to be recognised by.
        if self.demographics.len() > 0 {
            let population = match self.order.population {
                Some(population) => population,
                None => self.patients_held()?,
            };
            let (risks, table) = report::of(&self.demographics, population, self.order.anonymity)?;
            manifest::put(self.run, RISK, &pretty(&json!(risks))?)?;
            manifest::put(self.run, RISK_TEXT, &risks.text(&name, &self.order.project))?;
            others.extend([RISK, RISK_TEXT]);
            if let Some(table) = table {
                manifest::put(self.run, DEMOGRAPHICS, &report::csv(&table))?;
                others.push(DEMOGRAPHICS);
            }
        }
        let what = (self.order, &self.plan, name.as_str());
        let patients = self.included.len();
        let made =
            manifest::write(self.app, self.run, what, self.rolls.parts(), &others, patients)?;
        let note = format!(
            "a de-identified extract by recipe {name} for project {}: {patients} patients, {} resources",
            self.order.project, made.resources
        );
        let event = Event::by(self.run.caller(), Pattern::Disclose);
        self.app.audit(event.data(format!("Task/{}", self.run.id())).note(note))?;
        Ok(json!(made))
    }

    fn patients_held(&self) -> Result<usize> {
        let held = self.app.store().snapshot()?.count(&Query::every("Patient"))?;
        Ok(usize::try_from(held).unwrap_or(usize::MAX))
    }
}

fn window(order: &Order) -> Window {
    let listed = order.listed();
    Window {
        types: order.kinds(),
        patients: (!listed.is_empty()).then_some(listed),
        owned_only: true,
        ..Window::default()
    }
}

fn pretty(value: &Value) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|e| Error::internal(e.to_string()))
}

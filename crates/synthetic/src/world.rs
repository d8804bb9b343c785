//! The whole synthetic population over all hospitals.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::body::Body;
use crate::calendar::{DAY_MS, YEAR_MS, age, date_time};
use crate::chance::Chance;
use crate::chart::Chart;
use crate::course::Course;
use crate::demographics::{Demographics, Extras, patient};
use crate::disease::Disease;
use crate::itinerary;
use crate::noise::{Population, Rates, register};
use crate::people::{Draft, people};
use crate::prevalence;
use crate::sites::{Site, shared};
use crate::story;
use crate::treat::ALLERGIES;

/// The most people that one world has.
pub const MAX_PATIENTS: usize = 100_000;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The same seed with the same other options gives the same bytes.
    pub seed: u64,
    /// How many people, at most [`MAX_PATIENTS`]. About 150 make a plausible demonstration.
    pub patients: usize,
    /// The hospitals.
    pub sites: &'a [Site],
    /// The time of the last events, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// One patient at one hospital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePatient {
    /// Logical id of the Patient there.
    pub patient_id: String,
    /// Resources as JSON texts, the Patient first. References are relative (`Type/id`).
    pub resources: Vec<String>,
}

/// One real person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Label, or name of the source file.
    pub file: String,
    /// The person's record at each hospital that knows them, by organisation id.
    pub at: BTreeMap<String, SitePatient>,
}

/// Everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The people, the one of the demonstration first.
    pub persons: Vec<Person>,
    /// Organization, Location, Practitioner and PractitionerRole texts that every hospital holds.
    pub shared: Vec<String>,
}

impl World {
    /// The person of the demonstration, who has the demonstration's patient account at every
    /// hospital that knows her. `None` in an empty world.
    pub fn story(&self) -> Option<&Person> {
        self.persons.iter().find(|person| person.file == story::LABEL)
    }

    /// Who has the demonstration's patient account at hospital `org`: the person of the
    /// demonstration where she is known, else the first person who is. `None` where nobody is.
    pub fn account_holder(&self, org: &str) -> Option<&Person> {
        let story = self.story().filter(|person| person.at.contains_key(org));
        story.or_else(|| self.persons.iter().find(|person| person.at.contains_key(org)))
    }
}

/// Who is who, for checks only: a JSON array of `{file, patients: {hospital: id}}`.
pub fn truth(persons: &[Person]) -> String {
    let entries = persons.iter().map(|person| {
        let patients: serde_json::Map<String, Value> = person
            .at
            .iter()
            .map(|(org, known)| (org.clone(), known.patient_id.clone().into()))
            .collect();
        json!({"file": person.file, "patients": patients})
    });
    Value::Array(entries.collect()).to_string()
}

/// Generates people and their records. A third of the people are known to two or three hospitals;
/// the first is the person of the demonstration, known to the first three.
pub fn generate(options: &Options<'_>) -> World {
    let mut world = World { persons: Vec::new(), shared: shared(options.sites) };
    let count = options.patients.min(MAX_PATIENTS);
    if count == 0 || options.sites.is_empty() {
        return world;
    }
    let heroine = story::draft(options.now_ms);
    let drafts = people(options.seed, count - 1, options.now_ms, &[story::FAMILY]);
    let mut population = Population::default();
    [&heroine].into_iter().chain(&drafts).for_each(|draft| population.add(&draft.truth));
    world.persons.push(tell_story(options, &heroine));
    let spread = spread(options, &drafts);
    for (index, (draft, sites)) in drafts.iter().zip(&spread).enumerate() {
        let label = format!("person-{:03}", index + 1);
        world.persons.push(live(options, draft, sites, &label, index, &population));
    }
    world
}

/// Which hospitals know whom, home first. Exactly a third of all people, rounded up, are known to
/// more than one; people who are easily mistaken for each other come first.
fn spread<'a>(options: &Options<'a>, drafts: &[Draft]) -> Vec<Vec<&'a Site>> {
    let mut chance = Chance::new(options.seed, &["spread"]);
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    chance.shuffle(&mut order);
    order.sort_by_key(|at| !drafts.get(*at).is_some_and(|draft| draft.confusable));
    let several = (drafts.len() + 1).div_ceil(3).saturating_sub(1);
    let mut out: Vec<Vec<&Site>> = drafts
        .iter()
        .map(|draft| {
            // One household goes to one family doctor.
            let mut home = Chance::new(options.seed, &["home", &draft.household.to_string()]);
            options.sites.get(home.below(options.sites.len())).into_iter().collect()
        })
        .collect();
    for at in order.into_iter().take(several) {
        let wanted = if chance.yes(0.4) { 3 } else { 2 };
        let Some(sites) = out.get_mut(at) else { continue };
        let mut others: Vec<&Site> =
            options.sites.iter().filter(|site| !sites.contains(site)).collect();
        chance.shuffle(&mut others);
        sites.extend(others.into_iter().take(wanted - 1));
    }
    out
}

fn tell_story(options: &Options<'_>, draft: &Draft) -> Person {
    let sites: Vec<&Site> = options.sites.iter().take(3).collect();
    let course = story::course(options.seed, &sites, draft, options.now_ms);
    let at = course.charts.iter().enumerate().map(|(number, chart)| {
        let copy = story::copy(&draft.truth, number);
        (chart.site.org.clone(), record(options, draft, &copy, chart, None))
    });
    Person { file: story::LABEL.into(), at: at.collect() }
}

fn live(
    options: &Options<'_>,
    draft: &Draft,
    sites: &[&Site],
    label: &str,
    index: usize,
    population: &Population,
) -> Person {
    let mut chance = Chance::new(options.seed, &["life", label]);
    let mut body = Body::new(&mut chance, draft.female, draft.birth_ms);
    let years = age(draft.birth_ms, options.now_ms);
    for (disease, onset) in
        prevalence::draw(&mut chance, draft.female, years, body.smoker, body.bmi)
    {
        let onset_ms = draft.birth_ms + (onset * YEAR_MS as f64) as i64;
        body.onset.insert(disease, onset_ms);
    }
    if let Some(disease) = private_disease(index, years) {
        body.onset.insert(disease, options.now_ms - chance.between(500, 2000) * DAY_MS);
        if disease == Disease::Bipolar {
            body.onset.remove(&Disease::Depression);
            body.onset.remove(&Disease::Anxiety);
        }
    }
    let start = Course::known_since(&body, options.now_ms, &mut chance);
    let planned = itinerary::plan(&body, sites.len(), start, options.now_ms, &mut chance);
    let mut course = Course::new(options.seed, label, sites, body, options.now_ms);
    course.allergies = ALLERGIES
        .iter()
        .filter(|(share, _)| chance.yes(*share))
        .map(|(_, allergy)| *allergy)
        .collect();
    if sites.len() > 1 && index.is_multiple_of(23) {
        // Some tell one hospital of penicillin and the others of nothing.
        course.denies_allergies = true;
        course.allergies = ALLERGIES.iter().take(1).map(|(_, allergy)| *allergy).collect();
    }
    course.run(&planned);
    let alive = course.died_ms.is_none();
    for site in 0..sites.len() {
        if alive && !course.charts[site].is_empty() && chance.yes(0.2) {
            course.book(site, chance.between(5, 60));
        }
    }
    let rates = Rates::default();
    let mut at = BTreeMap::new();
    for chart in course.charts.iter().filter(|chart| !chart.is_empty()) {
        let copy = register(&draft.truth, &rates, population, &chart.site.org, label, options.seed);
        // The family does not always tell every hospital of a death.
        let died = course.died_ms.filter(|_| chance.yes(0.7));
        at.insert(chart.site.org.clone(), record(options, draft, &copy, chart, died));
    }
    Person { file: label.into(), at }
}

/// Diseases of special sensitivity are rare; one grown person in twelve has one, in turn.
fn private_disease(index: usize, years: f64) -> Option<Disease> {
    let all = [Disease::Alcohol, Disease::Hiv, Disease::Bipolar, Disease::Opioid];
    let fits = (24.0..68.0).contains(&years) && index % 12 == 5;
    fits.then(|| all.get(index / 12 % all.len()).copied()).flatten()
}

fn record(
    options: &Options<'_>,
    draft: &Draft,
    copy: &Demographics,
    chart: &Chart<'_>,
    died: Option<i64>,
) -> SitePatient {
    let org = &chart.site.org;
    let mut chance = Chance::new(options.seed, &["record number", org, &chart.patient_id]);
    let mrn = chance.between(1_000_000, 9_999_999).to_string();
    let mut extras: Extras = vec![(
        "extension".into(),
        json!([{"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex",
            "valueCode": if draft.female { "F" } else { "M" }}])
        .to_string(),
    )];
    if let Some(at) = died {
        extras.push(("deceasedDateTime".into(), json!(date_time(at)).to_string()));
    }
    if age(draft.birth_ms, options.now_ms) >= 16.0 {
        let (code, display) = draft.marital;
        extras.push(("maritalStatus".into(), json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": code, "display": display}]}).to_string()));
    }
    if let Some(rank) = draft.twin {
        extras.push(("multipleBirthInteger".into(), rank.to_string()));
    }
    extras.push(("communication".into(), json!([{"language": {"coding": [{
        "system": "urn:ietf:bcp:47", "code": "en-US", "display": "English (United States)"}]}, "preferred": true}]).to_string()));
    let mut resources = vec![patient(copy, org, &chart.patient_id, &mrn, &extras)];
    resources.extend(chart.texts());
    SitePatient { patient_id: chart.patient_id.clone(), resources }
}

//! All shared Synthea patients through the shipped recipes: nothing of what the originals say of
//! people and places may be found in what comes out.
//!
//! What is searched, without regard to case:
//! - every word of at least three characters of every name of a Patient, Practitioner or
//!   RelatedPerson, as a word;
//! - every city, address line, organisation's and location's name, as a phrase on word bounds;
//! - every telephone number, e-mail address, identifier and logical id, on word bounds (an identifier
//!   of nines is otherwise found in the digits of measured values);
//! - every date to the month or longer, anywhere, whatever it is of (`2021-07`);
//! - every year 90 or more before the reference year in the value of a date.
//!
//! Words that are also ordinary words are not excused: the output of Safe Harbor must hold none.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read as _;

use base64::Engine as _;
use fhir::{Document, Resource, Value};
use privacy::deidentify::text::Finder;
use privacy::deidentify::{
    CompiledRecipe, Context, Counts, Links, ProjectKey, Subject, postal, shipped,
};
use regex::{Regex, RegexBuilder};

const YEAR: i16 = 2021;

struct Data {
    links: Links,
    /// Resources with the id of their patient.
    resources: Vec<(Option<String>, Resource)>,
    subjects: HashMap<String, Subject>,
}

fn load() -> Option<Data> {
    let folder = crate::shared("data/synthea")?;
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let mut data =
        Data { links: Links::default(), resources: Vec::new(), subjects: HashMap::new() };
    for file in files {
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        let bundle = Document::parse(text).unwrap();
        data.links.add_bundle(bundle.root());
        let entries: Vec<Resource> = bundle
            .root()
            .get("entry")
            .unwrap()
            .items()
            .map(|entry| Resource::parse(entry.get("resource").unwrap().raw()).unwrap())
            .collect();
        let patient = entries.iter().find(|r| r.type_name() == "Patient");
        let id = patient.map(|p| p.id().unwrap().as_str().to_owned());
        if let Some(patient) = patient {
            data.subjects.insert(id.clone().unwrap(), Subject::of(patient));
        }
        data.resources.extend(entries.into_iter().map(|r| (id.clone(), r)));
    }
    Some(data)
}

/// What must not be found.
#[derive(Default)]
struct Secrets {
    words: BTreeSet<String>,
    phrases: BTreeSet<String>,
    values: BTreeSet<String>,
}

fn texts(value: Option<Value<'_>>, names: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    for item in value.into_iter().flat_map(|value| value.each()) {
        for name in names {
            let found = item.get(name).into_iter().flat_map(|v| v.each());
            out.extend(found.filter_map(|v| v.as_str()).map(|v| v.to_lowercase()));
        }
    }
    out
}

impl Secrets {
    fn learn(&mut self, resource: &Resource) {
        self.values.extend(resource.id().map(|id| id.as_str().to_lowercase()));
        self.values.extend(texts(resource.get("identifier"), &["value"]));
        let of = resource.type_name();
        if !["Patient", "Practitioner", "RelatedPerson", "Organization", "Location"].contains(&of) {
            return;
        }
        for name in texts(resource.get("name"), &["family", "given", "text"]) {
            self.words.extend(words(&name).filter(|w| w.chars().count() >= 3).map(str::to_owned));
        }
        self.phrases.extend(resource.root().str_at("name").map(|name| name.to_lowercase()));
        self.phrases.extend(texts(resource.get("address"), &["line", "city"]));
        self.values.extend(texts(resource.get("telecom"), &["value"]));
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn any_of(values: &BTreeSet<String>) -> Regex {
    let escaped: Vec<_> = values.iter().map(|value| regex::escape(value)).collect();
    let pattern = escaped.join("|");
    let pattern = format!(r"(?-u:\b)(?:{pattern})(?-u:\b)");
    RegexBuilder::new(&pattern).size_limit(1 << 28).build().unwrap()
}

/// The output with what is encoded in it opened, so that the search sees it.
fn opened(text: &str) -> String {
    let data = Regex::new(r#""data":"([A-Za-z0-9+/=]+)""#).unwrap();
    data.replace_all(text, |found: &regex::Captures<'_>| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(&found[1]).unwrap();
        String::from_utf8(bytes).unwrap()
    })
    .to_lowercase()
}

/// Applies a recipe to the resources of every `step`-th patient, and those of nobody.
fn export(recipe: &CompiledRecipe, data: &Data, step: usize) -> (String, Counts) {
    let key = ProjectKey::new(&[7; 32], "project-1").unwrap();
    let (areas, finder) = (postal::Areas::default(), Finder::new());
    let context = Context {
        key: &key,
        reference_year: YEAR,
        areas: &areas,
        links: &data.links,
        finder: &finder,
    };
    let (mut all, mut counts) = (String::new(), Counts::default());
    let nobody = Subject::nobody();
    let mut patients: Vec<&String> = data.subjects.keys().collect();
    patients.sort();
    let chosen: HashSet<&String> = patients.into_iter().step_by(step).collect();
    let mine = |patient: &Option<String>| patient.as_ref().is_none_or(|id| chosen.contains(id));
    for (patient, resource) in data.resources.iter().filter(|(patient, _)| mine(patient)) {
        let subject = patient.as_ref().map_or(&nobody, |id| &data.subjects[id]);
        let made = recipe.apply(resource, subject, &context);
        assert!(Resource::parse(made.text.as_str()).is_ok(), "{}", resource.type_name());
        counts.add(&made.counts);
        all.push_str(&made.text);
        all.push('\n');
    }
    (all, counts)
}

fn found(secrets: &Secrets, output: &str) -> BTreeMap<String, usize> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut hit = |kind: &str, text: &str| {
        *found.entry(format!("{kind} {text}")).or_default() += 1;
    };
    let known: HashSet<&str> = secrets.words.iter().map(String::as_str).collect();
    words(output).filter(|word| known.contains(word)).for_each(|word| hit("word", word));
    // Most values are one run of these characters; the others are looked for as phrases.
    let in_run = |c: char| c.is_alphanumeric() || "@._+-".contains(c);
    let (runs, others): (HashSet<&str>, Vec<&str>) = {
        let (runs, others): (Vec<&str>, Vec<&str>) =
            secrets.values.iter().map(String::as_str).partition(|value| value.chars().all(in_run));
        (runs.into_iter().collect(), others)
    };
    let run = output.split(|c: char| !in_run(c)).map(|run| run.trim_matches('.'));
    run.filter(|run| runs.contains(run)).for_each(|run| hit("value", run));
    let phrases = secrets.phrases.iter().cloned().chain(others.into_iter().map(str::to_owned));
    for (kind, pattern) in [
        ("phrase", any_of(&phrases.collect())),
        ("date", Regex::new(r"\b(?:1[89]|20)\d\d-(?:0[1-9]|1[0-2])(?:-[0-3]\d)?\b").unwrap()),
    ] {
        pattern.find_iter(output).for_each(|m| hit(kind, m.as_str()));
    }
    for m in Regex::new(r#":"(1[89]\d\d|20\d\d)""#).unwrap().captures_iter(output) {
        if YEAR - m[1].parse::<i16>().unwrap() >= 90 {
            hit("year", &m[1]);
        }
    }
    found
}

#[test]
fn nothing_that_identifies_comes_out() {
    let Some(data) = load() else { return };
    let mut secrets = Secrets::default();
    data.resources.iter().for_each(|(_, resource)| secrets.learn(resource));
    assert_eq!(data.subjects.len(), 60);
    let input: String = data.resources.iter().map(|(_, r)| r.text().to_lowercase()).collect();
    let before: usize = found(&secrets, &input).values().sum();
    for name in ["safe-harbor", "safe-harbor-notes"] {
        let recipe = shipped::recipe(name).unwrap().unwrap();
        // Reading notes takes long unoptimised: those of every tenth patient.
        let step = if name == "safe-harbor" { 1 } else { 10 };
        let (output, counts) = export(&recipe, &data, step);
        let found = found(&secrets, &opened(&output));
        println!(
            "{name}: {} resources, {} words, {} phrases, {} values searched; {before} found before, \
             {} after; {} bytes out; {counts:?}",
            data.resources.len(),
            secrets.words.len(),
            secrets.phrases.len(),
            secrets.values.len(),
            found.values().sum::<usize>(),
            output.len(),
        );
        assert_eq!(found, BTreeMap::new(), "{name}");
        if step > 1 {
            continue;
        }
        // What analyses need is still there.
        assert!(output.matches("\"resourceType\":\"Observation\"").count() == 20_004);
        assert!(output.matches("\"valueQuantity\":{\"value\":").count() > 17_000);
        assert!(output.matches("\"birthDate\":\"").count() > 40);
    }
}

#[test]
fn references_still_lead_to_their_targets() {
    let Some(data) = load() else { return };
    let recipe = shipped::recipe("safe-harbor").unwrap().unwrap();
    let (output, _) = export(&recipe, &data, 1);
    let mut ids = HashSet::new();
    let mut references = Vec::new();
    for line in output.lines() {
        let resource = Resource::parse(line).unwrap();
        ids.insert(format!("{}/{}", resource.type_name(), resource.id().unwrap().as_str()));
        fhir::edit::walk_references(resource.root(), &mut |reference| {
            references.push(reference.as_str().unwrap().into_owned());
        });
    }
    assert!(references.len() > 100_000, "{}", references.len());
    let lost = references.iter().filter(|reference| !ids.contains(*reference)).count();
    assert_eq!(lost, 0);
}

//! A data set of this institution in the terms of the catalogue's engine, from which every document
//! is written.

use ::catalog::description::{
    Access, Concept, DataUse, Door, Keyword, Kind, Level, Licence, Quality, Unit, Variable, Way,
};
use ::catalog::health_dcat::{EHDS, authority, health_authority};
use ::catalog::words::Sha256;
use ::catalog::{Catalogue, Dataset as Description, Iri, Language, Slug, Texts};
use statistics::{Dictionary, Kind as Holds, Variable as Holding};

use super::described::{self, Described, day};
use super::institution::{access_body, contact, homepage, place, publisher};
use super::twin::{self, Drawn};
use super::{Dataset, about};
use crate::{App, Error, Result};

/// What is said of every data set: words in English, German and Spanish.
const PURPOSE: [&str; 3] = [
    "Scientific research in projects that the institution has approved.",
    "Wissenschaftliche Forschung in Vorhaben, die die Einrichtung gebilligt hat.",
    "Investigación científica en proyectos que la institución ha aprobado.",
];
const CONDITIONS: [&str; 3] = [
    "Through a project that this institution has approved. No row leaves it: questions are answered by sums over several institutions, and every answer is checked before it is released.",
    "Über ein Vorhaben, das diese Einrichtung gebilligt hat. Keine Zeile verlässt sie: Fragen werden durch Summen über mehrere Einrichtungen beantwortet, und jede Antwort wird vor der Freigabe geprüft.",
    "Mediante un proyecto que esta institución haya aprobado. Ninguna fila sale de ella: las preguntas se responden con sumas de varias instituciones y cada respuesta se comprueba antes de publicarse.",
];
const QUESTIONS: [&str; 3] = [
    "Questions of approved projects",
    "Fragen gebilligter Vorhaben",
    "Preguntas de proyectos aprobados",
];
const SAMPLE: [&str; 3] = [
    "The head of the table, without rows",
    "Der Kopf der Tabelle, ohne Zeilen",
    "La cabecera de la tabla, sin filas",
];
const TWIN: [&str; 3] = ["A synthetic twin", "Ein synthetischer Zwilling", "Un gemelo sintético"];
const TWIN_ROWS: [&str; 3] = [
    "Made-up rows for writing and trying analyses outside. They belong to nobody and were drawn from counts with noise; nothing may be concluded from them.",
    "Erfundene Zeilen, um Auswertungen außerhalb zu schreiben und zu erproben. Sie gehören niemandem und sind aus verrauschten Zahlen gezogen; es darf nichts aus ihnen geschlossen werden.",
    "Filas inventadas para escribir y probar análisis fuera. No pertenecen a nadie y se extrajeron de recuentos con ruido; no debe concluirse nada de ellas.",
];
const PROVENANCE: [&str; 3] = [
    "A table of people without names that the institution has registered for research.",
    "Eine Tabelle von Menschen ohne Namen, die die Einrichtung für die Forschung eingetragen hat.",
    "Una tabla de personas sin nombres que la institución ha registrado para la investigación.",
];

/// The institution's catalogue. Blocks.
pub(super) fn catalogue(app: &App) -> Result<Catalogue> {
    let own = described::own(app)?;
    let one = |(set, known): &(Dataset, Described)| sound(set, description(app, set, known));
    let datasets: Vec<Description> = own.iter().filter_map(one).collect();
    let name = &app.org().name;
    let issued = own.iter().map(|(_, known)| known.issued_ms).min();
    let modified = own.iter().map(|(set, _)| set.since_ms).max();
    Ok(Catalogue {
        iri: address(app, "/research/catalog")?,
        title: english(&format!("Data sets of {name}")),
        description: english(&format!(
            "What {name} holds for research, in words and in counts with noise. No row leaves it."
        )),
        publisher: publisher(app)?,
        homepage: Some(homepage(app)?),
        legislation: vec![iri(EHDS)?],
        languages: vec![language("en")?],
        issued: issued.map(day).transpose()?,
        modified: modified.map(day).transpose()?,
        datasets,
    })
}

/// What was made of a data set. Of one that cannot be told of nothing is, with a word in the log, so that the others
/// still are.
pub(super) fn sound<T>(set: &Dataset, made: Result<T>) -> Option<T> {
    let log = |error: &Error| {
        tracing::error!(
            dataset = %set.name, reason = %error.message, "a data set cannot be told of"
        );
    };
    made.inspect_err(log).ok()
}

/// One data set as the engine describes it.
pub(super) fn description(app: &App, set: &Dataset, known: &Described) -> Result<Description> {
    let Described { about, counted, .. } = known;
    let page = address(app, &format!("/catalog/{}", set.name))?;
    let conditions = own_or(&about.conditions, CONDITIONS)?;
    let systems: Result<Vec<Concept>> = about
        .coding_systems
        .iter()
        .map(|word| about::system(word))
        .map(|system| system.map(|(iri, name)| Concept { iri, label: english(&name) }))
        .collect();
    let keyword = |word: &String| Ok(Keyword { language: language("en")?, word: word.clone() });
    let mut keywords: Vec<Keyword> = about.keywords.iter().map(keyword).collect::<Result<_>>()?;
    if keywords.is_empty() {
        keywords = vec![keyword(&set.name)?, keyword(&"health research".to_owned())?];
    }
    let sentence = |text: &String| Quality { text: english(text), page: Some(page.clone()) };
    Ok(Description {
        iri: address(app, &format!("/research/catalog/{}", set.name))?,
        name: Slug::new(set.name.as_str()).map_err(internal)?,
        title: english(&set.title),
        description: english(if about.description.trim().is_empty() {
            &set.title
        } else {
            &about.description
        }),
        keywords,
        themes: vec![european("data-theme", "HEAL", "Health")?],
        categories: terms("healthcategories", &about.categories, "EHRS")?,
        health_themes: terms("health-theme", &about.themes, "HEALTH_SYSTEMS")?,
        kind: Some(european("dataset-type", "STATISTICAL", "Statistical data")?),
        purposes: vec![worded(PURPOSE)?],
        legal_bases: Vec::new(),
        personal_data: Vec::new(),
        legislation: vec![iri(EHDS)?],
        population: english(&about.population),
        places: vec![place(app)?],
        period: about.period.clone(),
        coding_systems: systems?,
        standards: Vec::new(),
        // A row is a person.
        records: Some(counted.people),
        people: Some(counted.people),
        ages: None,
        access: Access::NonPublic,
        conditions: conditions.clone(),
        licence: Some(Licence { iri: iri(&format!("{page}#conditions"))?, title: conditions }),
        data_uses: vec![DataUse {
            code: "0000006".to_owned(),
            label: "health or medical or biomedical research".to_owned(),
        }],
        retention: None,
        frequency: None,
        version: known.version,
        version_notes: Texts::new(),
        issued: Some(day(known.issued_ms)?),
        modified: Some(day(set.since_ms)?),
        provenance: own_or(&about.provenance, PROVENANCE)?,
        quality: counted.sentences.iter().map(sentence).collect(),
        languages: vec![language("en")?],
        publisher: publisher(app)?,
        access_body: Some(access_body(app)?),
        contact: Some(contact(app, about)?),
        page: Some(page),
        variables: variables(set, known)?,
        doors: doors(app, set)?,
        sample: Some(sample(app, set)?),
    })
}

fn variables(set: &Dataset, known: &Described) -> Result<Vec<Variable>> {
    let one = |(place, holding): (usize, &Holding)| -> Result<Variable> {
        let about = &known.about;
        let kind = match &holding.kind {
            // What was made of the rows is not told; a category without levels is a text.
            Holds::Number { .. } if set.is_of_rows() => Kind::Decimal { least: None, most: None },
            Holds::Category { .. } if set.is_of_rows() => Kind::Text,
            Holds::Number { min, max } => Kind::Decimal { least: *min, most: *max },
            Holds::Category { levels } => Kind::Category {
                levels: levels
                    .iter()
                    .take(::catalog::description::MOST_LEVELS)
                    .map(|level| Level {
                        name: level.clone(),
                        coding: about.codes.get(&format!("{}={level}", holding.name)).cloned(),
                    })
                    .collect(),
            },
        };
        Ok(Variable {
            name: holding.name.clone(),
            title: english(&holding.name),
            description: english(&holding.description),
            kind,
            unit: about
                .units
                .get(&holding.name)
                .map(|ucum| Unit { ucum: ucum.clone(), shown: ucum.clone() }),
            coding: about.codes.get(&holding.name).cloned(),
            completeness: known.counted.shares.get(place).copied().flatten(),
            checks_passed: known.counted.passed.get(place).cloned().unwrap_or_default(),
        })
    };
    set.dictionary.variables.iter().enumerate().map(one).collect()
}

/// The questions, and the twin where there is one.
fn doors(app: &App, set: &Dataset) -> Result<Vec<Door>> {
    let mut doors = vec![door(app, set)?];
    if let Some(drawn) = twin::of(app, &set.name)? {
        doors.push(twin_door(app, set, &drawn)?);
    }
    Ok(doors)
}

fn twin_door(app: &App, set: &Dataset, drawn: &Drawn) -> Result<Door> {
    let at = address(app, &format!("/research/catalog/{}/twin.csv", set.name))?;
    Ok(Door {
        name: Slug::new("twin").map_err(internal)?,
        title: worded(TWIN)?,
        description: worded(TWIN_ROWS)?,
        access: address(app, &format!("/catalog/{}", set.name))?,
        way: Way::File {
            download: at,
            bytes: drawn.bytes,
            sha256: Sha256::new(drawn.sha256.as_str()).map_err(internal)?,
        },
        format: european("file-type", "CSV", "CSV")?,
        media_type: "text/csv".to_owned(),
    })
}

fn door(app: &App, set: &Dataset) -> Result<Door> {
    Ok(Door {
        name: Slug::new("questions").map_err(internal)?,
        title: worded(QUESTIONS)?,
        description: worded(CONDITIONS)?,
        access: address(app, &format!("/projects/new?dataset={}", set.name))?,
        way: Way::Service {
            endpoint: address(app, "/research/projects")?,
            definition: None,
            standards: Vec::new(),
        },
        format: european("file-type", "JSON", "JSON")?,
        media_type: "application/json".to_owned(),
    })
}

fn sample(app: &App, set: &Dataset) -> Result<Door> {
    let text = head(&set.dictionary);
    let digest = crypto::hash::hex(&crypto::sha256(text.as_bytes()));
    let at = address(app, &format!("/research/catalog/{}/head.csv", set.name))?;
    Ok(Door {
        name: Slug::new("head").map_err(internal)?,
        title: worded(SAMPLE)?,
        description: worded(SAMPLE)?,
        access: at.clone(),
        way: Way::File {
            download: at,
            bytes: text.len() as u64,
            sha256: Sha256::new(digest).map_err(internal)?,
        },
        format: european("file-type", "CSV", "CSV")?,
        media_type: "text/csv".to_owned(),
    })
}

/// The names of the variables as the first line of a CSV (RFC 4180), and no other line.
pub(super) fn head(dictionary: &Dictionary) -> String {
    let names: Vec<String> = dictionary.variables.iter().map(|one| field(&one.name)).collect();
    names.join(",") + "\r\n"
}

/// A text as a field of a CSV.
pub(super) fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

fn terms(table: &str, codes: &[String], default: &str) -> Result<Vec<Concept>> {
    match codes {
        [] => Ok(vec![health(table, default)?]),
        codes => codes.iter().map(|code| health(table, code)).collect(),
    }
}

pub(super) fn european(table: &str, code: &str, label: &str) -> Result<Concept> {
    Ok(Concept { iri: authority(table, code).map_err(internal)?, label: english(label) })
}

pub(super) fn health(table: &str, code: &str) -> Result<Concept> {
    let label = english(&code.replace(['_', '-'], " ").to_lowercase());
    Ok(Concept { iri: health_authority(table, code).map_err(internal)?, label })
}

/// What the holder says, else the words for everybody.
fn own_or(said: &str, words: [&str; 3]) -> Result<Texts> {
    if said.trim().is_empty() { worded(words) } else { Ok(english(said)) }
}

fn worded([en, de, es]: [&str; 3]) -> Result<Texts> {
    Ok(english(en).and(language("de")?, de).and(language("es")?, es))
}

/// The words of the institution, which writes in one language; `en` stands for it.
pub(super) fn english(text: &str) -> Texts {
    // The tag is one, so there always is a language.
    language("en").map(|en| Texts::of(en, text)).unwrap_or_default()
}

fn language(tag: &str) -> Result<Language> {
    Language::new(tag).map_err(internal)
}

/// An address of this node.
pub(super) fn address(app: &App, path: &str) -> Result<Iri> {
    iri(&format!("{}{path}", app.org().base_url))
}

fn iri(text: &str) -> Result<Iri> {
    Iri::new(text).map_err(internal)
}

pub(super) fn internal(error: ::catalog::Invalid) -> Error {
    Error::internal(error.to_string())
}

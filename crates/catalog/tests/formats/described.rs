//! A catalogue for the tests: two data sets, one of them nobody may have rows of.

use consilium_catalog::description::{
    Access, AgeRange, Agent, Coding, Concept, Contact, DataUse, Door, Keyword, Kind, LegalBasis,
    Level, Licence, Period, Quality, Unit, Variable, Version, Way,
};
use consilium_catalog::health_dcat::{EHDS, authority, health_authority};
use consilium_catalog::{
    Catalogue, CountRule, Dataset, Date, Email, Iri, Language, NoisyCount, Percent, Slug, Texts,
};

pub fn iri(text: &str) -> Iri {
    Iri::new(text).unwrap()
}

pub fn en(text: &str) -> Texts {
    Texts::of(Language::new("en").unwrap(), text)
}

fn two(english: &str, german: &str) -> Texts {
    en(english).and(Language::new("de").unwrap(), german)
}

fn concept(iri: Iri, label: &str) -> Concept {
    Concept { iri, label: en(label) }
}

fn eu(table: &str, code: &str, label: &str) -> Concept {
    concept(authority(table, code).unwrap(), label)
}

fn health(table: &str, code: &str, label: &str) -> Concept {
    concept(health_authority(table, code).unwrap(), label)
}

pub fn agent(host: &str, name: &str) -> Agent {
    Agent {
        iri: iri(&format!("https://{host}.example.org/about")),
        name: en(name),
        kind: Some(health("publisher-type", "public-health-institute", "Public health institute")),
        note: two(
            "It treats people and studies lungs.",
            "Es behandelt Menschen und erforscht Lungen.",
        ),
        email: Email::new(format!("data@{host}.example.org")).unwrap(),
        homepage: iri(&format!("https://{host}.example.org/")),
        telephone: Some("+41 44 000 00 00".to_owned()),
        is_trusted_holder: true,
    }
}

pub fn rule() -> CountRule {
    CountRule::new(2.0, 10, 10).unwrap()
}

fn variables() -> Vec<Variable> {
    let loinc = |code: &str, display: &str| Coding {
        system: iri("http://loinc.org"),
        code: code.to_owned(),
        display: display.to_owned(),
        prefix: "LOINC".to_owned(),
        iri: Some(iri(&format!("http://loinc.org/rdf/{code}"))),
    };
    let level = |name: &str, code: &str| Level {
        name: name.to_owned(),
        coding: Some(Coding {
            system: iri("http://purl.obolibrary.org/obo/ncit.owl"),
            code: code.to_owned(),
            display: name.to_owned(),
            prefix: "NCIT".to_owned(),
            iri: Some(iri(&format!("http://purl.obolibrary.org/obo/NCIT_{code}"))),
        }),
    };
    let plain = Variable {
        name: "age".to_owned(),
        title: two("Age at diagnosis", "Alter bei Diagnose"),
        description: en("In whole years, 90 for 90 and older."),
        kind: Kind::Integer { least: Some(0), most: Some(90) },
        unit: Some(Unit { ucum: "a".to_owned(), shown: "years".to_owned() }),
        coding: Some(loinc("63900-5", "Current age or age at death")),
        completeness: Percent::of(997, 1_000, 10),
        checks_passed: vec!["catalog-check-present".to_owned()],
    };
    vec![
        plain.clone(),
        Variable {
            name: "sex".to_owned(),
            title: en("Sex"),
            description: Texts::new(),
            kind: Kind::Category {
                levels: vec![level("female", "C16576"), level("male", "C20197")],
            },
            unit: None,
            coding: None,
            ..plain.clone()
        },
        Variable {
            name: "wt.loss \"kg\"".to_owned(),
            title: en("Loss of weight"),
            kind: Kind::Decimal { least: None, most: Some(80.5) },
            unit: Some(Unit { ucum: "kg".to_owned(), shown: "kg".to_owned() }),
            coding: None,
            ..plain
        },
    ]
}

fn door(host: &str) -> Door {
    Door {
        name: Slug::new("questions").unwrap(),
        title: en("Questions"),
        description: en("Statistics of approved projects, answered without a row leaving."),
        access: iri(&format!("https://{host}.example.org/research/apply")),
        way: Way::Service {
            endpoint: iri(&format!("https://{host}.example.org/api/research")),
            definition: Some(iri(&format!("https://{host}.example.org/openapi.json"))),
            standards: vec![concept(iri("http://hl7.org/fhir/R4"), "FHIR R4")],
        },
        format: eu("file-type", "JSON", "JSON"),
        media_type: "application/json".to_owned(),
    }
}

pub fn lung() -> Dataset {
    let host = "zurich";
    Dataset {
        iri: iri("https://zurich.example.org/catalog/lung"),
        name: Slug::new("lung").unwrap(),
        title: two("Lung cancer registry", "Register für Lungenkrebs"),
        description: two(
            "People with advanced lung cancer.",
            "Menschen mit fortgeschrittenem \"Krebs\"\\\n.",
        ),
        keywords: vec![
            Keyword { language: Language::new("en").unwrap(), word: "oncology".to_owned() },
            Keyword { language: Language::new("de").unwrap(), word: "Onkologie".to_owned() },
        ],
        themes: vec![eu("data-theme", "HEAL", "Health")],
        categories: vec![health("healthcategories", "EHRS", "Electronic health records")],
        health_themes: vec![health(
            "health-theme",
            "NONCOMMUNICABLE_DISEASES",
            "Noncommunicable diseases",
        )],
        kind: Some(eu("dataset-type", "STATISTICAL", "Statistical")),
        purposes: vec![en("Research on the treatment of lung cancer.")],
        legal_bases: vec![LegalBasis { text: en("Scientific research"), source: Some(iri(EHDS)) }],
        personal_data: vec![concept(iri("https://w3id.org/dpv/dpv-pd#Age"), "Age")],
        legislation: vec![iri(EHDS)],
        population: en("Adults treated at the hospital."),
        places: vec![eu("country", "CHE", "Switzerland")],
        period: Some(Period {
            start: Date::new("2015-01-01").unwrap(),
            end: Some(Date::new("2025-12-31").unwrap()),
        }),
        coding_systems: vec![health("coding-system", "LOINC", "LOINC")],
        standards: vec![health("standard", "FHIR", "FHIR")],
        records: Some(NoisyCount::of(12_344, rule())),
        people: Some(NoisyCount::of(4, rule())),
        ages: Some(AgeRange::new(39, 97).unwrap()),
        access: Access::NonPublic,
        conditions: en("Through a project that the hospital and its council of patients approved."),
        licence: Some(Licence {
            iri: iri("https://zurich.example.org/terms"),
            title: en("Terms of aggregate results"),
        }),
        data_uses: vec![DataUse {
            code: "0000006".to_owned(),
            label: "health or medical or biomedical research".to_owned(),
        }],
        retention: Some(Period { start: Date::new("2015-01-01").unwrap(), end: None }),
        frequency: Some(eu("frequency", "DAILY", "Daily")),
        version: Version { major: 1, minor: 2, patch: 3 },
        version_notes: en("First."),
        issued: Some(Date::new("2026-01-02").unwrap()),
        modified: Some(Date::new("2026-11-23").unwrap()),
        provenance: en("From the hospital's records."),
        quality: vec![Quality {
            text: en("About 100 % of records have age."),
            page: Some(iri("https://zurich.example.org/catalog/lung/quality")),
        }],
        languages: vec![Language::new("de-CH").unwrap()],
        publisher: agent(host, "Hospital of Zürich"),
        access_body: Some(agent("hdab", "Health data access body")),
        contact: Some(Contact {
            name: en("Data office"),
            email: Email::new("office@zurich.example.org").unwrap(),
            page: iri("https://zurich.example.org/office"),
        }),
        page: Some(iri("https://zurich.example.org/catalog/lung.html")),
        variables: variables(),
        doors: vec![door(host)],
        sample: Some(Door {
            name: Slug::new("twin").unwrap(),
            title: en("Synthetic twin"),
            way: Way::File {
                download: iri("https://zurich.example.org/catalog/lung-twin.csv"),
                bytes: 4_096,
                sha256: consilium_catalog::words::Sha256::new("0f".repeat(32)).unwrap(),
            },
            format: eu("file-type", "CSV", "CSV"),
            media_type: "text/csv".to_owned(),
            ..door(host)
        }),
    }
}

pub fn catalogue() -> Catalogue {
    let vaccines = Dataset {
        iri: iri("https://zurich.example.org/catalog/vaccines#2026"),
        name: Slug::new("vaccines").unwrap(),
        title: en("Vaccinations"),
        access: Access::Restricted,
        sample: None,
        variables: Vec::new(),
        quality: Vec::new(),
        page: None,
        ..lung()
    };
    Catalogue {
        iri: iri("https://zurich.example.org/catalog"),
        title: en("Data sets of the hospital"),
        description: en("What can be asked."),
        publisher: agent("zurich", "Hospital of Zürich"),
        homepage: Some(iri("https://zurich.example.org/catalog.html")),
        legislation: vec![iri(EHDS)],
        languages: vec![Language::new("en").unwrap()],
        issued: Some(Date::new("2026-01-02").unwrap()),
        modified: Some(Date::new("2026-11-23").unwrap()),
        datasets: vec![lung(), vaccines],
    }
}

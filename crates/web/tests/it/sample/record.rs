//! The record, in the states it goes through.

use web::clinician::record::{
    self, Access, Audience, Body, Claim, Conflict, ConflictKind, Document, Event, Flag, Measure,
    Person, RecordView, Row, Source, SourceState, Visit, VisitClass,
};
use web::parts::{SourceChip, Trend};
use web::terms::{Kind, Mark, Purpose, Sex, Touched};
use web::{Lang, Role, Theme, When};

use super::{Fill, NOW_MS, Page, chrome};

const LETTER: &str = "Admitted with acute anterior myocardial infarction.\r\n\r\n\
    Percutaneous coronary intervention of the left anterior descending artery with one \
    drug-eluting stent, without complications.\n\
    Discharged in good condition. Dual antiplatelet therapy for twelve months.";

const YEAR_MS: i64 = 31_557_600_000;

pub fn pages(lang: Lang, theme: Theme, fill: Fill) -> Vec<Page> {
    let clinician = chrome(lang, theme, Some(Role::Clinician), "/patients/p-1/record", fill);
    let patient = chrome(lang, theme, Some(Role::Patient), "/me/record", fill);
    let view = match fill {
        Fill::Full => full_record(Audience::Clinician),
        Fill::Empty => empty_record(Audience::Clinician),
    };
    let own = match fill {
        Fill::Full => full_record(Audience::Patient),
        Fill::Empty => empty_record(Audience::Patient),
    };
    vec![
        Page { name: "record", html: record::render(&view, &clinician).unwrap() },
        Page {
            name: "record-asking",
            html: record::render(&with_states(view.clone(), asking()), &clinician).unwrap(),
        },
        Page {
            name: "record-gaps",
            html: record::render(&with_states(view, gaps()), &clinician).unwrap(),
        },
        Page { name: "my-record", html: record::render(&own, &patient).unwrap() },
    ]
}

fn chip(n: usize) -> SourceChip {
    let names = [
        ("north", "North Valley Hospital"),
        ("harrow", "Harrow Bay Medical Center"),
        ("agnes", "St. Agnes Clinic"),
        ("mercy", "Mercy Rehabilitation"),
        ("lake", "Lakeside Children’s Hospital"),
        ("oak", "Oak Street Practice"),
        ("fern", "Fernhill Cancer Institute"),
        ("dell", "Dell County Public Health"),
    ];
    let (short, name) = names[n % names.len()];
    SourceChip { short: short.into(), name: name.into(), hue: (n % 8) as u8 }
}

fn asking() -> Vec<SourceState> {
    vec![
        SourceState::Answered { items: 61 },
        SourceState::Answered { items: 38 },
        SourceState::Asking,
    ]
}

fn gaps() -> Vec<SourceState> {
    vec![
        SourceState::Answered { items: 61 },
        SourceState::Withheld,
        SourceState::TimedOut,
        SourceState::Partial { items: 12, of: Some(40) },
        SourceState::PossibleMatch { review: Some("/links#link-1".into()) },
        SourceState::NoMatch,
        SourceState::Unreachable,
        SourceState::Refused,
        SourceState::NotAsked,
    ]
}

/// The same record with its sources in other states; live while one is asked.
pub fn with_states(mut view: RecordView, states: Vec<SourceState>) -> RecordView {
    view.live = states.contains(&SourceState::Asking);
    view.sources = states
        .into_iter()
        .enumerate()
        .map(|(n, state)| Source {
            chip: chip(n),
            here: n == 0,
            notes: if n == 1 { vec!["no redisclosure without consent directive: NORDSCLCD (agreement “Shared care”)".into()] } else { Vec::new() },
            took_ms: match &state {
                SourceState::Asking => None,
                SourceState::TimedOut => Some(2000),
                _ => Some(14 + 97 * n as u64),
            },
            state,
        })
        .collect();
    view
}

fn empty_record(audience: Audience) -> RecordView {
    let view = RecordView {
        audience,
        patient: Person {
            id: "p-5".into(),
            name: "Per Lindström".into(),
            birth: None,
            sex: Sex::Unknown,
            deceased: None,
            identifiers: Vec::new(),
            address: String::new(),
            phone: String::new(),
        },
        access: None,
        sources: Vec::new(),
        as_of_ms: NOW_MS,
        live: false,
        all: false,
        conflicts: Vec::new(),
        problems: Vec::new(),
        past_problems: Vec::new(),
        medications: Vec::new(),
        past_medications: Vec::new(),
        allergies: Vec::new(),
        vitals: Vec::new(),
        labs: Vec::new(),
        vaccinations: Vec::new(),
        procedures: Vec::new(),
        timeline: Vec::new(),
        documents: Vec::new(),
        encounters: Vec::new(),
        observations: Vec::new(),
        unlisted: Vec::new(),
    };
    with_states(view, vec![SourceState::Answered { items: 1 }])
}

fn row(id: &str, text: &str, detail: &str, when: &str, sources: &[usize]) -> Row {
    Row {
        id: id.into(),
        text: text.into(),
        detail: detail.into(),
        when: When::parse(when),
        until: None,
        marks: Vec::new(),
        sources: sources.iter().map(|n| chip(*n)).collect(),
        originals: match sources.len() {
            0 | 1 => Vec::new(),
            _ => sources.iter().map(|n| claim(*n, text, when)).collect(),
        },
        conflict: None,
    }
}

fn claim(source: usize, text: &str, when: &str) -> Claim {
    Claim { source: chip(source), text: text.into(), when: When::parse(when) }
}

fn marked(row: Row, marks: &[Mark]) -> Row {
    Row { marks: marks.to_vec(), ..row }
}

fn disputed(row: Row, conflict: &str) -> Row {
    Row { conflict: Some(conflict.into()), ..row }
}

/// A record with everything in it.
pub fn full_record(audience: Audience) -> RecordView {
    let view = RecordView {
        audience,
        patient: Person {
            id: "p-1".into(),
            name: "Maren Lindqvist".into(),
            birth: When::parse("1961-02-28"),
            sex: Sex::Female,
            deceased: None,
            identifiers: vec![("MRN".into(), "NV-204118".into())],
            address: "12 Mill Lane, Valley Ford 01238".into(),
            phone: "555 0142".into(),
        },
        access: (audience == Audience::Clinician).then(|| Access {
            purpose: Purpose::Treatment,
            evidence: "Outpatient visit, 14 May 2024".into(),
            break_glass_until_ms: None,
        }),
        sources: Vec::new(),
        as_of_ms: NOW_MS,
        live: false,
        all: false,
        conflicts: conflicts(),
        problems: problems(),
        past_problems: past_problems(),
        medications: medications(),
        past_medications: vec![Row {
            until: When::parse("2022-06-01"),
            ..marked(
                row("m-9", "Ibuprofen 400 mg tablet", "as needed", "2019-03", &[1]),
                &[Mark::Stopped],
            )
        }],
        allergies: allergies(),
        vitals: vitals(),
        labs: labs(),
        vaccinations: vec![
            row("i-1", "Influenza, seasonal", "", "2023-10-12", &[0]),
            row("i-2", "COVID-19, mRNA", "", "2023-10-12", &[0, 2]),
            row("i-3", "Tetanus and diphtheria", "", "2018-05-02", &[1]),
        ],
        procedures: vec![
            row(
                "pr-1",
                "Percutaneous coronary intervention",
                "left anterior descending",
                "2021-09-18",
                &[1],
            ),
            row("pr-2", "Colonoscopy", "", "2019-11-05", &[2]),
            row("pr-3", "Appendectomy", "", "1979", &[0]),
        ],
        timeline: timeline(),
        documents: documents(),
        encounters: visits(),
        observations: vec![measure(
            "o-1",
            "Tobacco smoking status",
            "Never smoker",
            "",
            Flag::None,
            &[],
        )],
        unlisted: vec![Touched { kind: Kind::Billing, count: 41 }],
    };
    with_states(
        view,
        vec![
            SourceState::Answered { items: 61 },
            SourceState::Answered { items: 38 },
            SourceState::Answered { items: 22 },
        ],
    )
}

fn conflicts() -> Vec<Conflict> {
    vec![
        Conflict {
            id: "conflict-1".into(),
            kind: ConflictKind::Dose,
            grave: false,
            about: "Metoprolol".into(),
            claims: vec![
                claim(0, "47.5 mg once daily", "2024-02-11"),
                claim(1, "95 mg once daily", "2021-09-20"),
            ],
        },
        Conflict {
            id: "conflict-2".into(),
            kind: ConflictKind::AllergyDenied,
            grave: true,
            about: "Penicillin".into(),
            claims: vec![
                claim(2, "Anaphylaxis", "2009-07"),
                claim(0, "No known drug allergies", "2023-10-12"),
            ],
        },
    ]
}

fn problems() -> Vec<Row> {
    vec![
        row(
            "p-1",
            "Coronary artery disease",
            "after anterior myocardial infarction 2021",
            "2021-09-18",
            &[0, 1],
        ),
        reworded(
            row("p-2", "Type 2 diabetes mellitus", "", "2014", &[0, 1, 2]),
            "Diabetes mellitus type II, not insulin dependent",
        ),
        row("p-3", "Essential hypertension", "", "2011-04", &[0, 1]),
        row("p-4", "Chronic kidney disease, stage 3a", "", "2022-08-30", &[0]),
        marked(row("p-5", "Iron deficiency anaemia", "", "2024-03-04", &[2]), &[Mark::Provisional]),
        marked(row("p-6", "Major depressive disorder", "", "2008", &[1]), &[Mark::Remission]),
    ]
}

fn reworded(mut row: Row, text: &str) -> Row {
    row.originals[1].text = text.into();
    row
}

fn past_problems() -> Vec<Row> {
    let mut past = vec![
        marked(row("p-7", "Acute bronchitis", "", "2023-01-09", &[0]), &[Mark::Resolved]),
        marked(row("p-8", "Fracture of left radius", "", "2016-12-27", &[2]), &[Mark::Resolved]),
    ];
    past[1].until = When::parse("2017-02");
    past
}

fn medications() -> Vec<Row> {
    vec![
        row("m-1", "Aspirin 100 mg tablet", "1 – 0 – 0", "2021-09-20", &[0, 1]),
        row("m-2", "Atorvastatin 80 mg tablet", "0 – 0 – 1", "2021-09-20", &[0, 1]),
        disputed(
            row("m-3", "Metoprolol succinate 47.5 mg", "1 – 0 – 0", "2024-02-11", &[0, 1]),
            "conflict-1",
        ),
        row("m-4", "Metformin 1000 mg tablet", "1 – 0 – 1, with meals", "2015-01", &[0, 1, 2]),
        row("m-5", "Ramipril 5 mg tablet", "1 – 0 – 0", "2011-04", &[0]),
        marked(
            row("m-6", "Iron(II) glycine sulfate 100 mg", "1 – 0 – 0", "2024-03-05", &[2]),
            &[Mark::OnHold],
        ),
    ]
}

fn allergies() -> Vec<Row> {
    vec![
        marked(
            disputed(row("a-1", "Penicillin", "anaphylaxis", "2009-07", &[2]), "conflict-2"),
            &[Mark::HighCriticality],
        ),
        marked(
            row("a-2", "Iodinated contrast media", "urticaria", "2021-09-18", &[1]),
            &[Mark::Unconfirmed],
        ),
    ]
}

fn series(values: &[f64], from_years: f64) -> Vec<(i64, f64)> {
    let step = from_years * YEAR_MS as f64 / values.len().max(1) as f64;
    values
        .iter()
        .enumerate()
        .map(|(n, value)| (NOW_MS - ((values.len() - n) as f64 * step) as i64, *value))
        .collect()
}

fn measure(id: &str, name: &str, value: &str, unit: &str, flag: Flag, values: &[f64]) -> Measure {
    Measure {
        id: id.into(),
        name: name.into(),
        value: value.into(),
        unit: unit.into(),
        flag,
        when: When::parse("2024-05-14"),
        trend: Trend { series: vec![series(values, 4.0)], low: None, high: None },
        reference: String::new(),
        sources: vec![chip(0), chip(1)],
        conflict: None,
    }
}

fn reference(measure: Measure, low: Option<f64>, high: Option<f64>) -> Measure {
    Measure { trend: Trend { low, high, ..measure.trend }, ..measure }
}

fn vitals() -> Vec<Measure> {
    let mut pressure = measure("v-1", "Blood pressure", "148/86", "mmHg", Flag::High, &[]);
    pressure.trend.series = vec![
        series(&[152.0, 149.0, 141.0, 138.0, 136.0, 142.0, 139.0, 148.0], 4.0),
        series(&[92.0, 90.0, 84.0, 82.0, 80.0, 85.0, 83.0, 86.0], 4.0),
    ];
    let pulse = [72.0, 76.0, 68.0, 66.0, 64.0, 63.0, 66.0];
    let weight = [86.4, 85.9, 84.0, 83.2, 82.8, 83.5, 82.1];
    vec![
        reference(pressure, Some(90.0), Some(140.0)),
        reference(
            measure("v-2", "Heart rate", "66", "/min", Flag::Normal, &pulse),
            Some(50.0),
            Some(100.0),
        ),
        measure("v-3", "Body weight", "82.1", "kg", Flag::None, &weight),
        measure(
            "v-4",
            "Body mass index",
            "29.4",
            "kg/m²",
            Flag::None,
            &[30.9, 30.7, 30.1, 29.6, 29.4],
        ),
        Measure {
            sources: vec![chip(0)],
            ..measure("v-5", "Oxygen saturation", "97", "%", Flag::Normal, &[97.0])
        },
    ]
}

fn labs() -> Vec<Measure> {
    let hba1c = [8.4, 8.1, 7.6, 7.2, 7.0, 7.3, 7.4];
    let egfr = [78.0, 74.0, 69.0, 63.0, 58.0, 54.0, 51.0];
    let potassium = [4.2, 4.4, 4.3, 4.6, 4.9, 5.3, 6.1];
    let ldl = [4.1, 3.9, 2.2, 1.6, 1.5, 1.4];
    let haemoglobin = [13.4, 13.1, 12.8, 12.2, 11.4, 10.6];
    let mut values = vec![
        reference(
            measure("l-1", "Haemoglobin A1c", "7.4", "%", Flag::High, &hba1c),
            Some(4.0),
            Some(6.5),
        ),
        reference(
            measure("l-2", "eGFR", "51", "mL/min/1.73 m²", Flag::Low, &egfr),
            Some(60.0),
            None,
        ),
        reference(
            measure("l-3", "Potassium", "6.1", "mmol/L", Flag::CriticalHigh, &potassium),
            Some(3.5),
            Some(5.1),
        ),
        reference(
            measure("l-4", "LDL cholesterol", "1.4", "mmol/L", Flag::Normal, &ldl),
            None,
            Some(1.8),
        ),
        reference(
            measure("l-5", "Haemoglobin", "10.6", "g/dL", Flag::Low, &haemoglobin),
            Some(12.0),
            Some(16.0),
        ),
        Measure {
            sources: vec![chip(2)],
            when: When::parse("2024-03-04"),
            ..reference(
                measure("l-6", "Ferritin", "9", "µg/L", Flag::CriticalLow, &[9.0]),
                Some(15.0),
                Some(150.0),
            )
        },
        measure("l-7", "Urine culture", "Escherichia coli", "", Flag::Abnormal, &[]),
    ];
    values[2].conflict = Some("conflict-1".into());
    values
}

fn timeline() -> Vec<Event> {
    let event = |when: &str, kind, text: &str, detail: &str, sources: &[usize]| Event {
        when: When::parse(when).unwrap(),
        kind,
        text: text.into(),
        detail: detail.into(),
        sources: sources.iter().map(|n| chip(*n)).collect(),
    };
    let mut events = vec![
        event(
            "2024-05-14T12:10:00Z",
            Kind::Visit,
            "Outpatient visit, internal medicine",
            "Dr. Amira Haddad",
            &[0],
        ),
        event(
            "2024-05-14T11:40:00Z",
            Kind::Result,
            "Potassium",
            "6.1 mmol/L, critically high",
            &[0],
        ),
        event("2024-03-05", Kind::Medication, "Iron(II) glycine sulfate 100 mg", "", &[2]),
        event("2024-03-04", Kind::Problem, "Iron deficiency anaemia", "", &[2]),
        event("2024-02-11", Kind::Medication, "Metoprolol succinate 47.5 mg", "dose lowered", &[0]),
        event("2023-10-12", Kind::Vaccination, "Influenza, seasonal", "", &[0]),
        event("2023-10-12", Kind::Vaccination, "COVID-19, mRNA", "", &[0, 2]),
        event("2023-01-09", Kind::Problem, "Acute bronchitis", "", &[0]),
        event("2022-08-30", Kind::Problem, "Chronic kidney disease, stage 3a", "", &[0]),
        event("2021-09-24", Kind::Document, "Discharge summary, cardiology", "", &[1]),
        event(
            "2021-09-18",
            Kind::Procedure,
            "Percutaneous coronary intervention",
            "left anterior descending",
            &[1],
        ),
        event("2021-09-18", Kind::Visit, "Emergency admission, chest pain", "", &[1]),
        event("2021-09-18", Kind::Imaging, "Coronary angiography", "", &[1]),
        event("2019-11-05", Kind::Procedure, "Colonoscopy", "", &[2]),
        event("2016-12-27", Kind::Problem, "Fracture of left radius", "", &[2]),
        event("2014", Kind::Problem, "Type 2 diabetes mellitus", "", &[0, 1, 2]),
    ];
    for n in 0..40 {
        let when = format!("{}-0{}-15", 2013 - n / 6, n % 6 + 1);
        events.push(event(&when, Kind::Result, "Basic metabolic panel", "8 results", &[n % 3]));
    }
    events
}

fn documents() -> Vec<Document> {
    vec![
        Document {
            id: "d-1".into(),
            title: "Discharge summary, cardiology".into(),
            when: When::parse("2021-09-24"),
            author: "Dr. Paul Okonkwo".into(),
            body: Body::Text { text: LETTER.into(), cut: true },
            sources: vec![chip(1)],
        },
        Document {
            id: "d-2".into(),
            title: "Colonoscopy report".into(),
            when: When::parse("2019-11-05"),
            author: String::new(),
            body: Body::File {
                path: "/patients/p-1/documents/d-2".into(),
                content_type: "application/pdf".into(),
            },
            sources: vec![chip(2)],
        },
        Document {
            id: "d-3".into(),
            title: "Referral letter".into(),
            when: None,
            author: "Dr. Amira Haddad".into(),
            body: Body::Absent,
            sources: vec![chip(0)],
        },
    ]
}

fn visits() -> Vec<Visit> {
    let visit = |when: &str, until: &str, class, text: &str, place: &str, source| Visit {
        when: When::parse(when),
        until: When::parse(until),
        class,
        text: text.into(),
        place: place.into(),
        sources: vec![chip(source)],
    };
    vec![
        visit(
            "2024-05-14",
            "",
            VisitClass::Ambulatory,
            "Check of blood pressure and kidneys",
            "Internal medicine, Dr. Amira Haddad",
            0,
        ),
        visit("2024-03-04", "", VisitClass::Virtual, "Fatigue", "", 2),
        visit(
            "2021-09-18",
            "2021-09-24",
            VisitClass::Inpatient,
            "Acute anterior myocardial infarction",
            "Cardiology",
            1,
        ),
        visit("2021-09-18", "", VisitClass::Emergency, "Chest pain", "Emergency department", 1),
        visit("2020-04-02", "", VisitClass::Home, "Diabetes education", "", 2),
        visit("2019-11-05", "2019-11-06", VisitClass::Observation, "After colonoscopy", "", 2),
        visit("2012", "", VisitClass::Other, "", "", 0),
    ]
}

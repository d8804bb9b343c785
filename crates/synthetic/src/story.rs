//! The patient of the demonstration: one woman, three hospitals, and what none of them sees alone.
//!
//! Margaret Thistlewood has type 2 diabetes and atrial fibrillation. Her family doctor (first
//! hospital) prescribes metformin 500 mg and still lists warfarin; the heart hospital (second) has
//! replaced warfarin by apixaban; the university hospital (third) raised metformin to 1000 mg and
//! was told that she has no allergies, although penicillin once gave her anaphylaxis.

use serde_json::json;

use crate::ailment;
use crate::body::{Body, Condition};
use crate::calendar::{DAY_MS, MINUTE_MS, YEAR_MS, date, office_hour, start_of};
use crate::chance::Chance;
use crate::chart::{Allergy, Code, Entry};
use crate::course::{Active, Course, Sitting};
use crate::demographics::{Address, Demographics};
use crate::disease::Disease;
use crate::drugs::{self, Drug};
use crate::itinerary::{Kind, Planned};
use crate::lab::Panel;
use crate::measurement::{self, Extent};
use crate::people::Draft;
use crate::sites::{Role, Site};
use crate::visits::{CONSULT, DISCHARGE, EMERGENCY, EMERGENCY_NOTE, FOLLOW_UP, PROGRESS};

/// Family name that nobody else bears.
pub(crate) const FAMILY: &str = "Thistlewood";
/// Label of the person.
pub(crate) const LABEL: &str = "story-margaret-thistlewood";

const ANAPHYLAXIS: Allergy = Allergy {
    code: (crate::treat::PENICILLIN, "Allergy to penicillin"),
    category: "medication",
    criticality: "high",
    reaction: Some((("39579001", "Anaphylaxis"), "severe")),
};

/// Who she is.
pub(crate) fn draft(now_ms: i64) -> Draft {
    let birth_ms = start_of(&date(now_ms - 62 * YEAR_MS - 71 * DAY_MS));
    let home = |line: &str, city: &str, zip: &str| Address {
        line: line.into(),
        city: city.into(),
        state: "MA".into(),
        zip: zip.into(),
        ..Address::default()
    };
    let truth = Demographics {
        prefix: Some("Mrs.".into()),
        given: vec!["Margaret".into(), "Eleanor".into()],
        family: FAMILY.into(),
        former_family: Some("Carmichael".into()),
        gender: "female".into(),
        birth_date: date(birth_ms),
        address: Some(home("48 Larkspur Lane", "Northfield Green", "01096")),
        former_address: Some(home("7 Windmill Court", "Dunmere", "01304")),
        phone: Some("413-555-2746".into()),
        former_phone: Some("978-555-3318".into()),
        email: Some("margaret.thistlewood@example.org".into()),
        ssn: Some("987-41-2260".into()),
        ..Demographics::default()
    };
    Draft {
        truth,
        female: true,
        birth_ms,
        household: 0,
        marital: ("M", "Married"),
        twin: None,
        confusable: false,
    }
}

/// How hospital number `at` knows her: each a little differently, all beyond doubt.
pub(crate) fn copy(truth: &Demographics, at: usize) -> Demographics {
    let mut copy = Demographics {
        former_address: None,
        former_phone: None,
        former_family: None,
        ..truth.clone()
    };
    match at {
        0 => {}
        1 => {
            copy.given = vec!["Maggie".into()];
            copy.prefix = None;
            copy.phone = Some("(413) 555-2746".into());
            copy.address.clone_from(&truth.former_address);
            copy.email = None;
        }
        _ => {
            copy.given = vec!["Margaret".into(), "E".into()];
            copy.phone.clone_from(&truth.former_phone);
            copy.former_family.clone_from(&truth.former_family);
            if let Some(address) = &mut copy.address {
                address.line = "48 Larkspur Ln".into();
                address.zip = "01096-4410".into();
            }
        }
    }
    copy
}

struct Tale<'a> {
    course: Course<'a>,
    /// Her place of care in each part of the story; fewer hospitals share the parts.
    part: [usize; 3],
}

/// Her records at up to three hospitals.
pub(crate) fn course<'a>(seed: u64, sites: &[&'a Site], draft: &Draft, now_ms: i64) -> Course<'a> {
    let mut body = Body::new(&mut Chance::new(0, &["story body"]), true, draft.birth_ms);
    body.bmi = 30.6;
    body.smoker = false;
    body.sweeten(1.2);
    for (disease, years) in [
        (Disease::Diabetes2, 6.9),
        (Disease::Hypertension, 11.0),
        (Disease::Hyperlipidemia, 6.8),
        (Disease::AtrialFibrillation, 1345.0 / 365.2425),
        (Disease::Kidney3, 1.6),
    ] {
        body.onset.insert(disease, now_ms - (years * YEAR_MS as f64) as i64);
    }
    let mut course = Course::new(seed, LABEL, sites, body, now_ms);
    course.chance = Chance::new(0, &["story"]);
    // Every medicine is given by the tale itself.
    course.steps.clear();
    let last = sites.len() - 1;
    let mut tale = Tale { course, part: [0, 1.min(last), 2.min(last)] };
    tale.tell();
    tale.course
}

impl Tale<'_> {
    fn tell(&mut self) {
        for (days_ago, chapter) in [
            (2420, Chapter::FirstVisit),
            (2210, Chapter::Family),
            (2010, Chapter::Family),
            (1820, Chapter::Family),
            (1640, Chapter::Family),
            (1460, Chapter::Family),
            (1345, Chapter::Palpitations),
            (1280, Chapter::Family),
            (1250, Chapter::Heart),
            (1080, Chapter::Family),
            (1010, Chapter::Heart),
            (880, Chapter::Family),
            (790, Chapter::Endocrine),
            (700, Chapter::Family),
            (640, Chapter::Heart),
            (560, Chapter::Endocrine),
            (520, Chapter::Family),
            (425, Chapter::Switch),
            (380, Chapter::Endocrine),
            (330, Chapter::Family),
            (236, Chapter::Heart),
            (190, Chapter::Endocrine),
            (150, Chapter::Family),
            (74, Chapter::Pneumonia),
            (41, Chapter::Heart),
            (27, Chapter::Endocrine),
            (12, Chapter::Family),
        ] {
            self.chapter(days_ago, chapter);
        }
        for (part, days) in [(0, 9), (1, 33), (2, 61)] {
            self.course.book(self.part[part], days);
        }
    }

    fn chapter(&mut self, days_ago: i64, chapter: Chapter) {
        let day = self.course.now_ms - days_ago * DAY_MS;
        let at = office_hour(day, 9 + days_ago % 6, 20 * (days_ago % 3));
        match chapter {
            Chapter::FirstVisit => self.first_visit(at),
            Chapter::Family => self.family(at, days_ago),
            Chapter::Palpitations => self.palpitations(day),
            Chapter::Heart => self.visit(
                1,
                at,
                Role::Cardiology,
                Some(Disease::AtrialFibrillation),
                "returns to the arrhythmia clinic. No palpitations, no bleeding.",
            ),
            Chapter::Switch => self.switch(at),
            Chapter::Endocrine => self.endocrine(at, days_ago),
            Chapter::Pneumonia if self.part[2] == self.part[0] => {}
            Chapter::Pneumonia => self.pneumonia(day),
        }
    }

    fn open(&mut self, part: usize, at: i64, role: Role, reason: Option<Code>) -> Sitting {
        let planned = Planned {
            at,
            site: self.part[part],
            kind: Kind::Management,
            ongoing: false,
            fatal: false,
        };
        self.course.open(&planned, "AMB", FOLLOW_UP, 30, role, reason, Condition::default())
    }

    /// An ordinary visit: lists, vital signs, blood, note.
    fn visit(&mut self, part: usize, at: i64, role: Role, disease: Option<Disease>, history: &str) {
        let mut sitting = self.open(part, at, role, disease.map(|disease| disease.profile().code));
        if let Some(disease) = disease {
            self.course.record_disease(&sitting, disease);
        }
        self.finish(&mut sitting, history);
    }

    fn finish(&mut self, sitting: &mut Sitting, history: &str) {
        let course = &mut self.course;
        let site = sitting.site;
        course.recall_diseases(sitting, 1.0);
        let vitals = course.body.vitals(sitting.at, sitting.day, &mut course.chance);
        let extent = if sitting.role == Role::Primary { Extent::Checkup } else { Extent::Brief };
        measurement::vitals(
            &mut course.charts[site],
            &vitals,
            extent,
            60.0,
            sitting.encounter,
            sitting.at,
        );
        course.order_due(sitting);
        if sitting.role == Role::Primary {
            course.care_plans(sitting);
        }
        let kind = if sitting.role == Role::Primary { PROGRESS } else { CONSULT };
        let title =
            if sitting.role == Role::Primary { "Follow-up visit" } else { "Specialist visit" };
        course.write_note(sitting, kind, title, history, Some(vitals));
    }

    /// Orders a medicine at this visit and takes it from now on.
    fn order(&mut self, sitting: &mut Sitting, drug: Drug, disease: Disease) {
        let course = &mut self.course;
        course.body.started.entry(drug.group).or_insert(sitting.at);
        course.regimen.insert(drug.group, Active { drug, disease });
        course.write_medicine(sitting, &drug, false, Some(disease));
        sitting.plan.push(format!("Start {}: {}", drug.display, drug.sig));
    }

    fn allergy(&mut self, sitting: &Sitting, allergy: &Allergy, criticality: &str) -> Entry {
        let lists = &mut self.course.lists[sitting.site];
        lists.allergies = vec![format!(
            "{} ({})",
            allergy.code.1,
            allergy.reaction.map_or("", |reaction| reaction.0.1).to_lowercase()
        )];
        self.course.charts[sitting.site].allergy(
            allergy,
            criticality,
            sitting.encounter,
            sitting.at,
        )
    }

    fn first_visit(&mut self, at: i64) {
        // She tells nobody of allergies unasked; what each hospital writes is set here.
        self.course.lists.iter_mut().for_each(|lists| lists.asked_allergies = true);
        let mut sitting = self.open(0, at, Role::Primary, None);
        self.allergy(&sitting, &ANAPHYLAXIS, "high");
        self.course.recall_diseases(&sitting, 1.0);
        self.course.tobacco(&sitting);
        self.order(&mut sitting, drugs::LISINOPRIL_10, Disease::Hypertension);
        self.order(&mut sitting, drugs::METFORMIN_500, Disease::Diabetes2);
        self.order(&mut sitting, drugs::ATORVASTATIN_20, Disease::Hyperlipidemia);
        self.finish(&mut sitting, "comes with tiredness and thirst. Diabetes was found three months ago. As a child she had anaphylaxis after penicillin.");
    }

    fn family(&mut self, at: i64, days_ago: i64) {
        let mut sitting = self.open(0, at, Role::Primary, None);
        if days_ago == 1460 {
            self.order(&mut sitting, drugs::LISINOPRIL_20, Disease::Hypertension);
        }
        if days_ago == 1280 {
            // The family doctor takes warfarin over from the hospital's letter, and never hears of the change.
            self.course.recall_medicines(&sitting, 1.0);
        }
        for vaccine in self.course.given.due(self.course.body.birth_ms, at, &mut self.course.chance)
        {
            self.course.charts[sitting.site].immunization(vaccine, at, Some(sitting.encounter));
        }
        if days_ago == 12 {
            for panel in [Panel::Glycation, Panel::Metabolic] {
                self.course.order(&mut sitting, panel, 0);
            }
        }
        self.course.screening(&mut sitting);
        self.finish(
            &mut sitting,
            "returns for follow-up of diabetes and blood pressure. Feels well.",
        );
    }

    /// Atrial fibrillation is found; warfarin is begun.
    fn palpitations(&mut self, day: i64) {
        let at = day + 500 * MINUTE_MS;
        let planned = Planned {
            at,
            site: self.part[1],
            kind: Kind::Management,
            ongoing: false,
            fatal: false,
        };
        let (code, today) = (
            ("49436004", "Atrial fibrillation"),
            Condition { breathless: true, ..Condition::default() },
        );
        let mut sitting = self.course.open(
            &planned,
            "IMP",
            ("32485007", "Hospital admission"),
            3 * 24 * 60,
            Role::Hospitalist,
            Some(code),
            today,
        );
        let mild =
            Allergy { reaction: Some((("271807003", "Eruption of skin"), "mild")), ..ANAPHYLAXIS };
        self.allergy(&sitting, &mild, "low");
        self.course.record_disease(&sitting, Disease::AtrialFibrillation);
        self.course.recall_diseases(&sitting, 1.0);
        self.course.recall_medicines(&sitting, 1.0);
        let course = &mut self.course;
        let vitals = course.body.vitals(at, today, &mut course.chance);
        measurement::vitals(
            &mut course.charts[sitting.site],
            &vitals,
            Extent::Acute,
            58.0,
            sitting.encounter,
            at,
        );
        for (number, code) in [
            ("29303009", "Electrocardiographic procedure"),
            ("40701008", "Echocardiography"),
            ("180325003", "Electrical cardioversion"),
        ]
        .into_iter()
        .enumerate()
        {
            let start = at + (1 + 9 * number as i64) * 60 * MINUTE_MS;
            course.charts[sitting.site].procedure(
                code,
                start,
                start + 20 * MINUTE_MS,
                None,
                sitting.encounter,
                Role::Cardiology,
            );
        }
        for panel in [Panel::Metabolic, Panel::BloodCount, Panel::Coagulation, Panel::Troponin] {
            course.order(&mut sitting, panel, 0);
        }
        self.order(&mut sitting, drugs::WARFARIN_5, Disease::AtrialFibrillation);
        self.order(&mut sitting, drugs::METOPROLOL_50, Disease::AtrialFibrillation);
        self.course.write_note(&sitting, DISCHARGE, "Discharge summary", "presents with palpitations and breathlessness since the morning; atrial fibrillation with fast heart rate, sinus rhythm after cardioversion.", Some(vitals));
    }

    /// Warfarin gives way to apixaban; the letter to the family doctor is never sent.
    fn switch(&mut self, at: i64) {
        let mut sitting =
            self.open(1, at, Role::Cardiology, Some(Disease::AtrialFibrillation.profile().code));
        sitting.plan.push(
            "INR repeatedly out of range in the log of the anticoagulation clinic. Stop warfarin."
                .into(),
        );
        self.order(&mut sitting, drugs::APIXABAN_5, Disease::AtrialFibrillation);
        self.finish(&mut sitting, "has had changing INR values and two nosebleeds. Prefers a medicine without blood tests.");
    }

    fn endocrine(&mut self, at: i64, days_ago: i64) {
        let reason = Some(Disease::Diabetes2.profile().code);
        let mut sitting = self.open(2, at, Role::Endocrinology, reason);
        if days_ago == 790 && self.part[2] != self.part[0] {
            self.course.charts[sitting.site].no_known_allergy(sitting.encounter, at);
            self.course.lists[sitting.site].allergies = vec!["No known allergy".into()];
        }
        if days_ago == 790 {
            self.course.recall_medicines(&sitting, 1.0);
            self.order(&mut sitting, drugs::METFORMIN_1000, Disease::Diabetes2);
        }
        if days_ago == 380 {
            self.course.recall_medicines(&sitting, 1.0);
        }
        if days_ago == 27 {
            self.order(&mut sitting, drugs::EMPAGLIFLOZIN_10, Disease::Diabetes2);
        }
        self.finish(
            &mut sitting,
            "is seen in the diabetes clinic; reads her glucose at home, values have been rising.",
        );
    }

    /// The third hospital treats a pneumonia not knowing of the allergy; the patient stops it.
    fn pneumonia(&mut self, day: i64) {
        let pneumonia = ailment::AILMENTS.iter().find(|ailment| ailment.code.0 == "233604007");
        let Some(ailment) = pneumonia else { return };
        let at = day + 1300 * MINUTE_MS;
        let kind = Kind::Acute(*ailment);
        let planned = Planned { at, site: self.part[2], kind, ongoing: false, fatal: false };
        let today = Condition { fever: true, severe: false, breathless: true, pregnant: false };
        let (code, role) = (ailment.code, Role::Emergency);
        let course = &mut self.course;
        let mut sitting = course.open(&planned, "EMER", EMERGENCY, 300, role, Some(code), today);
        let encounter = sitting.encounter;
        let vitals = course.body.vitals(at, today, &mut course.chance);
        let chart = &mut course.charts[sitting.site];
        measurement::vitals(chart, &vitals, Extent::Acute, 62.0, encounter, at);
        let over = Some(at + 24 * DAY_MS);
        let illness = chart.condition(code, code.1, false, &date(at), over, encounter, at, role);
        let (xray, start) = (("399208008", "Plain chest X-ray"), at + 60 * MINUTE_MS);
        chart.procedure(xray, start, start + 15 * MINUTE_MS, Some(illness), encounter, role);
        for (drug, status, minutes) in [
            (drugs::AMOXICILLIN_CLAVULANATE.course(7), "cancelled", 100),
            (drugs::AZITHROMYCIN_250.course(5), "completed", 140),
        ] {
            let when = at + minutes * MINUTE_MS;
            let order =
                chart.medication(&drug, status, false, Some(illness), encounter, when, role);
            if status == "cancelled" {
                let why = "Patient mentioned a reaction to penicillin as a child";
                chart.amend(order, "statusReason", json!({"text": why}));
            }
        }
        for panel in [Panel::Metabolic, Panel::BloodCount, Panel::Inflammation] {
            course.order(&mut sitting, panel, 0);
        }
        sitting.plan.push(
            "Amoxicillin with clavulanate ordered and cancelled: the patient remembers a reaction \
             to penicillin as a child, which is not on our list. Azithromycin instead."
                .into(),
        );
        let history = format!("presents with {}.", ailment.story);
        let title = "Emergency department note";
        course.write_note(&sitting, EMERGENCY_NOTE, title, &history, Some(vitals));
    }
}

#[derive(Clone, Copy)]
enum Chapter {
    FirstVisit,
    Family,
    Palpitations,
    Heart,
    Switch,
    Endocrine,
    Pneumonia,
}

//! Passing illnesses and injuries, and what is done about them.

use crate::chance::Chance;
use crate::drugs::{self, Drug};

/// How ill one is with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Clinic,
    Emergency,
    Admission,
}

/// A passing illness or injury.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ailment {
    /// SNOMED CT code and display.
    pub(crate) code: (&'static str, &'static str),
    pub(crate) setting: Setting,
    /// First and last age in years.
    pub(crate) ages: (f64, f64),
    /// Restricts to women (`Some(true)`) or men (`Some(false)`).
    pub(crate) female: Option<bool>,
    /// Relative frequency.
    pub(crate) weight: f64,
    /// Days until it is over.
    pub(crate) days: i64,
    pub(crate) fever: bool,
    pub(crate) treatment: &'static [Drug],
    /// SNOMED CT code and display of what was done.
    pub(crate) procedures: &'static [(&'static str, &'static str)],
    /// How it shows, for the note.
    pub(crate) story: &'static str,
}

const XRAY: (&str, &str) = ("399208008", "Plain chest X-ray");

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
const fn row(
    code: (&'static str, &'static str),
    setting: Setting,
    ages: (f64, f64),
    weight: f64,
    days: i64,
    fever: bool,
    treatment: &'static [Drug],
    procedures: &'static [(&'static str, &'static str)],
    story: &'static str,
) -> Ailment {
    Ailment { code, setting, ages, female: None, weight, days, fever, treatment, procedures, story }
}

use Setting::{Admission, Clinic, Emergency};
use drugs::*;

/// All of them.
pub(crate) const AILMENTS: &[Ailment] = &[
    row(
        ("54150009", "Upper respiratory infection"),
        Clinic,
        (1.0, 95.0),
        5.0,
        9,
        false,
        &[ACETAMINOPHEN_500],
        &[],
        "three days of runny nose, sore throat and cough without shortness of breath",
    ),
    row(
        ("195662009", "Acute viral pharyngitis"),
        Clinic,
        (3.0, 60.0),
        3.0,
        8,
        false,
        &[ACETAMINOPHEN_500],
        &[],
        "sore throat for two days; rapid strep test negative",
    ),
    row(
        ("43878008", "Streptococcal sore throat"),
        Clinic,
        (4.0, 45.0),
        1.5,
        12,
        true,
        &[AMOXICILLIN_500.course(10)],
        &[],
        "sore throat with fever and swollen glands; rapid strep test positive",
    ),
    row(
        ("65363002", "Otitis media"),
        Clinic,
        (0.6, 9.0),
        4.0,
        14,
        true,
        &[AMOXICILLIN_250.course(10)],
        &[],
        "ear pain and fever; bulging red eardrum on the right",
    ),
    row(
        ("444814009", "Viral sinusitis"),
        Clinic,
        (14.0, 80.0),
        2.0,
        14,
        false,
        &[],
        &[],
        "facial pressure and congestion for five days, improving",
    ),
    row(
        ("10509002", "Acute bronchitis"),
        Clinic,
        (18.0, 88.0),
        2.5,
        16,
        false,
        &[ACETAMINOPHEN_500],
        &[],
        "productive cough for a week; lungs clear apart from scattered rhonchi",
    ),
    row(
        ("6142004", "Influenza"),
        Clinic,
        (2.0, 90.0),
        1.5,
        9,
        true,
        &[ACETAMINOPHEN_500],
        &[],
        "sudden fever, muscle aches and dry cough; influenza A antigen positive",
    ),
    row(
        ("279039007", "Low back pain"),
        Clinic,
        (20.0, 80.0),
        2.0,
        28,
        false,
        &[NAPROXEN_500.course(14)],
        &[],
        "low back pain after lifting, without radiation or weakness",
    ),
    Ailment {
        female: Some(true),
        ..row(
            ("68566005", "Urinary tract infection"),
            Clinic,
            (17.0, 90.0),
            2.0,
            7,
            false,
            &[NITROFURANTOIN.course(5)],
            &[],
            "burning and frequent urination for two days; urine dipstick positive for nitrite",
        )
    },
    Ailment {
        female: Some(false),
        ..row(
            ("68566005", "Urinary tract infection"),
            Clinic,
            (55.0, 90.0),
            0.8,
            12,
            true,
            &[CIPROFLOXACIN_500.course(7)],
            &[],
            "fever and painful urination since yesterday; urine dipstick positive for leukocytes",
        )
    },
    row(
        ("44465007", "Sprain of ankle"),
        Emergency,
        (8.0, 65.0),
        2.0,
        28,
        false,
        &[IBUPROFEN_200.course(7)],
        &[("19490002", "Ankle X-ray")],
        "inversion injury of the ankle; swelling over the outer side, X-ray without fracture",
    ),
    row(
        ("283371005", "Laceration of forearm"),
        Emergency,
        (6.0, 70.0),
        1.5,
        21,
        false,
        &[],
        &[("288086009", "Suture open wound")],
        "clean 4 cm cut of the forearm; nerves and tendons intact, closed with five stitches",
    ),
    row(
        ("65966004", "Fracture of forearm"),
        Emergency,
        (6.0, 75.0),
        1.0,
        60,
        false,
        &[OXYCODONE.course(3)],
        &[("1225002", "Upper arm X-ray"), ("274474001", "Bone immobilization")],
        "fall on the outstretched hand; closed fracture without displacement, splinted",
    ),
    row(
        ("62106007", "Concussion with no loss of consciousness"),
        Emergency,
        (8.0, 70.0),
        0.7,
        21,
        false,
        &[ACETAMINOPHEN_500],
        &[],
        "blow to the head without loss of consciousness; headache, normal neurological examination",
    ),
    row(
        ("25374005", "Gastroenteritis"),
        Emergency,
        (2.0, 85.0),
        1.5,
        5,
        false,
        &[],
        &[("103744005", "Administration of intravenous fluids")],
        "vomiting and watery stools since yesterday; mild dehydration, better after fluids",
    ),
    row(
        ("840539006", "COVID-19"),
        Emergency,
        (18.0, 90.0),
        1.0,
        16,
        true,
        &[ACETAMINOPHEN_500],
        &[XRAY],
        "fever, cough and loss of taste for four days; SARS-CoV-2 test positive, no need of oxygen",
    ),
    row(
        ("233604007", "Pneumonia"),
        Admission,
        (50.0, 95.0),
        1.6,
        24,
        true,
        &[AMOXICILLIN_CLAVULANATE.course(7)],
        &[XRAY],
        "fever, productive cough and breathlessness; infiltrate in the right lower lobe",
    ),
    row(
        ("74400008", "Appendicitis"),
        Admission,
        (9.0, 60.0),
        0.8,
        14,
        true,
        &[OXYCODONE.course(3)],
        &[("80146002", "Appendectomy")],
        "pain that moved to the right lower abdomen; inflamed appendix removed laparoscopically",
    ),
    row(
        ("65275009", "Acute cholecystitis"),
        Admission,
        (30.0, 85.0),
        0.9,
        14,
        true,
        &[OXYCODONE.course(3)],
        &[("45595009", "Laparoscopic cholecystectomy")],
        "pain under the right ribs after a meal; gallstones with thickened wall on ultrasound",
    ),
];

/// Flare of chronic obstructive pulmonary disease.
pub(crate) const COPD_FLARE: Ailment = row(
    ("195951007", "Acute exacerbation of chronic obstructive airways disease"),
    Admission,
    (50.0, 99.0),
    0.0,
    12,
    false,
    &[PREDNISONE_20.course(5), AZITHROMYCIN_250.course(5)],
    &[XRAY],
    "three days of worsening breathlessness and sputum; no infiltrate",
);

/// Sudden worsening of heart failure.
pub(crate) const HEART_FAILURE_FLARE: Ailment = row(
    ("195111005", "Decompensated cardiac failure"),
    Admission,
    (50.0, 99.0),
    0.0,
    10,
    false,
    &[],
    &[XRAY, ("40701008", "Echocardiography")],
    "breathlessness lying flat and leg swelling for a week; 4 kg above usual weight, better with intravenous diuretic",
);

/// Heart attack.
pub(crate) const INFARCTION: Ailment = row(
    ("22298006", "Myocardial infarction"),
    Admission,
    (40.0, 95.0),
    0.0,
    60,
    false,
    &[],
    &[
        ("29303009", "Electrocardiographic procedure"),
        ("415070008", "Percutaneous coronary intervention"),
    ],
    "crushing chest pain for two hours; troponin raised, stent placed in the left anterior descending artery",
);

/// Something that fits the age and sex and, where given, the setting; `None` where nothing does.
pub(crate) fn draw(
    chance: &mut Chance,
    age: f64,
    female: bool,
    setting: Setting,
) -> Option<Ailment> {
    let fits = |a: &&Ailment| {
        a.setting == setting
            && a.ages.0 <= age
            && age < a.ages.1
            && a.female.is_none_or(|wanted| wanted == female)
    };
    let total: f64 = AILMENTS.iter().filter(fits).map(|a| a.weight).sum();
    let mut at = chance.real(0.0, total);
    AILMENTS
        .iter()
        .filter(fits)
        .find(|a| {
            at -= a.weight;
            at <= 0.0
        })
        .copied()
}

//! Lasting diseases: their codes and how they are treated.

use crate::drugs::{self, Drug};
use crate::sites::Role;

/// A lasting disease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disease {
    Hypertension,
    Diabetes2,
    Diabetes1,
    Prediabetes,
    Hyperlipidemia,
    Coronary,
    HeartFailure,
    AtrialFibrillation,
    Kidney3,
    Copd,
    Asthma,
    Hypothyroidism,
    Depression,
    Anxiety,
    KneeArthritis,
    Reflux,
    Migraine,
    Prostate,
    BreastCancer,
    Rheumatoid,
    Epilepsy,
    IronDeficiency,
    Gout,
    SleepApnea,
    Adhd,
    Eczema,
    Rhinitis,
    Dementia,
    Obesity,
    Alcohol,
    Opioid,
    Hiv,
    Bipolar,
}

/// One step of a treatment: after how many days from the onset, for which share of patients, what.
pub(crate) type Step = (i64, f64, Drug);

/// What is known of a disease.
pub(crate) struct Profile {
    /// SNOMED CT code and display.
    pub(crate) code: (&'static str, &'static str),
    /// Other words for the same code that other hospitals write.
    pub(crate) other_words: &'static [&'static str],
    /// Who looks after it apart from the family doctor.
    pub(crate) specialty: Role,
    /// Sensitivity code (v3-ActCode) of everything written about it.
    pub(crate) sensitivity: Option<&'static str>,
    /// SNOMED CT code and display of a care plan.
    pub(crate) plan: Option<(&'static str, &'static str)>,
    pub(crate) steps: &'static [Step],
}

const fn profile(
    code: (&'static str, &'static str),
    specialty: Role,
    steps: &'static [Step],
) -> Profile {
    Profile { code, other_words: &[], specialty, sensitivity: None, plan: None, steps }
}

impl Disease {
    /// What is known of it.
    pub(crate) fn profile(self) -> Profile {
        use Disease as D;
        match self {
            D::Hypertension
            | D::Hyperlipidemia
            | D::Coronary
            | D::HeartFailure
            | D::AtrialFibrillation => self.heart(),
            D::Diabetes2
            | D::Diabetes1
            | D::Prediabetes
            | D::Hypothyroidism
            | D::Kidney3
            | D::Obesity
            | D::Gout => self.metabolism(),
            D::Alcohol | D::Opioid | D::Hiv | D::Bipolar => self.sensitive(),
            D::Copd | D::Asthma | D::Rhinitis | D::SleepApnea | D::Eczema | D::Adhd => {
                self.airways_and_childhood()
            }
            _ => self.other(),
        }
    }

    fn heart(self) -> Profile {
        use drugs::*;
        match self {
            Disease::Hypertension => Profile {
                other_words: &["Hypertension", "HTN"],
                plan: Some(("443402002", "Lifestyle education regarding hypertension")),
                ..profile(
                    ("59621000", "Essential hypertension"),
                    Role::Cardiology,
                    &[
                        (0, 0.75, LISINOPRIL_10),
                        (0, 0.3, AMLODIPINE_5),
                        (400, 0.4, LISINOPRIL_20),
                        (700, 0.35, HCTZ_25),
                        (1200, 0.3, AMLODIPINE_5),
                    ],
                )
            },
            Disease::Hyperlipidemia => Profile {
                other_words: &["High cholesterol"],
                plan: Some(("736285004", "Hyperlipidemia clinical management plan")),
                ..profile(
                    ("55822004", "Hyperlipidemia"),
                    Role::Cardiology,
                    &[(30, 0.8, ATORVASTATIN_20), (900, 0.35, ATORVASTATIN_40)],
                )
            },
            Disease::Coronary => Profile {
                other_words: &["Coronary artery disease", "CAD"],
                ..profile(
                    ("53741008", "Coronary arteriosclerosis"),
                    Role::Cardiology,
                    &[
                        (0, 0.9, ASPIRIN_81),
                        (0, 0.9, ATORVASTATIN_80),
                        (0, 0.7, METOPROLOL_25),
                        (0, 0.6, NITROGLYCERIN),
                    ],
                )
            },
            Disease::HeartFailure => Profile {
                other_words: &["CHF", "Congestive heart failure"],
                ..profile(
                    ("84114007", "Heart failure"),
                    Role::Cardiology,
                    &[
                        (0, 0.9, FUROSEMIDE_40),
                        (0, 0.8, LISINOPRIL_20),
                        (30, 0.8, METOPROLOL_50),
                        (300, 0.5, EMPAGLIFLOZIN_10),
                    ],
                )
            },
            _ => Profile {
                other_words: &["Afib", "Atrial fibrillation, on anticoagulation"],
                ..profile(
                    ("49436004", "Atrial fibrillation"),
                    Role::Cardiology,
                    &[
                        (0, 0.45, WARFARIN_5),
                        (10, 0.55, APIXABAN_5),
                        (1300, 0.5, APIXABAN_5),
                        (0, 0.85, METOPROLOL_50),
                    ],
                )
            },
        }
    }

    fn metabolism(self) -> Profile {
        use drugs::*;
        match self {
            Disease::Diabetes2 => Profile {
                other_words: &["Type 2 diabetes mellitus", "T2DM", "Diabetes mellitus type II"],
                plan: Some(("698360004", "Diabetes self management plan")),
                ..profile(
                    ("44054006", "Diabetes mellitus type 2"),
                    Role::Endocrinology,
                    &[
                        (0, 0.95, METFORMIN_500),
                        (420, 0.7, METFORMIN_1000),
                        (1300, 0.3, GLIPIZIDE_5),
                        (1800, 0.45, EMPAGLIFLOZIN_10),
                        (3400, 0.4, GLARGINE),
                    ],
                )
            },
            Disease::Diabetes1 => Profile {
                plan: Some(("698360004", "Diabetes self management plan")),
                ..profile(
                    ("46635009", "Diabetes mellitus type 1"),
                    Role::Endocrinology,
                    &[(0, 1.0, GLARGINE), (0, 1.0, LISPRO)],
                )
            },
            Disease::Prediabetes => profile(
                ("15777000", "Prediabetes"),
                Role::Endocrinology,
                &[(400, 0.15, METFORMIN_500)],
            ),
            Disease::Hypothyroidism => Profile {
                other_words: &["Underactive thyroid"],
                ..profile(
                    ("40930008", "Hypothyroidism"),
                    Role::Endocrinology,
                    &[(0, 1.0, LEVOTHYROXINE_75), (300, 0.4, LEVOTHYROXINE_100)],
                )
            },
            Disease::Kidney3 => Profile {
                other_words: &["CKD stage 3"],
                ..profile(
                    ("433144002", "Chronic kidney disease stage 3"),
                    Role::Primary,
                    &[(60, 0.6, LISINOPRIL_10)],
                )
            },
            Disease::Gout => {
                profile(("90560007", "Gout"), Role::Rheumatology, &[(200, 0.8, ALLOPURINOL_100)])
            }
            _ => profile(("414916001", "Obesity"), Role::Primary, &[]),
        }
    }

    fn sensitive(self) -> Profile {
        use drugs::*;
        match self {
            Disease::Alcohol => Profile {
                sensitivity: Some("ETHUD"),
                other_words: &["Alcohol use disorder"],
                ..profile(("7200002", "Alcoholism"), Role::Psychiatry, &[(60, 0.8, NALTREXONE_50)])
            },
            Disease::Opioid => Profile {
                sensitivity: Some("SUD"),
                other_words: &["Opioid use disorder"],
                ..profile(
                    ("5602001", "Opioid abuse"),
                    Role::Psychiatry,
                    &[(20, 1.0, BUPRENORPHINE)],
                )
            },
            Disease::Hiv => Profile {
                sensitivity: Some("HIV"),
                ..profile(
                    ("86406008", "Human immunodeficiency virus infection"),
                    Role::Infectious,
                    &[(14, 1.0, BICTEGRAVIR)],
                )
            },
            _ => Profile {
                sensitivity: Some("PSY"),
                ..profile(
                    ("13746004", "Bipolar disorder"),
                    Role::Psychiatry,
                    &[(0, 0.9, QUETIAPINE_100)],
                )
            },
        }
    }

    fn airways_and_childhood(self) -> Profile {
        use drugs::*;
        match self {
            Disease::Copd => Profile {
                other_words: &["COPD"],
                plan: Some((
                    "412776001",
                    "Chronic obstructive pulmonary disease clinical management plan",
                )),
                ..profile(
                    ("13645005", "Chronic obstructive pulmonary disease"),
                    Role::Pulmonology,
                    &[(0, 1.0, ALBUTEROL), (200, 0.8, FLUTICASONE_SALMETEROL)],
                )
            },
            Disease::Asthma => Profile {
                plan: Some(("699728000", "Asthma self management")),
                ..profile(
                    ("195967001", "Asthma"),
                    Role::Pulmonology,
                    &[(0, 1.0, ALBUTEROL), (90, 0.6, FLUTICASONE)],
                )
            },
            Disease::Rhinitis => profile(
                ("367498001", "Seasonal allergic rhinitis"),
                Role::Primary,
                &[(0, 0.7, LORATADINE_10)],
            ),
            Disease::SleepApnea => {
                profile(("78275009", "Obstructive sleep apnea syndrome"), Role::Pulmonology, &[])
            }
            Disease::Eczema => profile(
                ("24079001", "Atopic dermatitis"),
                Role::Pediatrics,
                &[(0, 0.9, HYDROCORTISONE)],
            ),
            _ => profile(
                ("406506008", "Attention deficit hyperactivity disorder"),
                Role::Pediatrics,
                &[(90, 0.7, METHYLPHENIDATE)],
            ),
        }
    }

    fn other(self) -> Profile {
        use drugs::*;
        match self {
            Disease::Depression => Profile {
                other_words: &["Major depressive disorder", "Depression"],
                plan: Some(("737434004", "Major depressive disorder clinical management plan")),
                ..profile(
                    ("370143000", "Major depressive disorder"),
                    Role::Primary,
                    &[(0, 0.75, SERTRALINE_50), (200, 0.4, SERTRALINE_100)],
                )
            },
            Disease::Anxiety => profile(
                ("21897009", "Generalized anxiety disorder"),
                Role::Primary,
                &[(0, 0.6, ESCITALOPRAM_10)],
            ),
            Disease::KneeArthritis => profile(
                ("239873007", "Osteoarthritis of knee"),
                Role::Surgery,
                &[(0, 0.6, NAPROXEN_500), (0, 0.6, ACETAMINOPHEN_500)],
            ),
            Disease::Reflux => Profile {
                other_words: &["GERD"],
                ..profile(
                    ("235595009", "Gastroesophageal reflux disease"),
                    Role::Primary,
                    &[(0, 0.85, OMEPRAZOLE_20)],
                )
            },
            Disease::Migraine => {
                profile(("37796009", "Migraine"), Role::Neurology, &[(0, 0.8, SUMATRIPTAN_50)])
            }
            Disease::Prostate => Profile {
                other_words: &["BPH"],
                ..profile(
                    ("266569009", "Benign prostatic hyperplasia"),
                    Role::Primary,
                    &[(60, 0.7, TAMSULOSIN)],
                )
            },
            Disease::BreastCancer => Profile {
                plan: Some(("395082007", "Cancer care plan")),
                ..profile(
                    ("254837009", "Malignant neoplasm of breast"),
                    Role::Oncology,
                    &[(60, 0.9, ANASTROZOLE_1)],
                )
            },
            Disease::Rheumatoid => profile(
                ("69896004", "Rheumatoid arthritis"),
                Role::Rheumatology,
                &[(0, 0.8, METHOTREXATE), (300, 0.5, HYDROXYCHLOROQUINE)],
            ),
            Disease::Epilepsy => {
                profile(("84757009", "Epilepsy"), Role::Neurology, &[(0, 1.0, LEVETIRACETAM_500)])
            }
            Disease::IronDeficiency => profile(
                ("87522002", "Iron deficiency anemia"),
                Role::Primary,
                &[(0, 1.0, FERROUS_SULFATE)],
            ),
            _ => profile(
                ("26929004", "Alzheimer's disease"),
                Role::Neurology,
                &[(60, 0.8, DONEPEZIL_10)],
            ),
        }
    }
}

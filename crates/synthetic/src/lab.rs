//! Laboratory tests: LOINC codes, units, reference ranges and the panels they come in.

/// A laboratory test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lab {
    HbA1c,
    Glucose,
    Creatinine,
    Egfr,
    Urea,
    Sodium,
    Potassium,
    Chloride,
    Bicarbonate,
    Calcium,
    Cholesterol,
    Ldl,
    Hdl,
    Triglycerides,
    Haemoglobin,
    Leukocytes,
    Platelets,
    Mcv,
    Thyrotropin,
    Inr,
    Alt,
    NtProBnp,
    Psa,
    Urate,
    UrineAlbumin,
    Ferritin,
    ViralLoad,
    Cd4,
    Troponin,
    Crp,
}

/// What is known of a test.
pub(crate) struct Test {
    /// LOINC code and display.
    pub(crate) code: (&'static str, &'static str),
    /// UCUM unit.
    pub(crate) unit: &'static str,
    /// Digits behind the decimal point.
    pub(crate) decimals: usize,
    /// Reference range of adults.
    pub(crate) range: (Option<f64>, Option<f64>),
    /// Short name for notes.
    pub(crate) short: &'static str,
}

const fn test(
    code: (&'static str, &'static str),
    short: &'static str,
    unit: &'static str,
    decimals: usize,
    low: Option<f64>,
    high: Option<f64>,
) -> Test {
    Test { code, unit, decimals, range: (low, high), short }
}

impl Lab {
    /// What is known of the test, for women or men.
    pub(crate) fn test(self, female: bool) -> Test {
        match self {
            Lab::HbA1c => test(
                ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
                "HbA1c",
                "%",
                1,
                Some(4.0),
                Some(5.6),
            ),
            Lab::Glucose => test(
                ("2345-7", "Glucose [Mass/volume] in Serum or Plasma"),
                "glucose",
                "mg/dL",
                0,
                Some(70.0),
                Some(99.0),
            ),
            Lab::Creatinine if female => {
                test(CREATININE, "creatinine", "mg/dL", 2, Some(0.5), Some(1.1))
            }
            Lab::Creatinine => test(CREATININE, "creatinine", "mg/dL", 2, Some(0.7), Some(1.3)),
            Lab::Egfr => test(EGFR, "eGFR", "mL/min/{1.73_m2}", 0, Some(60.0), None),
            Lab::Urea => test(
                ("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"),
                "BUN",
                "mg/dL",
                0,
                Some(7.0),
                Some(20.0),
            ),
            Lab::Sodium => test(
                ("2951-2", "Sodium [Moles/volume] in Serum or Plasma"),
                "sodium",
                "mmol/L",
                0,
                Some(136.0),
                Some(145.0),
            ),
            Lab::Potassium => test(
                ("2823-3", "Potassium [Moles/volume] in Serum or Plasma"),
                "potassium",
                "mmol/L",
                1,
                Some(3.5),
                Some(5.1),
            ),
            Lab::Chloride => test(
                ("2075-0", "Chloride [Moles/volume] in Serum or Plasma"),
                "chloride",
                "mmol/L",
                0,
                Some(98.0),
                Some(107.0),
            ),
            Lab::Bicarbonate => test(
                ("2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma"),
                "CO2",
                "mmol/L",
                0,
                Some(22.0),
                Some(29.0),
            ),
            Lab::Calcium => test(
                ("17861-6", "Calcium [Mass/volume] in Serum or Plasma"),
                "calcium",
                "mg/dL",
                1,
                Some(8.6),
                Some(10.3),
            ),
            Lab::Cholesterol => test(
                ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"),
                "total cholesterol",
                "mg/dL",
                0,
                None,
                Some(199.0),
            ),
            Lab::Ldl => test(
                ("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation"),
                "LDL",
                "mg/dL",
                0,
                None,
                Some(129.0),
            ),
            Lab::Hdl if female => test(HDL, "HDL", "mg/dL", 0, Some(50.0), None),
            Lab::Hdl => test(HDL, "HDL", "mg/dL", 0, Some(40.0), None),
            Lab::Triglycerides => test(
                ("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma"),
                "triglycerides",
                "mg/dL",
                0,
                None,
                Some(149.0),
            ),
            Lab::Haemoglobin if female => {
                test(HAEMOGLOBIN, "hemoglobin", "g/dL", 1, Some(12.0), Some(15.5))
            }
            Lab::Haemoglobin => test(HAEMOGLOBIN, "hemoglobin", "g/dL", 1, Some(13.5), Some(17.5)),
            _ => self.rarer(),
        }
    }

    fn rarer(self) -> Test {
        match self {
            Lab::Leukocytes => test(
                ("6690-2", "Leukocytes [#/volume] in Blood by Automated count"),
                "WBC",
                "10*3/uL",
                1,
                Some(4.0),
                Some(11.0),
            ),
            Lab::Platelets => test(
                ("777-3", "Platelets [#/volume] in Blood by Automated count"),
                "platelets",
                "10*3/uL",
                0,
                Some(150.0),
                Some(400.0),
            ),
            Lab::Mcv => test(
                ("787-2", "MCV [Entitic volume] by Automated count"),
                "MCV",
                "fL",
                0,
                Some(80.0),
                Some(100.0),
            ),
            Lab::Thyrotropin => test(
                ("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma"),
                "TSH",
                "m[IU]/L",
                2,
                Some(0.4),
                Some(4.5),
            ),
            Lab::Inr => test(
                ("6301-6", "INR in Platelet poor plasma by Coagulation assay"),
                "INR",
                "{INR}",
                1,
                Some(0.9),
                Some(1.1),
            ),
            Lab::Alt => test(
                (
                    "1742-6",
                    "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
                ),
                "ALT",
                "U/L",
                0,
                Some(7.0),
                Some(45.0),
            ),
            Lab::NtProBnp => test(
                (
                    "33762-6",
                    "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma",
                ),
                "NT-proBNP",
                "pg/mL",
                0,
                None,
                Some(300.0),
            ),
            Lab::Psa => test(
                ("2857-1", "Prostate specific Ag [Mass/volume] in Serum or Plasma"),
                "PSA",
                "ng/mL",
                1,
                None,
                Some(4.0),
            ),
            Lab::Urate => test(
                ("3084-1", "Urate [Mass/volume] in Serum or Plasma"),
                "uric acid",
                "mg/dL",
                1,
                Some(3.4),
                Some(7.0),
            ),
            Lab::UrineAlbumin => test(
                ("9318-7", "Albumin/Creatinine [Mass Ratio] in Urine"),
                "urine albumin/creatinine",
                "mg/g",
                0,
                None,
                Some(29.0),
            ),
            Lab::Ferritin => test(
                ("2276-4", "Ferritin [Mass/volume] in Serum or Plasma"),
                "ferritin",
                "ng/mL",
                0,
                Some(15.0),
                Some(200.0),
            ),
            Lab::ViralLoad => test(
                (
                    "20447-9",
                    "HIV 1 RNA [#/volume] (viral load) in Serum or Plasma by NAA with probe detection",
                ),
                "HIV RNA",
                "{copies}/mL",
                0,
                None,
                Some(20.0),
            ),
            Lab::Cd4 => test(
                ("24467-3", "CD3+CD4+ (T4 helper) cells [#/volume] in Blood"),
                "CD4",
                "/uL",
                0,
                Some(500.0),
                Some(1500.0),
            ),
            Lab::Troponin => test(
                (
                    "89579-7",
                    "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method",
                ),
                "troponin I",
                "pg/mL",
                0,
                None,
                Some(14.0),
            ),
            _ => test(
                ("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma"),
                "CRP",
                "mg/L",
                0,
                None,
                Some(8.0),
            ),
        }
    }
}

const CREATININE: (&str, &str) = ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma");
const EGFR: (&str, &str) = (
    "98979-8",
    "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)",
);
const HDL: (&str, &str) = ("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma");
const HAEMOGLOBIN: (&str, &str) = ("718-7", "Hemoglobin [Mass/volume] in Blood");

/// Tests that are ordered together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Panel {
    Metabolic,
    Lipid,
    BloodCount,
    Glycation,
    Thyroid,
    Coagulation,
    Liver,
    Heart,
    Prostate,
    Urate,
    UrineAlbumin,
    Iron,
    Hiv,
    Troponin,
    Inflammation,
}

impl Panel {
    /// The LOINC code and display of the report, where results are reported as a panel.
    pub(crate) fn report(self) -> Option<(&'static str, &'static str)> {
        match self {
            Panel::Metabolic => Some(("51990-0", "Basic metabolic panel - Blood")),
            Panel::Lipid => Some(("24331-1", "Lipid 1996 panel - Serum or Plasma")),
            Panel::BloodCount => Some(("58410-2", "CBC panel - Blood by Automated count")),
            _ => None,
        }
    }

    /// What is measured.
    pub(crate) fn labs(self) -> &'static [Lab] {
        match self {
            Panel::Metabolic => &[
                Lab::Glucose,
                Lab::Urea,
                Lab::Creatinine,
                Lab::Egfr,
                Lab::Sodium,
                Lab::Potassium,
                Lab::Chloride,
                Lab::Bicarbonate,
                Lab::Calcium,
            ],
            Panel::Lipid => &[Lab::Cholesterol, Lab::Triglycerides, Lab::Hdl, Lab::Ldl],
            Panel::BloodCount => &[Lab::Leukocytes, Lab::Haemoglobin, Lab::Mcv, Lab::Platelets],
            Panel::Glycation => &[Lab::HbA1c],
            Panel::Thyroid => &[Lab::Thyrotropin],
            Panel::Coagulation => &[Lab::Inr],
            Panel::Liver => &[Lab::Alt],
            Panel::Heart => &[Lab::NtProBnp],
            Panel::Prostate => &[Lab::Psa],
            Panel::Urate => &[Lab::Urate],
            Panel::UrineAlbumin => &[Lab::UrineAlbumin],
            Panel::Iron => &[Lab::Ferritin],
            Panel::Hiv => &[Lab::ViralLoad, Lab::Cd4],
            Panel::Troponin => &[Lab::Troponin],
            Panel::Inflammation => &[Lab::Crp],
        }
    }
}

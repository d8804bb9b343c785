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

/// The end of a reference range that is open.
const NO: f64 = f64::NAN;

macro_rules! tests {
    ($($lab:ident: $code:literal $display:literal, $short:literal, $unit:literal, $decimals:literal, $low:expr, $high:expr;)*) => {
        /// Code and display, short name, unit, digits and range of a test in men.
        const fn row(lab: Lab) -> ((&'static str, &'static str), &'static str, &'static str, usize, f64, f64) {
            match lab {
                $(Lab::$lab => (($code, $display), $short, $unit, $decimals, $low, $high),)*
            }
        }
    };
}

tests! {
    HbA1c: "4548-4" "Hemoglobin A1c/Hemoglobin.total in Blood", "HbA1c", "%", 1, 4.0, 5.6;
    Glucose: "2345-7" "Glucose [Mass/volume] in Serum or Plasma", "glucose", "mg/dL", 0, 70.0, 99.0;
    Creatinine: "2160-0" "Creatinine [Mass/volume] in Serum or Plasma", "creatinine", "mg/dL", 2, 0.7, 1.3;
    Egfr: "98979-8" "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)", "eGFR", "mL/min/{1.73_m2}", 0, 60.0, NO;
    Urea: "3094-0" "Urea nitrogen [Mass/volume] in Serum or Plasma", "BUN", "mg/dL", 0, 7.0, 20.0;
    Sodium: "2951-2" "Sodium [Moles/volume] in Serum or Plasma", "sodium", "mmol/L", 0, 136.0, 145.0;
    Potassium: "2823-3" "Potassium [Moles/volume] in Serum or Plasma", "potassium", "mmol/L", 1, 3.5, 5.1;
    Chloride: "2075-0" "Chloride [Moles/volume] in Serum or Plasma", "chloride", "mmol/L", 0, 98.0, 107.0;
    Bicarbonate: "2028-9" "Carbon dioxide, total [Moles/volume] in Serum or Plasma", "CO2", "mmol/L", 0, 22.0, 29.0;
    Calcium: "17861-6" "Calcium [Mass/volume] in Serum or Plasma", "calcium", "mg/dL", 1, 8.6, 10.3;
    Cholesterol: "2093-3" "Cholesterol [Mass/volume] in Serum or Plasma", "total cholesterol", "mg/dL", 0, NO, 199.0;
    Ldl: "13457-7" "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation", "LDL", "mg/dL", 0, NO, 129.0;
    Hdl: "2085-9" "Cholesterol in HDL [Mass/volume] in Serum or Plasma", "HDL", "mg/dL", 0, 40.0, NO;
    Triglycerides: "2571-8" "Triglyceride [Mass/volume] in Serum or Plasma", "triglycerides", "mg/dL", 0, NO, 149.0;
    Haemoglobin: "718-7" "Hemoglobin [Mass/volume] in Blood", "hemoglobin", "g/dL", 1, 13.5, 17.5;
    Leukocytes: "6690-2" "Leukocytes [#/volume] in Blood by Automated count", "WBC", "10*3/uL", 1, 4.0, 11.0;
    Platelets: "777-3" "Platelets [#/volume] in Blood by Automated count", "platelets", "10*3/uL", 0, 150.0, 400.0;
    Mcv: "787-2" "MCV [Entitic volume] by Automated count", "MCV", "fL", 0, 80.0, 100.0;
    Thyrotropin: "3016-3" "Thyrotropin [Units/volume] in Serum or Plasma", "TSH", "m[IU]/L", 2, 0.4, 4.5;
    Inr: "6301-6" "INR in Platelet poor plasma by Coagulation assay", "INR", "{INR}", 1, 0.9, 1.1;
    Alt: "1742-6" "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "ALT", "U/L", 0, 7.0, 45.0;
    NtProBnp: "33762-6" "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma", "NT-proBNP", "pg/mL", 0, NO, 300.0;
    Psa: "2857-1" "Prostate specific Ag [Mass/volume] in Serum or Plasma", "PSA", "ng/mL", 1, NO, 4.0;
    Urate: "3084-1" "Urate [Mass/volume] in Serum or Plasma", "uric acid", "mg/dL", 1, 3.4, 7.0;
    UrineAlbumin: "9318-7" "Albumin/Creatinine [Mass Ratio] in Urine", "urine albumin/creatinine", "mg/g", 0, NO, 29.0;
    Ferritin: "2276-4" "Ferritin [Mass/volume] in Serum or Plasma", "ferritin", "ng/mL", 0, 15.0, 200.0;
    ViralLoad: "20447-9" "HIV 1 RNA [#/volume] (viral load) in Serum or Plasma by NAA with probe detection", "HIV RNA", "{copies}/mL", 0, NO, 20.0;
    Cd4: "24467-3" "CD3+CD4+ (T4 helper) cells [#/volume] in Blood", "CD4", "/uL", 0, 500.0, 1500.0;
    Troponin: "89579-7" "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method", "troponin I", "pg/mL", 0, NO, 14.0;
    Crp: "1988-5" "C reactive protein [Mass/volume] in Serum or Plasma", "CRP", "mg/L", 0, NO, 8.0;
}

impl Lab {
    /// What is known of the test, for women or men.
    pub(crate) fn test(self, female: bool) -> Test {
        let (code, short, unit, decimals, mut low, mut high) = row(self);
        if female {
            (low, high) = match self {
                Lab::Creatinine => (0.5, 1.1),
                Lab::Hdl => (50.0, NO),
                Lab::Haemoglobin => (12.0, 15.5),
                _ => (low, high),
            };
        }
        let end = |value: f64| (!value.is_nan()).then_some(value);
        Test { code, unit, decimals, range: (end(low), end(high)), short }
    }
}

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

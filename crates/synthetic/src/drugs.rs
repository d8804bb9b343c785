//! Medicines with their RxNorm codes, doses and what may stand in their way.

use crate::calendar::DAY_MS;

/// Stands for once a week in [`Drug::daily`].
pub(crate) const WEEKLY: u32 = u32::MAX;

/// A medicine in one strength with the usual instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drug {
    pub(crate) code: &'static str,
    pub(crate) display: &'static str,
    /// Medicines of one group replace each other; the higher rank wins.
    pub(crate) group: &'static str,
    pub(crate) rank: u8,
    /// The instruction as the patient reads it.
    pub(crate) sig: &'static str,
    /// Amount of one dose and its unit.
    pub(crate) dose: (f64, &'static str),
    /// Doses a day; 0 stands for "as needed", [`WEEKLY`] for once a week.
    pub(crate) daily: u32,
    /// How long a course lasts in days; 0 for medicines that go on.
    pub(crate) days: i64,
}

impl Drug {
    /// The same medicine as a course of `days`.
    pub(crate) const fn course(self, days: i64) -> Self {
        Self { days, ..self }
    }

    /// When a course begun at `start_ms` is over; `None` for medicines that go on.
    pub(crate) fn end_ms(&self, start_ms: i64) -> Option<i64> {
        (self.days > 0).then_some(start_ms + self.days * DAY_MS)
    }
}

const fn drug(
    code: &'static str,
    display: &'static str,
    group: &'static str,
    rank: u8,
    sig: &'static str,
    dose: (f64, &'static str),
    daily: u32,
) -> Drug {
    Drug { code, display, group, rank, sig, dose, daily, days: 0 }
}

const TABLET: &str = "tablet";
const CAPSULE: &str = "capsule";

macro_rules! drugs {
    ($($name:ident = $code:literal $display:literal, $group:literal $rank:literal, $sig:literal, $dose:literal $unit:expr, $daily:expr;)*) => {
        $(pub(crate) const $name: Drug = drug($code, $display, $group, $rank, $sig, ($dose, $unit), $daily);)*
    };
}

drugs! {
    LISINOPRIL_10 = "314076" "lisinopril 10 MG Oral Tablet", "renin" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    LISINOPRIL_20 = "314077" "lisinopril 20 MG Oral Tablet", "renin" 2, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    LOSARTAN_50 = "979492" "losartan potassium 50 MG Oral Tablet", "renin" 3, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    AMLODIPINE_5 = "197361" "amlodipine 5 MG Oral Tablet", "calcium" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    HCTZ_25 = "310798" "hydrochlorothiazide 25 MG Oral Tablet", "thiazide" 1, "Take 1 tablet by mouth every morning", 1.0 TABLET, 1;
    METFORMIN_500 = "861007" "metformin hydrochloride 500 MG Oral Tablet", "metformin" 1, "Take 1 tablet by mouth twice daily with meals", 1.0 TABLET, 2;
    METFORMIN_1000 = "861004" "metformin hydrochloride 1000 MG Oral Tablet", "metformin" 2, "Take 1 tablet by mouth twice daily with meals", 1.0 TABLET, 2;
    GLIPIZIDE_5 = "310490" "glipizide 5 MG Oral Tablet", "second glucose agent" 1, "Take 1 tablet by mouth once daily before breakfast", 1.0 TABLET, 1;
    EMPAGLIFLOZIN_10 = "1545658" "empagliflozin 10 MG Oral Tablet", "second glucose agent" 2, "Take 1 tablet by mouth every morning", 1.0 TABLET, 1;
    GLARGINE = "847230" "3 ML insulin glargine 100 UNT/ML Pen Injector", "basal insulin" 1, "Inject 18 units under the skin once daily at bedtime", 18.0 "[iU]", 1;
    LISPRO = "242120" "insulin lispro 100 UNT/ML Injectable Solution", "mealtime insulin" 1, "Inject 6 units under the skin three times daily before meals", 6.0 "[iU]", 3;
    ATORVASTATIN_20 = "617310" "atorvastatin 20 MG Oral Tablet", "statin" 1, "Take 1 tablet by mouth once daily at bedtime", 1.0 TABLET, 1;
    ATORVASTATIN_40 = "617311" "atorvastatin 40 MG Oral Tablet", "statin" 2, "Take 1 tablet by mouth once daily at bedtime", 1.0 TABLET, 1;
    ATORVASTATIN_80 = "259255" "atorvastatin 80 MG Oral Tablet", "statin" 3, "Take 1 tablet by mouth once daily at bedtime", 1.0 TABLET, 1;
    ASPIRIN_81 = "243670" "aspirin 81 MG Oral Tablet", "antiplatelet" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    CLOPIDOGREL_75 = "309362" "clopidogrel 75 MG Oral Tablet", "antiplatelet" 2, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    NITROGLYCERIN = "705129" "nitroglycerin 0.4 MG/ACTUAT Mucosal Spray", "nitrate" 1, "Spray once under the tongue for chest pain; call 911 if it lasts 5 minutes", 1.0 "spray", 0;
    METOPROLOL_25 = "866427" "24 HR metoprolol succinate 25 MG Extended Release Oral Tablet", "beta blocker" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    METOPROLOL_50 = "866436" "24 HR metoprolol succinate 50 MG Extended Release Oral Tablet", "beta blocker" 2, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    FUROSEMIDE_40 = "313988" "furosemide 40 MG Oral Tablet", "loop diuretic" 1, "Take 1 tablet by mouth every morning", 1.0 TABLET, 1;
    WARFARIN_5 = "855332" "warfarin sodium 5 MG Oral Tablet", "anticoagulant" 1, "Take 1 tablet by mouth every evening, adjusted to INR 2 to 3", 1.0 TABLET, 1;
    APIXABAN_5 = "1364445" "apixaban 5 MG Oral Tablet", "anticoagulant" 2, "Take 1 tablet by mouth twice daily", 1.0 TABLET, 2;
    ALBUTEROL = "2123111" "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "reliever" 1, "Inhale 2 puffs every 4 to 6 hours as needed for wheezing", 2.0 "puff", 0;
    FLUTICASONE = "895994" "120 ACTUAT fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler", "controller" 1, "Inhale 2 puffs twice daily, rinse mouth after use", 2.0 "puff", 2;
    FLUTICASONE_SALMETEROL = "896209" "60 ACTUAT fluticasone propionate 0.25 MG/ACTUAT / salmeterol 0.05 MG/ACTUAT Dry Powder Inhaler", "controller" 2, "Inhale 1 puff twice daily, rinse mouth after use", 1.0 "puff", 2;
    LEVOTHYROXINE_75 = "966222" "levothyroxine sodium 0.075 MG Oral Tablet", "thyroid" 1, "Take 1 tablet by mouth every morning on an empty stomach", 1.0 TABLET, 1;
    LEVOTHYROXINE_100 = "892246" "levothyroxine sodium 0.1 MG Oral Tablet", "thyroid" 2, "Take 1 tablet by mouth every morning on an empty stomach", 1.0 TABLET, 1;
    SERTRALINE_50 = "312941" "sertraline 50 MG Oral Tablet", "antidepressant" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    SERTRALINE_100 = "312938" "sertraline 100 MG Oral Tablet", "antidepressant" 2, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    ESCITALOPRAM_10 = "349332" "escitalopram 10 MG Oral Tablet", "antidepressant" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    QUETIAPINE_100 = "312743" "quetiapine 100 MG Oral Tablet", "mood stabilizer" 1, "Take 1 tablet by mouth at bedtime", 1.0 TABLET, 1;
    NALTREXONE_50 = "1483744" "naltrexone hydrochloride 50 MG Oral Tablet", "naltrexone" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    BUPRENORPHINE = "351267" "buprenorphine 8 MG / naloxone 2 MG Sublingual Tablet", "buprenorphine" 1, "Dissolve 1 tablet under the tongue twice daily", 1.0 TABLET, 2;
    BICTEGRAVIR = "1999667" "bictegravir 50 MG / emtricitabine 200 MG / tenofovir alafenamide 25 MG Oral Tablet", "antiretroviral" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    ACETAMINOPHEN_500 = "198440" "acetaminophen 500 MG Oral Tablet", "analgesic" 1, "Take 1 to 2 tablets by mouth every 6 hours as needed for pain or fever; no more than 6 tablets a day", 1.0 TABLET, 0;
    NAPROXEN_500 = "198014" "naproxen 500 MG Oral Tablet", "nsaid" 1, "Take 1 tablet by mouth twice daily with food as needed for pain", 1.0 TABLET, 0;
    IBUPROFEN_200 = "310965" "ibuprofen 200 MG Oral Tablet", "nsaid" 1, "Take 2 tablets by mouth every 6 hours with food as needed for pain", 2.0 TABLET, 0;
    CHILD_ACETAMINOPHEN = "313820" "acetaminophen 160 MG Chewable Tablet", "analgesic" 1, "Dose by weight every 6 hours as needed for fever or pain", 1.0 TABLET, 0;
    OMEPRAZOLE_20 = "198051" "omeprazole 20 MG Delayed Release Oral Capsule", "acid" 1, "Take 1 capsule by mouth once daily before breakfast", 1.0 CAPSULE, 1;
    SUMATRIPTAN_50 = "313161" "sumatriptan 50 MG Oral Tablet", "triptan" 1, "Take 1 tablet at the start of a migraine; may repeat once after 2 hours", 1.0 TABLET, 0;
    TAMSULOSIN = "863669" "tamsulosin hydrochloride 0.4 MG Oral Capsule", "prostate" 1, "Take 1 capsule by mouth once daily after the same meal", 1.0 CAPSULE, 1;
    ANASTROZOLE_1 = "199224" "anastrozole 1 MG Oral Tablet", "endocrine therapy" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    METHOTREXATE = "105585" "methotrexate 2.5 MG Oral Tablet", "antirheumatic" 1, "Take 6 tablets by mouth once weekly on Sunday", 6.0 TABLET, WEEKLY;
    HYDROXYCHLOROQUINE = "979092" "hydroxychloroquine sulfate 200 MG Oral Tablet", "antimalarial" 1, "Take 1 tablet by mouth twice daily with food", 1.0 TABLET, 2;
    LEVETIRACETAM_500 = "311289" "levetiracetam 500 MG Oral Tablet", "antiseizure" 1, "Take 1 tablet by mouth twice daily", 1.0 TABLET, 2;
    FERROUS_SULFATE = "310325" "ferrous sulfate 325 MG Oral Tablet", "iron" 1, "Take 1 tablet by mouth once daily with orange juice", 1.0 TABLET, 1;
    ALLOPURINOL_100 = "197319" "allopurinol 100 MG Oral Tablet", "urate" 1, "Take 1 tablet by mouth once daily", 1.0 TABLET, 1;
    METHYLPHENIDATE = "1091392" "methylphenidate hydrochloride 20 MG Oral Tablet", "stimulant" 1, "Take half a tablet by mouth twice daily, morning and noon", 0.5 TABLET, 2;
    HYDROCORTISONE = "106258" "hydrocortisone 10 MG/ML Topical Cream", "topical steroid" 1, "Apply a thin layer to the affected skin twice daily for up to 7 days", 1.0 "application", 0;
    LORATADINE_10 = "311372" "loratadine 10 MG Oral Tablet", "antihistamine" 1, "Take 1 tablet by mouth once daily as needed for allergy symptoms", 1.0 TABLET, 0;
    DONEPEZIL_10 = "997223" "donepezil hydrochloride 10 MG Oral Tablet", "cholinesterase" 1, "Take 1 tablet by mouth once daily at bedtime", 1.0 TABLET, 1;
    AMOXICILLIN_500 = "308192" "amoxicillin 500 MG Oral Tablet", "antibiotic" 1, "Take 1 tablet by mouth three times daily for 10 days", 1.0 TABLET, 3;
    AMOXICILLIN_250 = "308182" "amoxicillin 250 MG Oral Capsule", "antibiotic" 1, "Take 1 capsule by mouth three times daily for 10 days", 1.0 CAPSULE, 3;
    AMOXICILLIN_CLAVULANATE = "562508" "amoxicillin 875 MG / clavulanate 125 MG Oral Tablet", "antibiotic" 1, "Take 1 tablet by mouth twice daily for 7 days", 1.0 TABLET, 2;
    AZITHROMYCIN_250 = "308460" "azithromycin 250 MG Oral Tablet", "antibiotic" 2, "Take 2 tablets by mouth on day 1, then 1 tablet daily for 4 days", 1.0 TABLET, 1;
    CIPROFLOXACIN_500 = "309309" "ciprofloxacin 500 MG Oral Tablet", "antibiotic" 1, "Take 1 tablet by mouth twice daily for 7 days", 1.0 TABLET, 2;
    NITROFURANTOIN = "1648755" "nitrofurantoin, macrocrystals 25 MG / nitrofurantoin, monohydrate 75 MG Oral Capsule", "antibiotic" 1, "Take 1 capsule by mouth twice daily for 5 days", 1.0 CAPSULE, 2;
    PREDNISONE_20 = "312615" "prednisone 20 MG Oral Tablet", "steroid" 1, "Take 2 tablets by mouth once daily for 5 days", 2.0 TABLET, 1;
    OXYCODONE = "1049221" "acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Tablet", "opioid" 1, "Take 1 tablet by mouth every 6 hours as needed for severe pain, for no more than 3 days", 1.0 TABLET, 0;
}

/// Whether the medicine is a penicillin.
pub(crate) fn is_penicillin(drug: &Drug) -> bool {
    drug.display.starts_with("amoxicillin")
}

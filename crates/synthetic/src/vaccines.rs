//! Immunizations by age and season (after the schedules of the CDC, simplified).

use crate::calendar::{YEAR_MS, age, month, start_of, year};
use crate::chance::Chance;
use crate::chart::Code;

/// Age in years from which a dose is due, and CVX code with display. One entry a dose.
const CHILDHOOD: &[(f64, Code)] = &[
    (0.15, HEP_B),
    (0.15, DTAP),
    (0.15, IPV),
    (0.15, HIB),
    (0.15, PCV13),
    (0.15, ROTAVIRUS),
    (0.32, DTAP),
    (0.32, IPV),
    (0.32, HIB),
    (0.32, PCV13),
    (0.32, ROTAVIRUS),
    (0.48, HEP_B),
    (0.48, DTAP),
    (0.48, PCV13),
    (0.98, MMR),
    (0.98, VARICELLA),
    (0.98, HEP_A),
    (0.98, PCV13),
    (1.2, DTAP),
    (1.2, HIB),
    (1.48, HEP_A),
    (4.0, DTAP),
    (4.0, IPV),
    (4.0, MMR),
    (4.0, VARICELLA),
    (11.0, TDAP),
    (11.0, HPV9),
    (11.0, MENINGOCOCCAL),
    (11.6, HPV9),
    (16.0, MENINGOCOCCAL),
];

const HEP_B: Code = ("08", "Hep B, adolescent or pediatric");
const DTAP: Code = ("20", "DTaP");
const IPV: Code = ("10", "IPV");
const HIB: Code = ("49", "Hib (PRP-OMP)");
const PCV13: Code = ("133", "Pneumococcal conjugate PCV 13");
const ROTAVIRUS: Code = ("119", "rotavirus, monovalent");
const MMR: Code = ("03", "MMR");
const VARICELLA: Code = ("21", "varicella");
const HEP_A: Code = ("83", "Hep A, ped/adol, 2 dose");
const TDAP: Code = ("115", "Tdap");
const HPV9: Code = ("165", "HPV9");
const MENINGOCOCCAL: Code = ("114", "meningococcal MCV4P");
const FLU: Code = ("140", "Influenza, split virus, trivalent, PF");
const FLU_HIGH_DOSE: Code = ("197", "Influenza, high-dose, quadrivalent");
const TD: Code = ("113", "Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed");
const COVID: Code = ("208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose");
const ZOSTER: Code = ("187", "zoster recombinant");
const PCV20: Code =
    ("216", "Pneumococcal conjugate PCV20, polysaccharide CRM197 conjugate, adjuvant, PF");

/// What somebody has had so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(Vec<(Code, i64)>);

impl Given {
    /// The last doses, at most `n`, with their times: what is on a vaccination card.
    pub(crate) fn last(&self, n: usize) -> Vec<(Code, i64)> {
        self.0.iter().rev().take(n).rev().copied().collect()
    }

    fn count(&self, code: &str) -> usize {
        self.0.iter().filter(|(given, _)| given.0 == code).count()
    }

    fn years_since(&self, code: &str, at: i64) -> f64 {
        let last = self.0.iter().filter(|(given, _)| given.0 == code).map(|(_, when)| *when).max();
        last.map_or(99.0, |last| (at - last) as f64 / YEAR_MS as f64)
    }

    /// Doses that are due at a checkup, at most four; they count as given.
    pub(crate) fn due(&mut self, birth_ms: i64, at: i64, chance: &mut Chance) -> Vec<Code> {
        let years = age(birth_ms, at);
        let mut due: Vec<Code> = Vec::new();
        if years < 19.0 {
            for (index, (from, dose)) in CHILDHOOD.iter().enumerate() {
                let before =
                    CHILDHOOD[..index].iter().filter(|(_, earlier)| earlier.0 == dose.0).count();
                let waiting = due.iter().any(|other| other.0 == dose.0);
                if *from <= years && self.count(dose.0) == before && !waiting && years - from < 3.0
                {
                    due.push(*dose);
                }
            }
        } else {
            self.adult(years, at, chance, &mut due);
        }
        let season = [9, 10, 11, 12].contains(&month(at));
        let flu = if years >= 65.0 { FLU_HIGH_DOSE } else { FLU };
        let lately = self.years_since(FLU.0, at).min(self.years_since(FLU_HIGH_DOSE.0, at));
        if season && years > 0.6 && lately > 0.6 && chance.yes(0.6) {
            due.push(flu);
        }
        due.truncate(6);
        self.0.extend(due.iter().map(|dose| (*dose, at)));
        due
    }

    fn adult(&self, years: f64, at: i64, chance: &mut Chance, due: &mut Vec<Code>) {
        if self.years_since(TD.0, at).min(self.years_since(TDAP.0, at)) > 10.0 && chance.yes(0.35) {
            due.push(if self.count(TDAP.0) == 0 { TDAP } else { TD });
        }
        let covid = at >= start_of("2021-02-15") && year(at) <= 2022;
        if covid
            && self.count(COVID.0) < 3
            && self.years_since(COVID.0, at) > 0.3
            && chance.yes(0.6)
        {
            due.push(COVID);
        }
        if years >= 50.0
            && self.count(ZOSTER.0) < 2
            && self.years_since(ZOSTER.0, at) > 0.15
            && chance.yes(0.35)
        {
            due.push(ZOSTER);
        }
        if years >= 65.0 && self.count(PCV20.0) == 0 && year(at) >= 2022 && chance.yes(0.6) {
            due.push(PCV20);
        }
    }
}

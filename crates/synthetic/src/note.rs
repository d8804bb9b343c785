//! Clinical notes, written from the same facts as the rest of the record.

use crate::body::Vitals;
use crate::lab::Lab;

/// What a note is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// `62-year-old woman`.
    pub(crate) who: String,
    pub(crate) title: String,
    pub(crate) department: String,
    pub(crate) hospital: String,
    pub(crate) date: String,
    pub(crate) signed: String,
    pub(crate) history: String,
    pub(crate) problems: Vec<String>,
    pub(crate) medicines: Vec<String>,
    pub(crate) allergies: Vec<String>,
    pub(crate) vitals: Option<Vitals>,
    pub(crate) labs: Vec<(Lab, f64)>,
    pub(crate) female: bool,
    /// Of someone old enough to have blood pressure taken.
    pub(crate) pressure: bool,
    pub(crate) weighed: bool,
    pub(crate) plan: Vec<String>,
}

/// The text of a note.
pub(crate) fn text(facts: &Facts) -> String {
    let mut out = format!(
        "{}\n{}, {}\n{}\n\n",
        facts.title.to_uppercase(),
        facts.department,
        facts.hospital,
        facts.date
    );
    out.push_str(&format!("HISTORY\n{} {}\n\n", facts.who, facts.history));
    section(&mut out, "ACTIVE PROBLEMS", &facts.problems, "none recorded here");
    section(&mut out, "MEDICATIONS", &facts.medicines, "none");
    section(&mut out, "ALLERGIES", &facts.allergies, "not recorded");
    if let Some(vitals) = &facts.vitals {
        let mut line = String::new();
        if facts.pressure {
            line.push_str(&format!("BP {:.0}/{:.0} mmHg, ", vitals.systolic, vitals.diastolic));
        }
        line.push_str(&format!("pulse {:.0}/min", vitals.pulse));
        if facts.weighed {
            line.push_str(&format!(", weight {:.1} kg", vitals.weight));
        }
        if vitals.temperature > 37.8 {
            line.push_str(&format!(", temperature {:.1} C", vitals.temperature));
        }
        if vitals.saturation < 94.0 {
            line.push_str(&format!(", oxygen saturation {:.0} %", vitals.saturation));
        }
        out.push_str(&format!("EXAMINATION\n{line}\n\n"));
    }
    if !facts.labs.is_empty() {
        let lines: Vec<String> =
            facts.labs.iter().map(|(lab, value)| result(*lab, *value, facts.female)).collect();
        section(&mut out, "RESULTS", &lines, "");
    }
    section(&mut out, "ASSESSMENT AND PLAN", &facts.plan, "Continue as before.");
    out.push_str(&format!("Signed: {}\n", facts.signed));
    out
}

fn section(out: &mut String, title: &str, lines: &[String], nothing: &str) {
    out.push_str(&format!("{title}\n"));
    if lines.is_empty() {
        out.push_str(&format!("- {nothing}\n"));
    }
    for line in lines {
        out.push_str(&format!("- {line}\n"));
    }
    out.push('\n');
}

fn result(lab: Lab, value: f64, female: bool) -> String {
    let test = lab.test(female);
    let unit = test
        .unit
        .replace("{1.73_m2}", "1.73 m2")
        .replace("{INR}", "")
        .replace("{copies}", "copies");
    let flag = if test.range.0.is_some_and(|low| value < low) {
        " (low)"
    } else if test.range.1.is_some_and(|high| value > high) {
        " (high)"
    } else {
        ""
    };
    let unit = if unit.is_empty() { unit } else { format!(" {unit}") };
    format!("{} {value:.*}{unit}{flag}", test.short, test.decimals)
}

//! Rules that hold whatever the weights say. Each puts a ceiling on the score; none is triggered
//! by an agreement, so further agreement never lowers a score.

use crate::compare::Observation;
use crate::field::{Field, Level};
use crate::model::Model;
use crate::score::FieldScore;

/// How far below a threshold a ceiling lies, in bits.
const BELOW: f64 = 1.0;
/// Identifiers of one person only.
const IDENTIFIERS: [Level; 5] = [
    Level::SsnExact,
    Level::NationalIdExact,
    Level::LicenceExact,
    Level::PassportExact,
    Level::MrnExact,
];

/// A ceiling on the log2 odds and the reason.
pub(crate) struct Cap {
    ceiling: f64,
    agreement: &'static str,
    note: &'static str,
}

impl Cap {
    /// The line that brings `weight` down to the ceiling; `None` where it lies below already.
    pub(crate) fn line(&self, weight: f64) -> Option<FieldScore> {
        (weight > self.ceiling).then_some(FieldScore {
            field: "rule",
            agreement: self.agreement,
            weight: self.ceiling - weight,
            note: self.note,
        })
    }
}

/// The lowest ceiling that applies to what was seen.
pub(crate) fn cap(seen: &[Observation], model: &Model) -> Option<Cap> {
    let has = |levels: &[Level]| seen.iter().any(|seen| levels.contains(&seen.level));
    let agrees = |field: Field| {
        seen.iter().any(|seen| seen.level.field() == field && model.entry(seen.level).agrees)
    };
    let identifier = has(&IDENTIFIERS);
    let uncertain = model.thresholds.certain - BELOW;
    let not = model.thresholds.possible - BELOW;
    let rules = [
        (
            has(&[Level::GivenDifferent]) && !identifier,
            not,
            "given-name",
            "clearly different given names and no equal identifier",
        ),
        (
            has(&[Level::GivenDifferent]),
            uncertain,
            "given-name",
            "clearly different given names are never certain",
        ),
        (
            has(&[Level::SsnDifferent])
                && has(&[Level::BirthDateSameYear, Level::BirthDateDifferent]),
            uncertain,
            "ssn-and-birth-date",
            "social security number and birth date both contradict",
        ),
        (
            has(&[Level::SsnDifferent]) && !has(&[Level::GivenExact]) && !identifier,
            uncertain,
            "ssn-and-given-name",
            "social security numbers contradict and the given name is not the same",
        ),
        (
            has(&[Level::GivenMiddle]) && has(&[Level::MiddleDifferent]),
            uncertain,
            "middle-name",
            "a second given name agrees with a first one, the others contradict",
        ),
        (
            has(&[Level::SuffixDifferent]) && !has(&[Level::BirthDateExact])
                || has(&[Level::SuffixOneSided]) && !agrees(Field::BirthDate),
            uncertain,
            "generation",
            "the generation suffix differs and the birth date does not settle it",
        ),
        (
            has(&[Level::MultipleBirthOrderDiffers]) && !identifier,
            uncertain,
            "birth-order",
            "different places in a multiple birth and no equal identifier",
        ),
        (
            has(&[Level::GenderDifferent])
                && !has(&[Level::GivenExact, Level::GivenNickname])
                && !identifier,
            uncertain,
            "gender",
            "gender differs and the given name is not the same",
        ),
        (
            !agrees(Field::BirthDate) && !identifier && !has(&[Level::SsnUnissued]),
            uncertain,
            "birth-date",
            "neither a birth date nor an identifier agrees",
        ),
        (
            !agrees(Field::Given) && !identifier,
            uncertain,
            "given-name",
            "neither a given name nor an identifier agrees",
        ),
    ];
    let applying = rules.into_iter().filter(|(applies, ..)| *applies);
    applying
        .map(|(_, ceiling, agreement, note)| Cap { ceiling, agreement, note })
        .min_by(|a, b| a.ceiling.total_cmp(&b.ceiling))
}

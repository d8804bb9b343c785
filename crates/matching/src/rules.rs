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

/// What was seen, with the questions that rules ask of it.
struct Evidence<'a> {
    seen: &'a [Observation],
    model: &'a Model,
    /// An identifier of one person only is equal.
    identifier: bool,
}

impl Evidence<'_> {
    fn has(&self, levels: &[Level]) -> bool {
        self.seen.iter().any(|seen| levels.contains(&seen.level))
    }

    fn agrees(&self, field: Field) -> bool {
        let in_field = self.seen.iter().filter(|seen| seen.level.field() == field);
        let mut levels = in_field.map(|seen| seen.level);
        levels.any(|level| self.model.entry(level).agrees)
    }
}

/// The lowest ceiling that applies to what was seen.
pub(crate) fn cap(seen: &[Observation], model: &Model) -> Option<Cap> {
    let identifier = seen.iter().any(|seen| IDENTIFIERS.contains(&seen.level));
    let evidence = Evidence { seen, model, identifier };
    if evidence.has(&[Level::GivenDifferent]) && !identifier {
        return Some(Cap {
            ceiling: model.thresholds.possible - BELOW,
            agreement: "given-name",
            note: "clearly different given names and no equal identifier",
        });
    }
    let ceiling = model.thresholds.certain - BELOW;
    let mut reasons = contradictions(&evidence).into_iter().chain(gaps(&evidence));
    let (_, agreement, note) = reasons.find(|(applies, ..)| *applies)?;
    Some(Cap { ceiling, agreement, note })
}

type Reason = (bool, &'static str, &'static str);

/// Contradictions that leave no pair certain.
fn contradictions(seen: &Evidence<'_>) -> [Reason; 7] {
    let number_differs = seen.has(&[Level::SsnDifferent]);
    [
        (
            seen.has(&[Level::GivenDifferent]),
            "given-name",
            "clearly different given names are never certain",
        ),
        (
            number_differs && seen.has(&[Level::BirthDateSameYear, Level::BirthDateDifferent]),
            "ssn-and-birth-date",
            "social security number and birth date both contradict",
        ),
        (
            number_differs && !seen.has(&[Level::GivenExact]) && !seen.identifier,
            "ssn-and-given-name",
            "social security numbers contradict and the given name is not the same",
        ),
        (
            seen.has(&[Level::GivenMiddle]) && seen.has(&[Level::MiddleDifferent]),
            "middle-name",
            "a second given name agrees with a first one, the others contradict",
        ),
        (
            seen.has(&[Level::SuffixDifferent]) && !seen.has(&[Level::BirthDateExact])
                || seen.has(&[Level::SuffixOneSided]) && !seen.agrees(Field::BirthDate),
            "generation",
            "the generation suffix differs and the birth date does not settle it",
        ),
        (
            seen.has(&[Level::MultipleBirthOrderDiffers]) && !seen.identifier,
            "birth-order",
            "different places in a multiple birth and no equal identifier",
        ),
        (
            seen.has(&[Level::GenderDifferent])
                && !seen.has(&[Level::GivenExact, Level::GivenNickname])
                && !seen.identifier
                && !seen.has(&[Level::SsnUnissued]),
            "gender",
            "gender differs, the given name is not the same and no number agrees",
        ),
    ]
}

/// Gaps that leave no pair certain.
fn gaps(seen: &Evidence<'_>) -> [Reason; 2] {
    [
        (
            !seen.agrees(Field::BirthDate) && !seen.identifier && !seen.has(&[Level::SsnUnissued]),
            "birth-date",
            "neither a birth date nor an identifier agrees",
        ),
        (
            !seen.agrees(Field::Given) && !seen.identifier,
            "given-name",
            "neither a given name nor an identifier agrees",
        ),
    ]
}

//! Contents that are attached to resources: of which kind they are, and images among them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::Value;

use super::apply::Context;
use super::dicom::{self, Options, Refused};
use super::subject::Subject;

/// What a `contentType` says of the contents beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    /// Plain text.
    Text,
    /// A DICOM file.
    Dicom,
    /// Anything else, or nothing is said.
    Other,
}

impl Attached {
    /// The kind of the contents of an Attachment or a Binary.
    pub(super) fn of(holder: Value<'_>) -> Self {
        let media = holder.str_at("contentType").unwrap_or_default();
        match media.split(';').next().unwrap_or_default().trim() {
            "text/plain" => Self::Text,
            "application/dicom" => Self::Dicom,
            _ => Self::Other,
        }
    }
}

/// A DICOM file as it may be shown, in base64.
pub(super) fn image(
    value: Value<'_>,
    subject: &Subject,
    context: &Context<'_>,
    shift_days: u16,
    options: Options,
) -> Result<String, Refused> {
    let patient = subject.patient.as_deref().ok_or(Refused::Patient)?;
    let text = value.as_str().ok_or(Refused::NotDicom)?;
    // Four characters are three bytes.
    if text.len() / 4 > dicom::MAX_BYTES / 3 + 1 {
        return Err(Refused::TooLarge);
    }
    let file = STANDARD.decode(text.as_bytes()).map_err(|_| Refused::NotDicom)?;
    let context = dicom::Context {
        key: context.key,
        patient,
        shift_days,
        reference_year: context.reference_year,
        may_be_old: subject.may_be_old(context.reference_year),
    };
    Ok(STANDARD.encode(dicom::clean(&file, options, &context)?))
}

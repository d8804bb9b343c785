//! The text of a reference taken apart (FHIR R4, References: literal references).

/// What the text of a reference says about its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target<'t> {
    /// Type of the target, where the text ends in `Type/id`.
    pub resource_type: Option<&'static str>,
    /// Logical id of the target, where the text ends in `Type/id`.
    pub id: Option<&'t str>,
    /// The text without version where it is anything but `Type/id`: an absolute address, a `urn:`,
    /// a canonical.
    pub url: Option<&'t str>,
    /// What stands behind the `|` of a canonical.
    pub version: Option<&'t str>,
}

impl<'t> Target<'t> {
    /// Takes the text of a reference apart. The version is dropped: `/_history/…` behind `Type/id`,
    /// `|…` behind a canonical.
    pub fn parse(text: &'t str) -> Self {
        let plain = text.rsplit_once("/_history/").map_or(text, |(before, _)| before);
        if let Some((before, id)) = plain.rsplit_once('/') {
            let (base, type_name) = match before.rsplit_once('/') {
                Some((base, type_name)) => (Some(base), type_name),
                None => (None, before),
            };
            let valid = fhir::Id::new(id).is_ok();
            if let Some(resource_type) = fhir::resource_type(type_name).filter(|_| valid) {
                let absolute = base.is_some_and(|base| base.contains("://"));
                if base.is_none() || absolute {
                    let url = absolute.then_some(plain);
                    let resource_type = Some(resource_type);
                    return Self { resource_type, id: Some(id), url, version: None };
                }
            }
        }
        let (url, version) = match text.split_once('|') {
            Some((url, version)) => (url, Some(version).filter(|version| !version.is_empty())),
            None => (text, None),
        };
        Self { resource_type: None, id: None, url: Some(url), version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_references_apart() {
        for (text, expected) in [
            ("Patient/1", "Patient 1 -"),
            ("Patient/1/_history/2", "Patient 1 -"),
            ("http://x.org/fhir/Patient/1/_history/2", "Patient 1 http://x.org/fhir/Patient/1"),
            ("urn:uuid:8f0c", "- - urn:uuid:8f0c"),
            ("http://x.org/vs|2.0", "- - http://x.org/vs"),
            ("Human/1", "- - Human/1"),
            ("a/Patient/1", "- - a/Patient/1"),
            ("Patient?identifier=a|b", "- - Patient?identifier=a"),
        ] {
            let Target { resource_type, id, url, .. } = Target::parse(text);
            let shown = [resource_type, id, url].map(|part| part.unwrap_or("-")).join(" ");
            assert_eq!(shown, expected);
        }
    }
}

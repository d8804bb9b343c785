//! The languages of the pages and how one is chosen.

use std::sync::LazyLock;

use fluent_templates::LanguageIdentifier;

/// A language every page is complete in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// American English, the language others fall back to.
    #[default]
    EnUs,
    /// Spanish.
    Es,
    /// German.
    De,
}

static EN_US: LazyLock<LanguageIdentifier> = LazyLock::new(|| identifier("en-US"));
static ES: LazyLock<LanguageIdentifier> = LazyLock::new(|| identifier("es"));
static DE: LazyLock<LanguageIdentifier> = LazyLock::new(|| identifier("de"));

fn identifier(tag: &str) -> LanguageIdentifier {
    tag.parse().unwrap_or_default()
}

impl Lang {
    /// Every language, in the order in which a chooser lists them.
    pub const ALL: [Self; 3] = [Self::EnUs, Self::Es, Self::De];

    /// The BCP 47 tag, which is also the value kept in a cookie and the folder of translations.
    pub fn tag(self) -> &'static str {
        match self {
            Self::EnUs => "en-US",
            Self::Es => "es",
            Self::De => "de",
        }
    }

    /// What speakers of the language call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::EnUs => "English",
            Self::Es => "Español",
            Self::De => "Deutsch",
        }
    }

    /// The language of a BCP 47 tag, whatever its region: `de-AT` gives German. `None` when the
    /// pages do not speak it.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next()?.trim();
        [("en", Self::EnUs), ("es", Self::Es), ("de", Self::De)]
            .into_iter()
            .find_map(|(code, lang)| primary.eq_ignore_ascii_case(code).then_some(lang))
    }

    /// The best language for an `Accept-Language` header (RFC 9110 section 12.5.4): the highest
    /// quality wins, the earlier one among equals; English when nothing fits. Only the first 20
    /// ranges are read.
    pub fn negotiate(accept_language: &str) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for range in accept_language.split(',').take(20) {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let quality = parts
                .find_map(|part| part.trim().strip_prefix("q="))
                .map_or(Some(1.0), |q| q.trim().parse::<f32>().ok())
                .unwrap_or(0.0);
            let lang = if tag == "*" { Some(Self::default()) } else { Self::from_tag(tag) };
            if let Some(lang) = lang
                && quality > 0.0
                && best.is_none_or(|(highest, _)| quality > highest)
            {
                best = Some((quality, lang));
            }
        }
        best.map_or(Self::default(), |(_, lang)| lang)
    }

    pub(crate) fn identifier(self) -> &'static LanguageIdentifier {
        match self {
            Self::EnUs => &EN_US,
            Self::Es => &ES,
            Self::De => &DE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accepted_language_of_highest_quality_wins() {
        for (header, expected) in [
            ("", Lang::EnUs),
            ("de-AT", Lang::De),
            ("fr, es;q=0.8, de;q=0.9", Lang::De),
            ("es-MX,es;q=0.9,en;q=0.8", Lang::Es),
            ("fr-FR", Lang::EnUs),
            ("de;q=0, es;q=0.1", Lang::Es),
            ("*, de", Lang::EnUs),
            ("de;q=nonsense, es;q=0.2", Lang::Es),
            (",,;;q=,", Lang::EnUs),
        ] {
            assert_eq!(Lang::negotiate(header), expected, "{header}");
        }
    }

    #[test]
    fn every_language_is_found_by_its_own_tag() {
        for lang in Lang::ALL {
            assert_eq!(Lang::from_tag(lang.tag()), Some(lang));
            assert_eq!(lang.identifier().to_string(), lang.tag());
        }
    }
}

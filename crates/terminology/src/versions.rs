//! Which versions of code systems and value sets a request wants.

/// Versions that a request asks for, each as code system and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// `system-version`: used where the value set states none.
    pub default: Vec<(String, String)>,
    /// `check-system-version`: anything else is an error.
    pub check: Vec<(String, String)>,
    /// `force-system-version`: used whatever the value set states.
    pub force: Vec<(String, String)>,
    /// `exclude-system`: codes of these are left out; an empty version means any.
    pub exclude: Vec<(String, String)>,
}

impl Versions {
    /// Whether nothing in particular is asked for.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// The version to use of `system` where the value set states `stated`.
    pub(crate) fn choose<'a>(&'a self, system: &str, stated: Option<&'a str>) -> Option<&'a str> {
        of(&self.force, system).or(stated).or_else(|| of(&self.default, system))
    }

    /// The version that `system` must have.
    pub(crate) fn required(&self, system: &str) -> Option<&str> {
        of(&self.check, system)
    }

    /// Whether codes of `system` in the version that is used are left out.
    pub(crate) fn excludes(&self, system: &str, used: Option<&str>) -> bool {
        let excluded = |(known, version): &(String, String)| {
            known == system && (version.is_empty() || used == Some(version))
        };
        self.exclude.iter().any(excluded)
    }
}

fn of<'a>(list: &'a [(String, String)], system: &str) -> Option<&'a str> {
    list.iter().find(|(known, _)| known == system).map(|(_, version)| version.as_str())
}

/// Splits `url|version`; a fragment stays with the address.
pub(crate) fn split(canonical: &str) -> (&str, Option<&str>) {
    match canonical.split_once('|') {
        Some((url, version)) if !version.is_empty() => (url, Some(version)),
        Some((url, _)) => (url, None),
        None => (canonical, None),
    }
}

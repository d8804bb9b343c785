//! A list of scopes as it travels: parsed, cut down to what may be granted, and written again.

use std::fmt;

use crate::permissions::Permissions;
use crate::resource_scope::{Level, ResourceScope};

/// Longest list, in bytes.
pub const MAX_BYTES: usize = 8 * 1024;
/// Most scopes of a list.
pub const MAX_SCOPES: usize = 200;
/// How SMART and OpenID scopes are written as addresses.
const URI_FORMS: [&str; 2] =
    ["http://smarthealthit.org/fhir/scopes/", "http://openid.net/specs/openid-connect-core-1_0#"];

/// One scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// About resources.
    Resource(ResourceScope),
    /// `launch`: the context of an EHR launch.
    Launch,
    /// `launch/patient`: a patient is to be chosen.
    LaunchPatient,
    /// `launch/encounter`: an encounter is to be chosen.
    LaunchEncounter,
    /// `openid`: an ID token.
    OpenId,
    /// `fhirUser`: who the user is, as a resource.
    FhirUser,
    /// `offline_access`: refresh tokens that outlive the user's presence.
    Offline,
    /// `online_access`: refresh tokens while the user is at work.
    Online,
}

impl Scope {
    /// Reads one scope, in its usual form or as an address; `None` for an unknown one.
    pub fn parse(text: &str) -> Option<Self> {
        let form = URI_FORMS.iter().find_map(|form| text.strip_prefix(form));
        let text = form.unwrap_or(text);
        Some(match text {
            "launch" => Self::Launch,
            "launch/patient" => Self::LaunchPatient,
            "launch/encounter" => Self::LaunchEncounter,
            "openid" => Self::OpenId,
            "fhirUser" => Self::FhirUser,
            "offline_access" => Self::Offline,
            "online_access" => Self::Online,
            text => Self::Resource(ResourceScope::parse(text)?),
        })
    }

    /// The scope about resources, where it is one.
    pub fn resource(&self) -> Option<&ResourceScope> {
        match self {
            Self::Resource(scope) => Some(scope),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resource(scope) => return scope.fmt(f),
            Self::Launch => "launch",
            Self::LaunchPatient => "launch/patient",
            Self::LaunchEncounter => "launch/encounter",
            Self::OpenId => "openid",
            Self::FhirUser => "fhirUser",
            Self::Offline => "offline_access",
            Self::Online => "online_access",
        })
    }
}

/// Scopes in the order in which they were asked for, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Reads a list separated by spaces. Unknown scopes are left out, as RFC 6749 section 3.3 lets
    /// a server do; what is granted is always told. `None` where the list is too long.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES || text.split_ascii_whitespace().count() > MAX_SCOPES {
            return None;
        }
        Some(text.split_ascii_whitespace().filter_map(Scope::parse).collect())
    }

    /// The first part of a list that could not be read, for a registration that has to be right.
    pub fn first_unknown(text: &str) -> Option<&str> {
        text.split_ascii_whitespace().find(|part| Scope::parse(part).is_none())
    }

    /// The scopes.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Those about resources.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceScope> {
        self.0.iter().filter_map(Scope::resource)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `one` is among them.
    pub fn has(&self, one: &Scope) -> bool {
        self.0.contains(one)
    }

    /// Whether any is about resources at a level.
    pub fn has_level(&self, level: Level) -> bool {
        self.resources().any(|scope| scope.level == level)
    }

    /// Whether a patient must be in context: it is asked for, or a scope is about the patient's
    /// resources (SMART App Launch 2.2, scopes: a patient is set where a `patient/` scope is).
    pub fn needs_patient(&self) -> bool {
        self.has(&Scope::LaunchPatient) || self.has_level(Level::Patient)
    }

    /// Those that `keep` says.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Scope) -> bool) -> Self {
        self.0.iter().filter(|scope| keep(scope)).cloned().collect()
    }

    /// What is asked for here and allowed there: for a scope about resources what each allowed one
    /// has in common with it, for the others those that both have.
    #[must_use]
    pub fn and(&self, allowed: &Self) -> Self {
        let mut both = Self::default();
        for asked in &self.0 {
            match asked {
                Scope::Resource(asked) => {
                    let common = allowed.resources().filter_map(|scope| scope.and(asked));
                    both.extend(common.map(Scope::Resource));
                }
                other if allowed.has(other) => both.extend([other.clone()]),
                _ => {}
            }
        }
        both
    }

    /// Whether everything that `other` allows is allowed here, scope by scope.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|scope| match scope {
            Scope::Resource(scope) => self.resources().any(|own| own.covers(scope)),
            other => self.has(other),
        })
    }

    /// The scopes by which something may be done with resources of `kind`, at least one of `any`.
    pub fn allowing<'a>(
        &'a self,
        kind: &'a str,
        any: Permissions,
    ) -> impl Iterator<Item = &'a ResourceScope> {
        self.resources().filter(move |scope| scope.is_about(kind) && !scope.can.and(any).is_empty())
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        let mut list = Self::default();
        list.extend(scopes);
        list
    }
}

impl Extend<Scope> for Scopes {
    fn extend<T: IntoIterator<Item = Scope>>(&mut self, scopes: T) {
        for scope in scopes {
            if self.0.len() < MAX_SCOPES && !self.0.contains(&scope) {
                self.0.push(scope);
            }
        }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            scope.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).unwrap()
    }

    #[test]
    fn what_is_granted_is_what_is_asked_for_and_allowed() {
        for (asked, allowed, granted) in [
            (
                "patient/*.read",
                "patient/Observation.rs patient/Condition.r",
                "patient/Observation.read patient/Condition.r",
            ),
            ("patient/Observation.cruds", "patient/*.rs", "patient/Observation.rs"),
            ("user/Observation.rs", "patient/*.cruds", ""),
            ("launch openid offline_access", "openid offline_access", "openid offline_access"),
            (
                "patient/Observation.rs",
                "patient/Observation.rs?category=lab",
                "patient/Observation.rs?category=lab",
            ),
            ("system/*.rs", "", ""),
            ("unheard/of __own openid", "openid", "openid"),
        ] {
            assert_eq!(scopes(asked).and(&scopes(allowed)).to_string(), granted, "{asked}");
        }
    }

    #[test]
    fn addresses_stand_for_names_and_long_lists_are_refused() {
        let text = "http://smarthealthit.org/fhir/scopes/patient/*.rs \
                    http://openid.net/specs/openid-connect-core-1_0#openid";
        assert_eq!(scopes(text).to_string(), "patient/*.rs openid");
        assert_eq!(Scopes::parse(&"openid ".repeat(201)), None);
        assert_eq!(Scopes::parse(&"x".repeat(MAX_BYTES + 1)), None);
        assert_eq!(Scopes::first_unknown("openid patient/X.rs"), Some("patient/X.rs"));
    }

    #[test]
    fn a_patient_is_needed_where_a_scope_is_about_one() {
        for (text, needs) in [
            ("patient/*.rs", true),
            ("launch/patient user/*.rs", true),
            ("user/*.rs openid", false),
        ] {
            assert_eq!(scopes(text).needs_patient(), needs, "{text}");
        }
    }
}

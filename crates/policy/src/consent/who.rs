//! Whom a consent names: persons, organisations, groups, and whether they are who asks.

use super::item::relative;
use super::resolve::{Holds, Named};
use super::{ORGANISATION_URN, Request, Rule, organisation};
use crate::question::Role;

/// Somebody a consent can name.
///
/// A person has names: relative references (`Practitioner/7`, also of a role, a proxy or a device)
/// and identifiers written as `system|value`. A user of an organisation of the network is the
/// identifier whose system is the organisation's URI, `urn:consilium:org:north|weber`, see
/// [`user_of`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// An organisation, by its short id.
    Organisation(Box<str>),
    /// One person, proxy or device, by every name known of them.
    Person(Vec<Box<str>>),
    /// A group or care team.
    AnyOf {
        /// Its members.
        members: Vec<Who>,
        /// Whether those are all.
        complete: bool,
    },
    /// All of it together, such as a practitioner at an organisation (PractitionerRole).
    AllOf(Vec<Who>),
    /// Somebody not known here.
    Unknown,
}

/// Tells who is behind a reference (`Group/2`) or an identifier (`system|value`); `None` where it
/// is not known here.
pub type Directory<'a> = &'a dyn Fn(&str) -> Option<Who>;

/// The name of a user of an organisation as consents write it and [`Request::recipient_user`]
/// takes it: `urn:consilium:org:north|weber`.
pub fn user_of(organisation: &str, user: &str) -> String {
    format!("{ORGANISATION_URN}{organisation}|{user}")
}

impl Who {
    /// Who is meant by a relative or absolute reference. `Organization/x` is the member of the network
    /// with that id, and whomever the Organization that is known under it stands for: one outside
    /// the network by its URI, or a member under an id of the record's own. Whoever denies it
    /// denies both.
    pub(crate) fn referred(text: &str, directory: Directory<'_>) -> Self {
        if let Some(id) = organisation(text) {
            let member = Self::Organisation(id.into());
            return match relative(text).and_then(directory) {
                Some(known @ Self::Organisation(_)) if known != member => {
                    Self::AnyOf { members: vec![member, known], complete: true }
                }
                _ => member,
            };
        }
        let Some(relative) = relative(text) else { return Self::Unknown };
        directory(relative).unwrap_or_else(|| match relative.split_once('/') {
            Some((kind, _)) if is_person(kind) => Self::Person(vec![relative.into()]),
            _ => Self::Unknown,
        })
    }

    /// Who is meant by an identifier: an organisation of the network by its URI, a user of one by
    /// the URI as the system, anybody else only where the directory knows them.
    pub(crate) fn identified(system: &str, value: &str, directory: Directory<'_>) -> Self {
        if value.is_empty() {
            return Self::Unknown;
        }
        if let Some(id) = value.strip_prefix(ORGANISATION_URN) {
            return Self::Organisation(id.into());
        }
        let name = format!("{system}|{value}");
        directory(&name).unwrap_or_else(|| match system.strip_prefix(ORGANISATION_URN) {
            Some(org) if !org.is_empty() => Self::Person(vec![name.into()]),
            _ => Self::Unknown,
        })
    }

    /// Whether this is who asks, and how closely they are named by it.
    pub(crate) fn asks(&self, request: &Request) -> (Holds, Named) {
        match self {
            Self::Organisation(id) => {
                let same = **id == *short(&request.recipient_org);
                (Holds::of(same || !Rule::RecipientMatches.holds()), Named::Organisation)
            }
            Self::Person(_) if !Rule::PersonMatches.holds() => (Holds::Yes, Named::User),
            Self::Person(names) => (person(names, request), Named::User),
            Self::AnyOf { .. } if !Rule::MemberMatches.holds() => (Holds::Yes, Named::Group),
            Self::AnyOf { members, complete } => {
                let all = members.iter().map(|member| member.asks(request));
                let rest = if *complete { Holds::No } else { Holds::Unsure };
                let best = all.fold((rest, Named::All), Ord::max);
                (best.0, best.1.min(Named::Group))
            }
            Self::AllOf(parts) => {
                let all = parts.iter().map(|part| part.asks(request));
                let join = |a: (Holds, Named), b: (Holds, Named)| (a.0.min(b.0), a.1.max(b.1));
                all.reduce(join).unwrap_or((Holds::Unsure, Named::All))
            }
            Self::Unknown => (Holds::Unsure, Named::All),
        }
    }

    /// Whether this is certainly an organisation and nobody in particular.
    pub(crate) fn is_organisation(&self) -> bool {
        match self {
            Self::Organisation(_) => true,
            Self::AnyOf { members, complete } => {
                *complete && members.iter().all(Self::is_organisation)
            }
            _ => false,
        }
    }
}

fn is_person(kind: &str) -> bool {
    matches!(kind, "Practitioner" | "PractitionerRole" | "Patient" | "RelatedPerson" | "Device")
}

fn person(names: &[Box<str>], request: &Request) -> Holds {
    let all = |kinds: &[&str]| names.iter().all(|name| kinds.contains(&kind(name)));
    if all(&["Patient", "RelatedPerson"]) && !matches!(request.role, Role::Patient | Role::Proxy)
        || all(&["Device"]) && request.role != Role::Service
    {
        return Holds::No;
    }
    // Accounts of other organisations only are not somebody of the one that asks.
    let org = |name: &str| {
        let (system, _) = name.split_once('|')?;
        Some(system.strip_prefix(ORGANISATION_URN)? == short(&request.recipient_org))
    };
    if !names.is_empty() && names.iter().all(|name| org(name) == Some(false)) {
        return Holds::No;
    }
    let Some(user) = request.recipient_user.as_deref() else { return Holds::Unsure };
    // A person known as one Practitioner is not another, but one known by a role may be this
    // Practitioner.
    match names.iter().any(|name| **name == *user) {
        true => Holds::Yes,
        false if names.iter().any(|name| kind(name) == kind(user)) => Holds::No,
        false => Holds::Unsure,
    }
}

/// Names of the same kind are comparable: two that differ are two people.
fn kind(name: &str) -> &str {
    if name.starts_with(ORGANISATION_URN) {
        return ORGANISATION_URN;
    }
    let end = name.find('|').or_else(|| name.find('/'));
    end.and_then(|end| name.get(..end)).unwrap_or(name)
}

pub(crate) fn short(org: &str) -> &str {
    organisation(org).unwrap_or(org)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_to_an_organisation_is_also_whom_its_entry_stands_for() {
        let outside: Box<str> = "uri:https:||clinic.example".into();
        let of = |id: &str| Who::Organisation(id.into());
        let known =
            |name: &str| (name == "Organization/7").then(|| Who::Organisation(outside.clone()));
        let both = Who::AnyOf { members: vec![of("7"), of(&outside)], complete: true };
        assert!(both.is_organisation());
        for (text, expected) in [
            ("Organization/7", both.clone()),
            ("https://here.example/fhir/Organization/7/_history/2", both),
            ("Organization/8", of("8")),
            ("urn:consilium:org:7", of("7")),
        ] {
            assert_eq!(Who::referred(text, &known), expected, "{text}");
        }
        assert_eq!(Who::referred("Organization/7", &|_| Some(of("7"))), of("7"));
        // An entry that tells nothing takes nothing away.
        assert_eq!(Who::referred("Organization/7", &|_| Some(Who::Unknown)), of("7"));
    }
}

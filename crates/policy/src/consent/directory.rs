//! Who is behind a reference, read from the resources that describe people and groups.

use std::cell::Cell;

use fhir::{Resource, Value};

use super::item::relative;
use super::who::Who;
use super::{ORGANISATION_URN, elsewhere, organisation};

/// The system of identifiers that are URIs (RFC 3986).
const URI: &str = "urn:ietf:rfc:3986";

/// How deep groups in groups are followed.
const MAX_DEPTH: u8 = 4;
/// Most members of one group that are read; a larger one counts as not known in full.
const MAX_MEMBERS: usize = 1_000;
/// Most resources that are read for one name; who comes after counts as not known.
const MAX_READ: u32 = 2_000;

/// Reads who is behind `name`, a relative reference such as `Group/2` or an identifier as
/// `system|value`, from what `find` brings for it and for those it leads to. `None` where nothing
/// is found or the resource describes nobody.
///
/// * A Practitioner is known by its reference and all its identifiers.
/// * A PractitionerRole is that practitioner at that organisation.
/// * A Group has its members, a CareTeam its participants; one that describes instead of listing,
///   is not active or lists more than it shows is not known in full. Membership that has an end
///   may be over, for no clock is read here, and so it is not sure.
/// * An Organization is known by the network's identifier of it; one outside the network by a URI.
pub fn look_up(name: &str, find: &dyn Fn(&str) -> Option<Resource>) -> Option<Who> {
    let left = Cell::new(MAX_READ);
    let lookup = Lookup { find, depth: MAX_DEPTH, left: &left };
    lookup.named(name)
}

#[derive(Clone, Copy)]
struct Lookup<'f> {
    find: &'f dyn Fn(&str) -> Option<Resource>,
    depth: u8,
    /// How many resources may still be read.
    left: &'f Cell<u32>,
}

impl<'f> Lookup<'f> {
    fn named(self, name: &str) -> Option<Who> {
        let inner = Lookup { depth: self.depth.checked_sub(1)?, ..self };
        self.left.set(self.left.get().checked_sub(1)?);
        let resource = (self.find)(name)?;
        let root = resource.root();
        match resource.type_name() {
            "Practitioner" | "RelatedPerson" | "Patient" | "Device" => Some(person(&resource)),
            "PractitionerRole" => Some(inner.role(&resource)),
            "Group" => Some(inner.group(root)),
            "CareTeam" => Some(inner.team(root)),
            "Organization" => Some(network_id(root)),
            _ => None,
        }
    }

    /// Who is meant by a Reference.
    fn referred(self, reference: Value<'_>) -> Who {
        let directory = |name: &str| self.named(name);
        if let Some(text) = reference.str_at("reference") {
            let found = relative(&text).and_then(|name| self.named(name));
            return found.unwrap_or_else(|| Who::referred(&text, &directory));
        }
        let part = |name| reference.path(&["identifier", name]).and_then(Value::as_str);
        let system = part("system").unwrap_or_default();
        Who::identified(&system, &part("value").unwrap_or_default(), &directory)
    }

    fn role(self, role: &Resource) -> Who {
        let root = role.root();
        let mut parts = Vec::new();
        parts.push(
            match root.get("practitioner").map(|practitioner| self.referred(practitioner)) {
                Some(Who::Person(mut names)) => {
                    names.extend(role.id().map(|id| format!("PractitionerRole/{id}").into()));
                    Who::Person(names)
                }
                _ => person(role),
            },
        );
        parts.extend(root.get("organization").map(|organisation| self.referred(organisation)));
        Who::AllOf(parts)
    }

    fn group(self, root: Value<'_>) -> Who {
        let is_false = |name: &str| root.get(name).and_then(Value::as_bool) == Some(false);
        let listed = || root.get("member").into_iter().flat_map(Value::each);
        let active =
            |member: &Value<'_>| member.get("inactive").and_then(Value::as_bool) != Some(true);
        let members = listed().filter(active).take(MAX_MEMBERS);
        let members = members.map(|member| self.member(member, "entity")).collect();
        let quantity = root.get("quantity").and_then(Value::as_number);
        let complete = !is_false("actual")
            && !is_false("active")
            && root.get("characteristic").is_none()
            && listed().count() <= MAX_MEMBERS
            && quantity.is_none_or(|n| n.parse().is_ok_and(|n: usize| n <= listed().count()));
        Who::AnyOf { members, complete }
    }

    fn team(self, root: Value<'_>) -> Who {
        let listed = || root.get("participant").into_iter().flat_map(Value::each);
        if root.get("status").is_some_and(|status| !status.is_str("active")) {
            return Who::Unknown;
        }
        let members = listed().take(MAX_MEMBERS);
        let members = members.map(|participant| self.member(participant, "member")).collect();
        let named = |participant: Value<'_>| participant.get("member").is_some();
        Who::AnyOf { members, complete: listed().count() <= MAX_MEMBERS && listed().all(named) }
    }

    fn member(self, member: Value<'_>, name: &str) -> Who {
        let who = member.get(name).map_or(Who::Unknown, |reference| self.referred(reference));
        match member.get("period") {
            Some(_) => Who::AllOf(vec![who, Who::Unknown]),
            None => who,
        }
    }
}

fn person(resource: &Resource) -> Who {
    let reference = resource.id().map(|id| format!("{}/{id}", resource.type_name()).into());
    let identifiers = resource.get("identifier").into_iter().flat_map(Value::each);
    let identifier = |value: Value<'_>| -> Option<Box<str>> {
        let (system, value) = (value.str_at("system")?, value.str_at("value")?);
        Some(format!("{system}|{value}").into())
    };
    Who::Person(reference.into_iter().chain(identifiers.filter_map(identifier)).collect())
}

/// The organisation that an Organization stands for: by its identifier in the network, by a URI where
/// it is outside, or by its id where it has no identifiers of its own.
fn network_id(root: Value<'_>) -> Who {
    let identifiers = || root.get("identifier").into_iter().flat_map(Value::each);
    let id = |identifier: Value<'_>| {
        Some(identifier.str_at("value")?.strip_prefix(ORGANISATION_URN)?.to_owned())
    };
    if let Some(id) = identifiers().find_map(id) {
        return Who::Organisation(id.into());
    }
    let is_uri = |one: &Value<'_>| one.get("system").is_some_and(|system| system.is_str(URI));
    if let Some(uri) = identifiers().filter(is_uri).find_map(|one| one.str_at("value")) {
        return Who::Organisation(elsewhere(&uri).into());
    }
    match root.str_at("id").filter(|_| identifiers().next().is_none()) {
        Some(id) => organisation(&format!("Organization/{id}"))
            .map_or(Who::Unknown, |id| Who::Organisation(id.into())),
        None => Who::Unknown,
    }
}

//! A cursor at one element of a Contract that knows where it stands, so that a fault names it.

use fhir::json::Kind;
use fhir::{Resource, Value};

use super::read::{Fault, Read};

/// A value and where it stands.
pub(super) struct At<'a> {
    pub value: Value<'a>,
    path: String,
}

impl<'a> At<'a> {
    pub fn root(resource: &'a Resource) -> Self {
        Self { value: resource.root(), path: "Contract".into() }
    }

    pub fn fault(&self, name: &str, reason: &str) -> Fault {
        let dot = if name.is_empty() { "" } else { "." };
        Fault { path: format!("{}{dot}{name}", self.path), reason: reason.to_owned() }
    }

    /// Refuses every member beside these.
    pub fn only(&self, names: &[&str]) -> Read<()> {
        if self.value.kind() != Kind::Object {
            return Err(self.fault("", "is no object"));
        }
        let foreign = self.value.members().find(|member| !names.contains(&&*member.name()));
        foreign.map_or(Ok(()), |member| {
            Err(self.fault(&member.name(), "is not understood in an agreement; leave it out"))
        })
    }

    pub fn child(&self, name: &str) -> Read<At<'a>> {
        let value = self.value.get(name).ok_or_else(|| self.fault(name, "is missing"))?;
        Ok(At { value, path: format!("{}.{name}", self.path) })
    }

    /// The items of an array that may be absent.
    pub fn list(&self, name: &str, most: usize) -> Read<Vec<At<'a>>> {
        let Some(array) = self.value.get(name) else { return Ok(Vec::new()) };
        if array.kind() != Kind::Array {
            return Err(self.fault(name, "is no list"));
        }
        let count = array.items().count();
        if count == 0 || count > most {
            return Err(self.fault(name, &format!("has 1 to {most} entries")));
        }
        let at = |(number, value)| At { value, path: format!("{}.{name}[{number}]", self.path) };
        Ok(array.items().enumerate().map(at).collect())
    }

    /// The items of an array.
    pub fn many(&self, name: &str, most: usize) -> Read<Vec<At<'a>>> {
        match self.list(name, most)? {
            list if list.is_empty() => Err(self.fault(name, "is missing")),
            list => Ok(list),
        }
    }

    pub fn one(&self, name: &str) -> Read<At<'a>> {
        let mut list = self.many(name, 1)?;
        list.pop().ok_or_else(|| self.fault(name, "is missing"))
    }

    pub fn str_of(&self, name: &str) -> Read<String> {
        let text = self.value.as_str().map(std::borrow::Cow::into_owned);
        text.ok_or_else(|| self.fault(name, "is no text"))
    }

    pub fn text(&self, name: &str) -> Read<String> {
        self.child(name)?.str_of("")
    }

    pub fn fixed(&self, name: &str, expected: &str) -> Read<()> {
        match self.text(name)? == expected {
            true => Ok(()),
            false => Err(self.fault(name, &format!("is not `{expected}`"))),
        }
    }

    /// A time; a day as an end counts as its last moment.
    pub fn time(&self, name: &str, is_end: bool) -> Read<i64> {
        let text = self.text(name)?;
        let range = fhir::time::parse(&text)
            .ok_or_else(|| self.fault(name, "is no date or time of FHIR"))?;
        Ok(if is_end && !text.contains('T') { range.end_ms } else { range.start_ms })
    }

    pub fn organisation(&self) -> Read<String> {
        let reference = self.text("reference")?;
        let org = reference.strip_prefix("Organization/").unwrap_or_default().to_owned();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        match (1..=40).contains(&org.len()) && org.bytes().all(plain) {
            true => Ok(org),
            false => {
                Err(self.fault("reference", "is not `Organization/` and an id of the network"))
            }
        }
    }

    pub fn of_system(&self, holder: At<'a>, system: &str, value: &str) -> Read<String> {
        holder.only(&["system", value])?;
        holder.fixed("system", system)?;
        holder.text(value)
    }

    /// The code of a Coding of this system; a display would be a second text of the same meaning.
    pub fn coding(&self, system: &str) -> Read<String> {
        let (found, code) = self.any_coding()?;
        match found == system {
            true => Ok(code),
            false => Err(self.fault("system", &format!("is not `{system}`"))),
        }
    }

    fn any_coding(&self) -> Read<(String, String)> {
        self.only(&["system", "code"])?;
        Ok((self.text("system")?, self.text("code")?))
    }

    pub fn any_concept(&self) -> Read<(String, String)> {
        self.only(&["coding"])?;
        self.one("coding")?.any_coding()
    }

    pub fn concept(&self, system: &str) -> Read<String> {
        self.only(&["coding"])?;
        self.one("coding")?.coding(system)
    }

    pub fn concept_is(&self, system: &str, code: &str) -> Read<()> {
        match self.concept(system)? == code {
            true => Ok(()),
            false => Err(self.fault("", &format!("is not `{code}`"))),
        }
    }
}

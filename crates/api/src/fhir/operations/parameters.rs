//! The Parameters resource that an operation is called with.

use app::Error;
use axum::body::Bytes;
use fhir::{Document, Value};

use crate::outcome::Failure;

/// Names and values of the parameters of an operation that takes simple ones only.
pub type Pairs = Vec<(String, String)>;

/// The parameters of an operation.
pub struct Parameters(pub Document);

impl Parameters {
    /// Reads a body.
    pub fn read(body: &Bytes) -> Result<Self, Failure> {
        let document = Document::parse_bytes(body.to_vec())
            .map_err(|e| Error::invalid("structure", format!("the body is not valid JSON: {e}")))?;
        if !document.root().get("resourceType").is_some_and(|kind| kind.is_str("Parameters")) {
            return Err(Error::invalid("structure", "send a Parameters resource").into());
        }
        Ok(Self(document))
    }

    /// The first parameter of this name.
    pub fn find(&self, name: &str) -> Option<Value<'_>> {
        let list = self.0.root().get("parameter")?;
        list.items().find(|p| p.get("name").is_some_and(|n| n.is_str(name)))
    }

    /// Names and values of all parameters that have a value.
    fn values(&self) -> impl Iterator<Item = (String, Value<'_>)> {
        let list = self.0.root().get("parameter");
        list.into_iter().flat_map(Value::items).filter_map(|parameter| {
            let name = parameter.str_at("name")?.into_owned();
            let value = parameter.members().find(|member| member.name().starts_with("value"))?;
            Some((name, value.value))
        })
    }

    /// Those whose values are objects.
    pub fn complex(&self) -> impl Iterator<Item = (String, Value<'_>)> {
        self.values().filter(|(_, value)| value.kind() == fhir::Kind::Object)
    }

    /// The text of a string, code or id.
    pub fn text(&self, name: &str) -> Option<String> {
        let parameter = self.find(name)?;
        let value = ["valueString", "valueCode", "valueId"].iter().find_map(|n| parameter.get(n));
        value?.as_str().map(|text| text.into_owned())
    }

    /// The same, or an error that names what is missing.
    pub fn required(&self, name: &str) -> Result<String, Failure> {
        self.text(name).ok_or_else(|| {
            Error::invalid("required", format!("the parameter `{name}` is missing")).into()
        })
    }
}

/// What an operation was called with, from its address and its body.
pub struct Simple {
    /// The simple parameters, the value of each as text.
    pub pairs: Pairs,
    /// The body, where there are parameters whose values are objects.
    pub complex: Option<Parameters>,
}

/// The parameters of an operation; what steers the form of the answer is left out.
pub fn simple(query: Option<&str>, body: &Bytes) -> Result<Simple, Error> {
    let mut pairs: Pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .filter(|(name, value)| !is_form(name) && !value.is_empty())
        .collect();
    if body.is_empty() {
        return Ok(Simple { pairs, complex: None });
    }
    let parameters = Parameters::read(body).map_err(|failure| failure.0)?;
    let mut has_complex = false;
    for (name, value) in parameters.values() {
        let text = match value.as_str() {
            Some(text) => Some(text.into_owned()),
            None => value.as_number().map(str::to_owned),
        };
        match text.or_else(|| value.as_bool().map(|truth| truth.to_string())) {
            Some(text) => pairs.push((name, text)),
            None => has_complex = true,
        }
    }
    Ok(Simple { pairs, complex: has_complex.then_some(parameters) })
}

/// The parameters of an operation that takes simple ones only.
pub fn pairs(query: Option<&str>, body: &Bytes) -> Result<Pairs, Error> {
    let simple = simple(query, body)?;
    match simple.complex.iter().flat_map(Parameters::complex).next() {
        Some((name, _)) => Err(Error::invalid(
            "value",
            format!("the parameter `{}` needs a simple value", short(&name)),
        )),
        None => Ok(simple.pairs),
    }
}

/// The error for a parameter that the operation does not have.
pub fn unknown(name: &str) -> Error {
    let message = format!("`{}` is not a parameter of this operation", short(name));
    Error::invalid("not-supported", message)
}

fn is_form(name: &str) -> bool {
    matches!(name, "_format" | "_pretty")
}

fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

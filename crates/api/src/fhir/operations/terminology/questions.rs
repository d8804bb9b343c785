//! From parameters to a question for the engine, and from its answer to a resource.

use std::sync::Arc;

use ::terminology::{
    CodeSystem, CodingRef, ConceptMap, Expand, Layer, Severity, Terminology, Translate,
    Translation, Validate, ValueSet, Versions,
};
use app::Error;
use fhir::{Document, Value};
use serde_json::{Value as Json, json};

use super::Question;

type Asked<T> = Result<T, Error>;

fn required<T>(value: Option<T>, message: &str) -> Asked<T> {
    value.ok_or_else(|| Error::invalid("required", message))
}

impl Question<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.given.text(name)
    }

    fn language(&self) -> Option<&str> {
        self.text("displayLanguage").or(self.language.as_deref())
    }

    fn versions(&self) -> Asked<Versions> {
        let list = |name: &str| -> Asked<Vec<(String, String)>> {
            self.given
                .all(name)
                .map(|canonical| match canonical.split_once('|') {
                    Some((system, version)) => Ok((system.to_owned(), version.to_owned())),
                    None if name == "exclude-system" => Ok((canonical.to_owned(), String::new())),
                    None => {
                        let message = format!("`{name}` takes `system|version`");
                        Err(Error::invalid("value", message))
                    }
                })
                .collect()
        };
        Ok(Versions {
            default: list("system-version")?,
            check: list("check-system-version")?,
            force: list("force-system-version")?,
            exclude: list("exclude-system")?,
        })
    }

    /// The value set that is asked about: by id, by address, handed over, or by an element that is
    /// bound to it.
    fn value_set(&self) -> Asked<Set> {
        if let Some(instance) = &self.instance {
            return Ok(Set::Given(Arc::new(ValueSet::read(instance.root())?)));
        }
        if let Some(resource) = self.given.element("valueSet", "resource") {
            return Ok(Set::Given(Arc::new(ValueSet::read(resource)?)));
        }
        let url = match (self.text("url"), self.text("context")) {
            (Some(url), _) => url.to_owned(),
            (None, Some(context)) => bound(context)?,
            (None, None) => {
                return Err(Error::invalid("required", "name a value set by `url`"));
            }
        };
        Ok(Set::Known(match (self.text("valueSetVersion"), url.split_once('|')) {
            (Some(version), None) => format!("{url}|{version}"),
            (Some(version), Some((_, own))) if version != own => {
                let message = "`valueSetVersion` is another version than `url` names";
                return Err(Error::invalid("value", message));
            }
            _ => url,
        }))
    }

    /// `contextDirection` says whether codes are sent or received; a binding of R4 is the same for
    /// both, so that only its being right is looked at.
    fn check_direction(&self) -> Asked<()> {
        match (self.text("contextDirection"), self.text("context")) {
            (None, _) | (Some("incoming" | "outgoing"), Some(_)) => Ok(()),
            (Some("incoming" | "outgoing"), None) => {
                let message = "`contextDirection` is about `context`, which is missing";
                Err(Error::invalid("required", message))
            }
            _ => {
                let message = "`contextDirection` is `incoming` or `outgoing`";
                Err(Error::invalid("value", message))
            }
        }
    }

    /// The codings to check, and the element they came from.
    fn codings<'g>(
        &'g self,
        held: &'g [Held],
        system: Option<&'g str>,
        version: Option<&'g str>,
    ) -> Asked<(Vec<CodingRef<'g>>, &'static str)> {
        if let Some(code) = self.text("code") {
            let display = self.text("display");
            return Ok((vec![CodingRef { system, version, code, display }], ""));
        }
        let element = match self.given.element("coding", "valueCoding") {
            Some(_) => "Coding",
            None => "CodeableConcept",
        };
        let given = self.given.elements("coding").chain(self.given.elements("codeableConcept"));
        required(given.count().checked_sub(1), "give `code`, `coding` or `codeableConcept`")?;
        Ok((held.iter().map(Held::borrowed).collect(), element))
    }

    /// What `coding` or `codeableConcept` hold.
    fn held(&self) -> Vec<Held> {
        let one = self.given.element("coding", "valueCoding");
        let several = self.given.element("codeableConcept", "valueCodeableConcept");
        let several = several.and_then(|concept| concept.get("coding"));
        let all = one.into_iter().chain(several.into_iter().flat_map(Value::items));
        all.filter_map(Held::read).collect()
    }
}

/// A value set that is asked about.
enum Set {
    Known(String),
    Given(Arc<ValueSet>),
}

/// A Coding that was sent.
struct Held {
    system: Option<String>,
    version: Option<String>,
    code: String,
    display: Option<String>,
}

impl Held {
    fn read(coding: Value<'_>) -> Option<Self> {
        let text = |name| coding.str_at(name).map(std::borrow::Cow::into_owned);
        Some(Self {
            system: text("system"),
            version: text("version"),
            code: text("code")?,
            display: text("display"),
        })
    }

    fn borrowed(&self) -> CodingRef<'_> {
        CodingRef {
            system: self.system.as_deref(),
            version: self.version.as_deref(),
            code: &self.code,
            display: self.display.as_deref(),
        }
    }
}

/// The value set that an element of a published type is bound to: `Patient.gender`, also after
/// the address of the type and `#`.
fn bound(context: &str) -> Asked<String> {
    let path = context.rsplit_once('#').map_or(context, |(_, path)| path);
    let found = path.rsplit_once('.').and_then(|(owner, name)| {
        let element = fhir::definitions::definitions().get(owner)?.element(name)?;
        element.binding.as_ref().map(|binding| binding.value_set.to_owned())
    });
    found.ok_or_else(|| {
        let message = "`context` is the path of an element of FHIR R4 that is bound to a value \
                       set, `Patient.gender` for example";
        Error::invalid("not-found", message)
    })
}

/// Whether a question about a value set can be answered at once: it is known by its address and
/// was prepared before.
pub fn is_prepared(question: &Question<'_>) -> bool {
    let versions = question.versions().is_ok_and(|versions| versions.is_empty());
    let handed = question.given.element("valueSet", "resource").is_some();
    versions
        && !handed
        && matches!(question.value_set(), Ok(Set::Known(url)) if question.terms.is_prepared(&url))
}

/// Whether no code system is handed over, which would have to be read first.
pub fn is_of_known_system(question: &Question<'_>) -> bool {
    question.given.element("codeSystem", "resource").is_none()
}

pub fn expand(question: &Question<'_>) -> Asked<String> {
    question.check_direction()?;
    let given = &question.given;
    let wanted = Expand {
        filter: given.text("filter").map(str::to_owned),
        offset: given.number("offset").unwrap_or(0),
        count: given.number("count"),
        include_designations: given.flag("includeDesignations").unwrap_or(false),
        designations: given.all("designation").map(str::to_owned).collect(),
        display_language: question.language().map(str::to_owned),
        active_only: given.flag("activeOnly").unwrap_or(false),
        exclude_nested: given.flag("excludeNested"),
        exclude_not_for_ui: given.flag("excludeNotForUI").unwrap_or(false),
        exclude_post_coordinated: given.flag("excludePostCoordinated").unwrap_or(false),
        versions: question.versions()?,
    };
    let (expanded, definition) = match question.value_set()? {
        Set::Known(url) => {
            let expanded = question.terms.expand(&url, &wanted)?;
            let definition = ::terminology::definition(&expanded.set);
            (expanded, definition)
        }
        Set::Given(set) => {
            let source = question.instance.as_ref().map(Document::root);
            let source = source.or_else(|| given.element("valueSet", "resource"));
            let compose = source.and_then(|source| source.get("compose"));
            let definition = compose.and_then(|c| serde_json::from_str(c.raw()).ok());
            (question.terms.expand_set(set, &wanted)?, definition)
        }
    };
    let repeated = given.texts().filter(|(name, _)| !matches!(*name, "url" | "valueSetVersion"));
    let parameters: Vec<Json> = repeated
        .map(|(name, text)| match text.parse::<u32>() {
            Ok(number) if matches!(name, "count" | "offset") => {
                json!({"name": name, "valueInteger": number})
            }
            _ if matches!(text, "true" | "false") => {
                json!({"name": name, "valueBoolean": text == "true"})
            }
            _ => json!({"name": name, "valueString": text}),
        })
        .collect();
    let identifier = format!("urn:uuid:{}", question.app.new_id());
    let timestamp = fhir::time::instant(question.app.now_ms());
    let mut resource =
        ::terminology::expansion(&expanded, &wanted, &identifier, &timestamp, parameters);
    if given.flag("includeDefinition") == Some(true) {
        let message = "`includeDefinition` cannot be true: only the codes of this value set are \
                       known here, not their definition";
        let compose: Json = definition.ok_or_else(|| Error::invalid("not-supported", message))?;
        if let Some(members) = resource.as_object_mut() {
            members.insert("compose".into(), compose);
        }
    }
    Ok(resource.to_string())
}

pub fn validate_in_set(question: &Question<'_>) -> Asked<String> {
    let held = question.held();
    let (system, version) = (question.text("system"), question.text("systemVersion"));
    let (codings, element) = question.codings(&held, system, version)?;
    let given = &question.given;
    // A code without system is of any code system of the value set: in R4 there is no other way
    // to ask about a `code` element.
    let wanted = Validate {
        codings,
        element,
        infer_system: given.flag("inferSystem").unwrap_or(false),
        allow_abstract: given.flag("abstract"),
        display_language: question.language(),
        lenient_display: given.flag("lenient-display-validation").unwrap_or(false),
        active_only: given.flag("activeOnly").unwrap_or(false),
        versions: question.versions()?,
    };
    let checked = match question.value_set()? {
        Set::Known(url) => question.terms.validate_in_value_set(&url, &wanted)?,
        Set::Given(set) => question.terms.validate_in_given(set, &wanted)?,
    };
    Ok(::terminology::validation(&checked))
}

pub fn validate_in_system(question: &Question<'_>) -> Asked<String> {
    let held = question.held();
    let (terms, own) = with_system(question)?;
    let url = own.as_deref().or(question.text("url"));
    let version = question.text("version");
    let (codings, element) = question.codings(&held, None, None)?;
    if url.is_none() && codings.iter().all(|coding| coding.system.is_none()) {
        return Err(Error::invalid("required", "name a code system by `url`"));
    }
    let wanted = Validate {
        codings,
        element,
        allow_abstract: question.given.flag("abstract"),
        display_language: question.language(),
        lenient_display: question.given.flag("lenient-display-validation").unwrap_or(false),
        ..Validate::default()
    };
    let checked = terms.validate_in_system(url, version, &wanted);
    let unknown = checked.undecided && terms.system(url.unwrap_or_default(), None).is_none();
    if unknown && let Some(url) = url.filter(|_| checked.issues.iter().any(is_error)) {
        return Err(::terminology::Error::NoContent(url.to_owned()).into());
    }
    Ok(::terminology::validation(&checked))
}

fn is_error(issue: &::terminology::Issue) -> bool {
    issue.severity == Severity::Error
}

/// The terminology with a code system that was handed over or asked about by id, and its address.
fn with_system(question: &Question<'_>) -> Asked<(Arc<Terminology>, Option<String>)> {
    let handed = question.given.element("codeSystem", "resource");
    let resource = question.instance.as_ref().map(Document::root).or(handed);
    let Some(resource) = resource else { return Ok((question.terms.clone(), None)) };
    let system = CodeSystem::read(resource)?;
    let url = system.head.url.to_string();
    let mut layer = Layer::new();
    layer.add_system(system);
    // The layers that are embedded come with every terminology.
    let others = question.terms.layers().iter().skip(Terminology::EMBEDDED_LAYERS);
    let layers = others.cloned().chain([Arc::new(layer)]).collect();
    Ok((Arc::new(Terminology::new(layers)), Some(url)))
}

pub fn lookup(question: &Question<'_>) -> Asked<String> {
    let held = question.held();
    let (system, version, code) = match held.first() {
        Some(coding) => {
            (coding.system.as_deref(), coding.version.as_deref(), Some(coding.code.as_str()))
        }
        None => (question.text("system"), question.text("version"), question.text("code")),
    };
    let code = required(code, "give `code` and `system`, or `coding`")?;
    let system = required(system, "give `code` and `system`, or `coding`")?;
    let found = question.terms.lookup(system, version, code, question.language())?;
    let wanted: Vec<String> = question.given.all("property").map(str::to_owned).collect();
    Ok(::terminology::lookup_answer(&found, &wanted).to_string())
}

pub fn subsumes(question: &Question<'_>) -> Asked<String> {
    let coding = |name| question.given.element(name, "valueCoding").and_then(Held::read);
    let (terms, own) = with_system(question)?;
    let message = "give `codeA` and `codeB` with `system`, or `codingA` and `codingB`";
    let (a, b) = match (coding("codingA"), coding("codingB")) {
        (Some(a), Some(b)) => (a, b),
        (None, None) => {
            let bare = |name| {
                let code = required(question.text(name), message)?.to_owned();
                let system = question.text("system").map(str::to_owned);
                let version = question.text("version").map(str::to_owned);
                Ok::<_, Error>(Held { system, version, code, display: None })
            };
            (bare("codeA")?, bare("codeB")?)
        }
        _ => return Err(Error::invalid("required", message)),
    };
    let system = required(own.or_else(|| a.system.clone()), message)?;
    if [&a, &b].iter().any(|c| c.system.as_ref().is_some_and(|other| *other != system)) {
        return Err(Error::invalid("value", "both codes must be of the same code system"));
    }
    let outcome = terms.subsumes(&system, a.version.as_deref(), &a.code, &b.code)?;
    let outcome = json!({
        "resourceType": "Parameters",
        "parameter": [{"name": "outcome", "valueCode": outcome.code()}],
    });
    Ok(outcome.to_string())
}

pub fn translate(question: &Question<'_>) -> Asked<String> {
    if question.text("version").is_some() {
        let message = "`version` is not supported: maps are not told apart by the version of the \
                       source's code system; leave it out";
        return Err(Error::invalid("not-supported", message));
    }
    let held = question.held();
    let (codings, _) = question.codings(&held, question.text("system"), None)?;
    let handed = question.given.element("conceptMap", "resource");
    let resource = question.instance.as_ref().map(Document::root).or(handed);
    let map = match (resource, question.text("url")) {
        (Some(resource), _) => Some(Arc::new(ConceptMap::read(resource)?)),
        (None, Some(url)) => Some(match question.text("conceptMapVersion") {
            Some(version) => question.terms.concept_map(&format!("{url}|{version}"))?,
            None => question.terms.concept_map(url)?,
        }),
        (None, None) => None,
    };
    let message = "`dependency` has the parts `element`, a uri, and `concept`, a CodeableConcept \
                   with a code or a text";
    let dependencies = question.given.elements("dependency");
    let dependencies: Vec<_> =
        dependencies.map(|given| required(dependency(given), message)).collect::<Asked<_>>()?;
    let mut all = Translation::default();
    for coding in codings {
        let wanted = Translate {
            map: map.clone(),
            system: coding.system,
            code: coding.code,
            source: question.text("source"),
            target: question.text("target"),
            target_system: question.text("targetsystem"),
            reverse: question.given.flag("reverse").unwrap_or(false),
            dependencies: dependencies.clone(),
        };
        let found = question.terms.translate(&wanted)?;
        all.result |= found.result;
        all.matches.extend(found.matches);
        all.message = if all.result { None } else { found.message };
    }
    Ok(::terminology::translation(&all).to_string())
}

/// `dependency` with its parts `element` and `concept`.
fn dependency(parameter: Value<'_>) -> Option<(String, String)> {
    let parts = || parameter.get("part").into_iter().flat_map(Value::items);
    let part = |name: &str| parts().find(|part| part.get("name").is_some_and(|n| n.is_str(name)));
    let element = part("element")?.str_at("valueUri")?.into_owned();
    let concept = part("concept")?.get("valueCodeableConcept")?;
    let coding = concept.get("coding").and_then(|list| list.items().next());
    let value =
        coding.and_then(|coding| coding.str_at("code")).or_else(|| concept.str_at("text"))?;
    Some((element, value.into_owned()))
}

//! Reads the text of an agreement: a strict profile of FHIR R4 Contract. What the profile does not
//! have is refused by its name, because somebody would rely on it.

use fhir::json::Document;
use fhir::{Resource, Value};

use super::element::At;
use super::obligation::Obligation;
use super::terms::{Class, Clause, MAX_CLAUSES, MAX_PARTIES, MAX_TEXT, Party, Terms};
use super::write::{
    ABSTRACT_TYPES, ACTION_STATUS, CONSENT_ACTION, CONTRACT_TYPE, ID_SYSTEM, NOTICE, PARTICIPATION,
    PROFILE, REPLACES, RESOURCE_TYPES,
};
use crate::label::{ACT_CODE, CONFIDENTIALITY, Confidentiality, Label};
use crate::purpose::{self, Purpose};

/// Why a text is no agreement: the element, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {reason}")]
pub struct Fault {
    /// Where, as a path: `Contract.term[0].asset[1].type`.
    pub path: String,
    /// What is wrong and what to do.
    pub reason: String,
}

pub(super) type Read<T> = Result<T, Fault>;

/// Reads a text that is or may be signed. Beside being understood it must be in the one form that
/// [`Terms::text`] writes, so that the bytes that are signed say nothing else.
pub fn read(text: &str) -> Read<Terms> {
    let resource = parse(text)?;
    let root = At::root(&resource);
    let value = root.of_system(root.one("identifier")?, ID_SYSTEM, "value")?;
    let number = root.text("version")?.parse::<u32>().ok().filter(|n| *n > 0);
    let version = number.ok_or_else(|| root.fault("version", "is no number from 1"))?;
    let replaces =
        extension(&root, REPLACES, "valueString")?.map(|value| value.str_of("")).transpose()?;
    if replaces.is_some() != (version > 1) {
        return Err(
            root.fault("extension", "names what is replaced in every version but the first")
        );
    }
    let issued_ms = root.time("issued", false)?;
    let mut terms = draft_of(&root)?;
    (terms.id, terms.version, terms.issued_ms) = (value.into(), version, issued_ms);
    terms.replaces = replaces.map(Into::into);
    if fhir::Id::new(&*terms.id).is_err() {
        return Err(root.fault("identifier", "is no id"));
    }
    if terms.text() != text {
        return Err(root.fault("", "is not in the form that is signed; write it as this node does"));
    }
    Ok(terms)
}

/// Reads a draft: the same without `identifier`, `version`, `issued` and what it replaces, which
/// the node that sends it adds. The form of the text is free.
pub fn draft(text: &str) -> Read<Terms> {
    let resource = parse(text)?;
    let root = At::root(&resource);
    for name in ["identifier", "version", "issued"] {
        if resource.get(name).is_some() {
            return Err(root.fault(name, "is added by the node; leave it out"));
        }
    }
    if extension(&root, REPLACES, "valueString")?.is_some() {
        return Err(
            root.fault("extension", "names what is replaced, which the node adds; leave it out")
        );
    }
    draft_of(&root)
}

fn parse(text: &str) -> Read<Resource> {
    let fault = |reason: &str| Fault { path: "Contract".into(), reason: reason.into() };
    if text.len() > MAX_TEXT {
        return Err(fault("is longer than 64 KiB"));
    }
    let document = Document::parse(text).map_err(|_| fault("is not valid JSON"))?;
    let resource = Resource::from_document(document).map_err(|_| fault("is not a resource"))?;
    match resource.type_name() {
        "Contract" => Ok(resource),
        _ => Err(fault("is another resource type")),
    }
}

fn draft_of(root: &At<'_>) -> Read<Terms> {
    root.only(&[
        "resourceType",
        "extension",
        "identifier",
        "version",
        "instantiatesUri",
        "issued",
        "applies",
        "subject",
        "title",
        "type",
        "term",
    ])?;
    root.fixed("instantiatesUri", PROFILE)?;
    root.child("type")?.concept_is(CONTRACT_TYPE, "disclosure")?;
    let applies = root.child("applies")?;
    applies.only(&["start", "end"])?;
    let (from_ms, until_ms) = (applies.time("start", false)?, applies.time("end", true)?);
    if from_ms >= until_ms {
        return Err(applies.fault("end", "is not after the start"));
    }
    let title = root.text("title")?;
    if title.trim().is_empty() || title.chars().count() > 200 || title.chars().any(char::is_control)
    {
        return Err(root.fault("title", "has 1 to 200 characters"));
    }
    let parties = parties(root)?;
    let clauses = root.many("term", MAX_CLAUSES)?;
    let clauses = clauses.iter().map(|term| clause(term, &parties)).collect::<Read<Vec<_>>>()?;
    Ok(Terms {
        id: "".into(),
        version: 1,
        replaces: None,
        issued_ms: 0,
        title: title.into(),
        parties,
        from_ms,
        until_ms,
        notice_days: notice(root)?,
        clauses,
    })
}

fn notice(root: &At<'_>) -> Read<u32> {
    let missing = || root.fault("extension", "gives no notice (`agreement-notice`)");
    let duration = extension(root, NOTICE, "valueDuration")?.ok_or_else(missing)?;
    duration.only(&["value", "unit", "system", "code"])?;
    duration.fixed("system", "http://unitsofmeasure.org")?;
    duration.fixed("code", "d")?;
    duration.fixed("unit", "days")?;
    let days = duration.value.get("value").and_then(Value::as_number).and_then(|n| n.parse().ok());
    let days = days.filter(|days| (1..=365).contains(days));
    days.ok_or_else(|| duration.fault("value", "is no number of days from 1 to 365"))
}

/// The one extension with this address; another address is a fault.
fn extension<'a>(root: &At<'a>, url: &str, value: &str) -> Read<Option<At<'a>>> {
    let mut found = None;
    for one in root.many("extension", 2)? {
        let named = one.text("url")?;
        let known = if named == REPLACES { "valueString" } else { "valueDuration" };
        if ![REPLACES, NOTICE].contains(&named.as_str()) {
            return Err(one.fault("url", "is an extension that is not understood"));
        }
        one.only(&["url", known])?;
        if named == url {
            if found.is_some() {
                return Err(one.fault("url", "is there twice"));
            }
            found = Some(one.child(value)?);
        }
    }
    Ok(found)
}

fn parties(root: &At<'_>) -> Read<Vec<Party>> {
    let mut parties = Vec::new();
    for subject in root.many("subject", MAX_PARTIES)? {
        subject.only(&["reference", "display"])?;
        let (org, name) = (subject.organisation()?, subject.text("display")?);
        if name.trim().is_empty() || name.chars().count() > 200 {
            return Err(subject.fault("display", "has 1 to 200 characters"));
        }
        parties.push(Party { org: org.into(), name: name.into() });
    }
    parties.sort();
    if parties.len() < 2 || parties.windows(2).any(|pair| matches!(pair, [a, b] if a.org == b.org))
    {
        return Err(root.fault("subject", "names at least two organisations, each once"));
    }
    Ok(parties)
}

fn clause(term: &At<'_>, parties: &[Party]) -> Read<Clause> {
    term.only(&["securityLabel", "offer", "asset", "action"])?;
    let offer = term.child("offer")?;
    offer.only(&["party"])?;
    let (mut asks, mut answers) = (None, None);
    for party in offer.many("party", 2)? {
        party.only(&["reference", "role"])?;
        let role = party.child("role")?.concept(PARTICIPATION)?;
        let slot = match role.as_str() {
            "IRCP" => &mut asks,
            "CST" => &mut answers,
            _ => return Err(party.fault("role", "is neither `IRCP` (asks) nor `CST` (answers)")),
        };
        let mut orgs = Vec::new();
        for one in party.many("reference", MAX_PARTIES)? {
            one.only(&["reference"])?;
            let org: Box<str> = one.organisation()?.into();
            if !parties.iter().any(|party| party.org == org) {
                return Err(
                    one.fault("reference", "is not among the parties in `Contract.subject`")
                );
            }
            orgs.push(org);
        }
        orgs.sort();
        orgs.dedup();
        if slot.replace(orgs).is_some() {
            return Err(party.fault("role", "is there twice"));
        }
    }
    let missing = |role: &str| offer.fault("party", &format!("has none in the role `{role}`"));
    let asks = asks.ok_or_else(|| missing("IRCP"))?;
    let answers = answers.ok_or_else(|| missing("CST"))?;
    let classes = unique(term.many("asset", MAX_CLAUSES)?.iter().map(class).collect::<Read<_>>()?);
    let finds = |class: &Class| {
        class.categories.is_empty() && class.kind.is_none_or(|kind| kind == "Patient")
    };
    if !classes.iter().any(finds) {
        return Err(term.fault("asset", "does not name `Patient`; without it nobody is found"));
    }
    let purposes = term.many("action", MAX_CLAUSES)?;
    let purposes = unique(purposes.iter().map(action).collect::<Read<_>>()?);
    let (ceiling, topics, obligations) = label(term)?;
    Ok(Clause { asks, answers, purposes, classes, ceiling, topics, obligations })
}

fn label(term: &At<'_>) -> Read<(Confidentiality, Vec<Label>, Vec<Obligation>)> {
    let labels = term.many("securityLabel", 1)?;
    let [label] = labels.as_slice() else {
        return Err(term.fault("securityLabel", "is there exactly once"));
    };
    label.only(&["classification", "category", "control"])?;
    let degree = label.child("classification")?.coding(CONFIDENTIALITY)?;
    let ceiling = Confidentiality::find(&degree)
        .ok_or_else(|| label.fault("classification", "is no degree of v3-Confidentiality"))?;
    let mut topics = Vec::new();
    for category in label.list("category", MAX_CLAUSES)? {
        match Label::of(ACT_CODE, &category.coding(ACT_CODE)?) {
            topic @ (Label::Sensitive(_) | Label::Law(_)) => topics.push(topic),
            _ => return Err(category.fault("code", "is no sensitive topic or law of v3-ActCode")),
        }
    }
    topics.sort_by(|a, b| super::write::topic_code(a).cmp(super::write::topic_code(b)));
    topics.dedup();
    let mut obligations = Vec::new();
    for control in label.list("control", MAX_CLAUSES)? {
        let code = control.coding(ACT_CODE)?;
        obligations.push(Obligation::find(&code).ok_or_else(|| {
            control.fault("code", "is no obligation or refrain of v3-ActCode that is known here")
        })?);
    }
    Ok((ceiling, topics, unique(obligations)))
}

fn class(asset: &At<'_>) -> Read<Class> {
    asset.only(&["type", "subtype"])?;
    let types = asset.many("type", 1)?;
    let [kind] = types.as_slice() else { return Err(asset.fault("type", "is there once")) };
    let (system, code) = kind.any_concept()?;
    let kind = match system.as_str() {
        ABSTRACT_TYPES if code == "Resource" => None,
        RESOURCE_TYPES => Some(
            fhir::resource_type(&code)
                .ok_or_else(|| kind.fault("code", "is no resource type of R4"))?,
        ),
        _ => return Err(kind.fault("system", "is neither resource types nor `Resource`")),
    };
    let mut categories = Vec::new();
    for subtype in asset.list("subtype", MAX_CLAUSES)? {
        let (system, code) = subtype.any_concept()?;
        categories.push((system.into(), code.into()));
    }
    Ok(Class { kind, categories: unique(categories) })
}

fn action(action: &At<'_>) -> Read<Purpose> {
    action.only(&["type", "intent", "status"])?;
    action.child("type")?.concept_is(CONSENT_ACTION, "disclose")?;
    action.child("status")?.concept_is(ACTION_STATUS, "complete")?;
    let code = action.child("intent")?.concept(purpose::SYSTEM)?;
    Purpose::find(&code)
        .ok_or_else(|| action.fault("intent", "is no purpose of use of v3-ActReason"))
}

fn unique<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

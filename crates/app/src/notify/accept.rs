//! Checks a Subscription or a topic before it is stored, and writes down whose it is.

use fhir::edit::Edits;
use fhir::json::quote;
use fhir::{Id, Resource};
use serde_json::json;
use store::query::search;

use super::criteria::compile;
use super::definition::{Channel, Content, Definition, Status, Style};
use super::{OWNER, owner, stored_topic, topic};
use crate::authorise::{Action, authorise, by_a_person};
use crate::records::bundle::{Entry, Request};
use crate::{App, Caller, Error, Kind, Result};

/// Subscriptions of a node that are not off.
const MAX_SUBSCRIPTIONS: u64 = 10_000;
/// Subscriptions of one account that are not off; a patient watches one record.
const MAX_OF_ACCOUNT: usize = 2_000;
const MAX_OF_PATIENT: usize = 100;
/// Types that a subscriber is asked about one by one; beyond that, about everything.
const MAX_TYPES: usize = 10;

/// What a resource is to become when `caller` writes it: a Subscription is checked, asked for and
/// marked as the caller's; a topic is checked; anything else stays as it is.
///
/// Errors: [`Kind::Unprocessable`] names what is not understood or not offered,
/// [`Kind::Forbidden`] says what the caller may not read.
pub fn accept(app: &App, caller: &Caller, resource: Resource) -> Result<Resource> {
    crate::agreements::refuse_mirror(app, &resource)?;
    accept_beside(app, caller, resource, 0)
}

/// The same where the caller is about to store so many Subscriptions more.
fn accept_beside(
    app: &App,
    caller: &Caller,
    resource: Resource,
    beside: usize,
) -> Result<Resource> {
    if stored_topic::is_topic(&resource) {
        return topic_(app, resource);
    }
    if resource.type_name() != "Subscription" {
        return Ok(resource);
    }
    // What it tells is sent later, when no token says any more what may be told.
    by_a_person(app, caller, policy::Action::Read)?;
    authorise(app, caller, Action::updating("Subscription"))?;
    let marked = mark(caller, &resource)?;
    let definition = Definition::read(&marked, 0)?;
    if definition.status == Status::Off {
        return Ok(marked);
    }
    let triggers = compile(&definition, &topic::all(app)?, &app.store().registry())?;
    endpoint(app, &definition)?;
    if definition.end_ms.is_some_and(|end_ms| end_ms <= app.now_ms()) {
        return Err(Error::new(Kind::Unprocessable, "`end` is in the past"));
    }
    // Deliveries have no second factor, so what needs one is refused here.
    let mut later = caller.clone();
    later.user.mfa_time_ms = None;
    let mut types: Vec<&str> = triggers.iter().map(|trigger| trigger.resource_type).collect();
    types.dedup();
    if types.len() > MAX_TYPES {
        types = vec!["*"];
    }
    for resource_type in types {
        authorise(app, &later, Action::reading(resource_type))?;
    }
    room(app, caller, resource.id().as_ref(), beside)?;
    Ok(marked)
}

/// Whether there is room for one more Subscription of the caller, and of anybody.
fn room(app: &App, caller: &Caller, id: Option<&Id>, beside: usize) -> Result<()> {
    let most = if caller.user.patient.is_some() { MAX_OF_PATIENT } else { MAX_OF_ACCOUNT };
    if app.notify().owned_beside(&caller.user.id, id).saturating_add(beside) >= most {
        return Err(Error::new(
            Kind::TooCostly,
            format!("an account has at most {most} subscriptions that are not off"),
        ));
    }
    let running = search("Subscription", &[("status", "requested,active,error")]);
    let running = running.map_err(|e| Error::internal(e.to_string()))?;
    if app.store().snapshot()?.count(&running)? >= MAX_SUBSCRIPTIONS {
        return Err(Error::new(
            Kind::TooCostly,
            format!("this node serves at most {MAX_SUBSCRIPTIONS} subscriptions"),
        ));
    }
    Ok(())
}

/// The same for every entry of a transaction; `None` where none of them is concerned.
pub fn accept_all(app: &App, caller: &Caller, entries: &[Entry]) -> Result<Option<Vec<Entry>>> {
    let concerned = |entry: &Entry| match &entry.request {
        Request::Create { resource, .. } | Request::Update { resource, .. } => is_checked(resource),
        _ => false,
    };
    if !entries.iter().any(concerned) {
        return Ok(None);
    }
    let mut entries = entries.to_vec();
    let mut beside = 0;
    for (at, entry) in entries.iter_mut().enumerate() {
        if let Request::Create { resource, .. } | Request::Update { resource, .. } =
            &mut entry.request
        {
            *resource = accept_beside(app, caller, resource.clone(), beside)
                .map_err(|e| Error { message: format!("entry {at}: {}", e.message), ..e })?;
            beside += usize::from(resource.type_name() == "Subscription");
        }
    }
    Ok(Some(entries))
}

/// Whether [`accept`] looks at a resource.
pub(crate) fn is_checked(resource: &Resource) -> bool {
    resource.type_name() == "Subscription" || stored_topic::is_topic(resource)
}

/// Whether a Subscription says that it is somebody else's than `account`'s: by whatever way it is
/// written, nobody makes a Subscription in another's name.
pub(crate) fn is_foreign(resource: &Resource, account: &str) -> bool {
    resource.type_name() == "Subscription" && owner(resource).is_some_and(|owner| owner != account)
}

fn topic_(app: &App, resource: Resource) -> Result<Resource> {
    let read = stored_topic::read(&app.store().registry(), &resource)?;
    if read.url.starts_with(topic::SHIPPED) {
        return Err(Error::new(
            Kind::Unprocessable,
            "the topic's `url` is one of this software's; choose one of your own",
        ));
    }
    Ok(resource)
}

/// The Subscription as it is stored: the caller's, waiting to be served.
fn mark(caller: &Caller, resource: &Resource) -> Result<Resource> {
    let root = resource.root();
    let status = match root.str_at("status").as_deref() {
        Some("requested" | "active") => Status::Requested,
        Some("off") => Status::Off,
        Some("error") => {
            return Err(Error::new(
                Kind::Unprocessable,
                "`status` becomes error by the node alone; send requested to start again",
            ));
        }
        _ => {
            return Err(Error::new(
                Kind::Unprocessable,
                "`status` must be requested, or off to stop",
            ));
        }
    };
    let mut who = json!({
        "extension": [{"url": "purpose", "valueCode": caller.purpose}],
        "identifier": {"value": caller.user.id},
    });
    if let Some(patient) = &caller.user.patient {
        who["reference"] = json!(format!("Patient/{patient}"));
    }
    let own = json!({"url": OWNER, "valueReference": who}).to_string();
    let mut edits = Edits::default();
    edits.set(root, "status", &quote(status.code()), "resourceType");
    edits.remove(root, "error");
    match root.get("extension") {
        Some(list) => {
            let mut kept: Vec<&str> = list
                .items()
                .filter(|e| e.get("url").is_none_or(|url| !url.is_str(OWNER)))
                .map(|e| e.raw())
                .collect();
            kept.push(&own);
            edits.replace(list.range(), format!("[{}]", kept.join(",")));
        }
        None => edits.set(root, "extension", &format!("[{own}]"), "resourceType"),
    }
    Resource::parse(edits.apply(resource.text()))
        .map_err(|e| Error::invalid("structure", e.to_string()))
}

/// Whether this node sends to where the Subscription points.
fn endpoint(app: &App, definition: &Definition) -> Result<()> {
    let rules = &app.settings().notify;
    match &definition.channel {
        Channel::Websocket => Ok(()),
        Channel::RestHook(endpoint) => rules
            .allowed
            .check(endpoint)
            .map_err(|e| Error::new(Kind::Unprocessable, e.to_string())),
        Channel::Mail(_) if !rules.mail => Err(Error::new(
            Kind::Unprocessable,
            "this node is not set up to send mail; use rest-hook or websocket",
        )),
        Channel::Mail(_) => match definition.style {
            Style::Plain { payload: false } | Style::Backport(Content::Empty) => Ok(()),
            Style::Plain { payload: true } => Err(Error::new(
                Kind::Unprocessable,
                "a mail carries no bare resource; state `backport-payload-content`",
            )),
            Style::Backport(_) if rules.mail_content => Ok(()),
            Style::Backport(_) => Err(Error::new(
                Kind::Unprocessable,
                "this node sends no content by mail; `backport-payload-content` must be empty",
            )),
        },
    }
}

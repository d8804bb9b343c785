//! GraphQL over the records (FHIR R4, "Using GraphQL with FHIR"): queries that select elements,
//! follow references both ways and search, over everything or from one resource.
//!
//! A query is read ([`query`]), checked against the definitions before anything is touched
//! ([`check`]), run over one snapshot ([`run`]), and the audit entry that names every patient it
//! touched is committed before the answer is handed out. What it may cost is bounded ([`budget`]).

mod arguments;
mod budget;
mod check;
mod directives;
mod find;
mod introspect;
mod listing;
mod output;
mod query;
mod run;
mod schema;
mod values;

use store::Key;

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Result};

pub use budget::{MAX_DEPTH, MAX_FAULTS, MAX_LIST, MAX_QUERY_BYTES, MAX_RESOURCES, MAX_SEARCHES};

/// What is asked, as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The GraphQL document.
    pub query: String,
    /// Which of its operations to run, where there are several.
    pub operation: Option<String>,
    /// A JSON object with the values of variables.
    pub variables: Option<String>,
}

/// Where a query starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Focus {
    /// At the base: it selects resources first.
    System,
    /// At one resource: it selects that one's elements.
    Resource(Key),
}

/// Something that went wrong, and where.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What went wrong.
    pub error: Error,
    /// Line and column in the query, from 1.
    pub at: Option<(usize, usize)>,
    /// The place in the answer; empty where it is not about one place.
    pub path: Vec<Step>,
}

/// One step of the path to a place in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Name(String),
    /// An item of a list.
    Index(usize),
}

/// What comes back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The data as JSON text; `None` where the query was not run or was given up.
    pub data: Option<String>,
    /// Whether there is anything in the data.
    pub has_data: bool,
    /// What went wrong, in the order met, at most [`MAX_FAULTS`].
    pub faults: Vec<Fault>,
}

impl Fault {
    fn new(error: Error) -> Self {
        Self { error, at: None, path: Vec::new() }
    }
}

impl Answer {
    fn refused(faults: Vec<Fault>) -> Self {
        Self { data: None, has_data: false, faults }
    }
}

/// Runs a query. What is wrong with the query or with parts of the answer comes as
/// [`Answer::faults`]; an error is a failure of the node, or that nobody may ask.
pub fn answer(app: &App, caller: &Caller, focus: &Focus, request: &Request) -> Result<Answer> {
    // An account without a role may not even ask.
    crate::authorise::role(caller)?;
    if request.query.len() > MAX_QUERY_BYTES {
        let message = format!("a query may have at most {MAX_QUERY_BYTES} bytes");
        return Ok(Answer::refused(vec![Fault::new(Error::invalid("too-long", message))]));
    }
    let document = match query::parse(&request.query) {
        Ok(document) => document,
        Err(fault) => return Ok(Answer::refused(vec![*fault])),
    };
    let plan = match query::Plan::of(&document, request) {
        Ok(plan) => plan,
        Err(faults) => return Ok(Answer::refused(faults)),
    };
    if introspect::is_asked(&plan) {
        return Ok(introspect::answer(&plan, focus, &find::registry(app)));
    }
    let faults = check::check(&plan, focus, &find::registry(app));
    if !faults.is_empty() {
        return Ok(Answer::refused(faults));
    }
    let mut run = run::Run::new(app, caller, &plan)?;
    let object = run.start(focus);
    let pattern = if run.has_read_audit() { Pattern::AuditRead } else { Pattern::Query };
    let patients = run.patients().iter().cloned();
    app.audit(Event::by(caller, pattern).patients(patients).query(described(focus, request)))?;
    let mut faults = run.into_faults();
    Ok(match object {
        Ok(object) => {
            let has_data = object.has_values();
            let mut data = String::new();
            object.write(&mut data);
            Answer { data: Some(data), has_data, faults }
        }
        Err(error) => {
            faults.push(Fault::new(error));
            Answer::refused(faults)
        }
    })
}

/// The query for the audit.
fn described(focus: &Focus, request: &Request) -> String {
    let place = match focus {
        Focus::System => String::new(),
        Focus::Resource(key) => format!("{}/{}/", key.resource_type, key.id),
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("query", &request.query);
    if let Some(operation) = &request.operation {
        form.append_pair("operationName", operation);
    }
    if let Some(variables) = &request.variables {
        form.append_pair("variables", variables);
    }
    format!("{place}$graphql?{}", form.finish())
}

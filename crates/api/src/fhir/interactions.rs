//! Every route of the interactions, with what it lets the node claim. The router, the
//! CapabilityStatement and the OpenAPI description are made from this one table.

use app::App;
use axum::Router;
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::{bundle, capability, history, openapi, read, search, searches, write};

/// What a route lets the node claim in its CapabilityStatement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `rest.resource.interaction` of every type, with its code.
    Resource(&'static str),
    /// `rest.interaction`, with its code.
    System(&'static str),
    /// An element of `rest.resource` of every type.
    Element(&'static str),
    /// Something beside the interactions of the standard, said in words.
    Beside,
}

/// One route.
pub struct Route {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// The address.
    pub path: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// What it lets the node claim.
    pub claim: Claim,
    handler: fn() -> MethodRouter<App>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    claim: Claim,
    summary: &'static str,
    handler: fn() -> MethodRouter<App>,
) -> Route {
    Route { method, path, summary, claim, handler }
}

use Claim::{Beside, Element, Resource, System};

/// All routes of the interactions. Where there is `GET`, there is `HEAD`.
pub const TABLE: &[Route] = &[
    route("GET", "/fhir/metadata", System("capabilities"), "CapabilityStatement", || {
        get(capability::metadata)
    }),
    route("GET", "/fhir/openapi.json", Beside, "This description", || get(openapi::describe)),
    route("POST", "/fhir", System("batch"), "Batch or transaction", || post(bundle::process)),
    route("POST", "/fhir/", System("transaction"), "Batch or transaction", || {
        post(bundle::process)
    }),
    route("GET", "/fhir/_history", System("history-system"), "History of everything", || {
        get(history::of_system)
    }),
    route("GET", "/fhir", System("search-system"), "Search over several types", || {
        get(searches::system_by_get)
    }),
    route("GET", "/fhir/", System("search-system"), "Search over several types", || {
        get(searches::system_by_get)
    }),
    route("POST", "/fhir/_search", System("search-system"), "The same by a form", || {
        post(searches::system_by_post)
    }),
    route("GET", "/fhir/_page/{page}", Beside, "Another page of search results", || {
        get(search::turn_page)
    }),
    route("GET", "/fhir/{type}", Resource("search-type"), "Search", || get(search::by_get)),
    route("POST", "/fhir/{type}/_search", Resource("search-type"), "Search by a form", || {
        post(search::by_post)
    }),
    route("POST", "/fhir/{type}", Resource("create"), "Create, also under a condition", || {
        post(write::create)
    }),
    route("PUT", "/fhir/{type}", Element("conditionalUpdate"), "Conditional update", || {
        put(write::update_matching)
    }),
    route("PATCH", "/fhir/{type}", Resource("patch"), "Conditional patch", || {
        patch(write::patch_matching)
    }),
    route("DELETE", "/fhir/{type}", Element("conditionalDelete"), "Conditional delete", || {
        delete(write::delete_matching)
    }),
    route("GET", "/fhir/{type}/_history", Resource("history-type"), "History of a type", || {
        get(history::of_type)
    }),
    route("GET", "/fhir/{type}/{id}", Resource("read"), "Read", || get(read::read_)),
    route("PUT", "/fhir/{type}/{id}", Resource("update"), "Update, or create under an id", || {
        put(write::update)
    }),
    route("PATCH", "/fhir/{type}/{id}", Resource("patch"), "Patch", || patch(write::patch_)),
    route("DELETE", "/fhir/{type}/{id}", Resource("delete"), "Delete", || delete(write::delete_)),
    route(
        "GET",
        "/fhir/{type}/{id}/_history",
        Resource("history-instance"),
        "History of a resource",
        || get(history::of_instance),
    ),
    route(
        "GET",
        "/fhir/{type}/{id}/_history/{version}",
        Resource("vread"),
        "Read a version",
        || get(read::vread),
    ),
];

/// The routes as the server takes them.
pub fn routes() -> Router<App> {
    TABLE.iter().fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
}

/// Interactions that change something, which nobody may ask of an `AuditEvent`.
const WRITING: [&str; 4] = ["create", "update", "patch", "delete"];

/// The codes of `rest.resource.interaction` of a type, each once.
pub fn of_type(kind: &str) -> Vec<&'static str> {
    let mut codes = Vec::new();
    for route in TABLE {
        if let Resource(code) = route.claim
            && !codes.contains(&code)
            && (kind != "AuditEvent" || !WRITING.contains(&code))
        {
            codes.push(code);
        }
    }
    codes
}

/// The codes of `rest.interaction`.
pub fn of_system() -> Vec<&'static str> {
    let code = |route: &Route| match route.claim {
        // The statement is known to those who read it.
        System(code) if code != "capabilities" => Some(code),
        _ => None,
    };
    let mut codes: Vec<&'static str> = Vec::new();
    for code in TABLE.iter().filter_map(code) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// Whether a route lets every type claim an element of `rest.resource`.
pub fn has_element(name: &'static str) -> bool {
    TABLE.iter().any(|route| route.claim == Element(name))
}

//! The pages: view models, templates, translations, assets and typed paths.
//!
//! Every page is a plain struct (its view), an askama template and a function
//! `render(&View, &Chrome) -> Result<String, WebError>`. None of them reads a store, asks a peer
//! or looks at a clock: what a page shows is in its view, and who looks at it is in [`Chrome`].
//! [`serve`] binds their addresses to the use cases of the node.
//! Pages are sorted by who they serve: [`entry`], [`account`], [`clinician`], [`patient`], [`privacy`],
//! [`operator`], [`registrar`], [`agreements`], [`proxies`], [`research`].

pub mod account;
pub mod agreements;
pub mod apps;
pub mod assets;
pub mod chrome;
pub mod clinician;
pub mod council;
pub mod entry;
pub mod error;
pub mod fault;
pub mod form;
pub mod lang;
pub mod operator;
pub mod parts;
pub mod paths;
pub mod patient;
pub mod privacy;
pub mod proxies;
pub mod registrar;
pub mod research;
pub mod serve;
pub mod terms;
pub mod when;
pub mod words;

pub use chrome::{Chrome, Notice, Role, Session, Theme};
pub use error::WebError;
pub use lang::Lang;
pub use serve::router;
pub use when::When;

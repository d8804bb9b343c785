//! Whole-path tests: real nodes with their stores, keys and doors in one process, spoken to over
//! HTTP as people's programs and other hospitals do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod accountability;
mod agreements;
mod app_client;
mod app_scopes;
mod apps;
mod apps_refused;
mod audit;
#[path = "../../../identity/tests/it/authenticator.rs"]
mod authenticator;
mod backends;
mod balp;
mod bulk;
mod bundles;
mod claims;
mod client;
mod compartment;
mod conditions;
mod consent;
mod contents;
mod council;
mod doors;
mod dpop;
mod fetching;
mod graphql;
mod history;
mod hospitals;
mod keys;
mod killed;
mod later;
mod locator;
mod matching;
mod network;
mod operations;
mod paging;
mod papers;
mod parameters;
mod passkeys;
mod point_of_care;
mod presence;
mod purge;
mod receiver;
mod record;
mod recovered;
mod refusals;
mod rest;
mod routes;
mod searches;
mod simulate;
mod smart_clauses;
mod sql_query;
mod step_up;
mod stores;
mod subscription_topics;
mod subscriptions;
mod subscriptions_simulation;
mod terminology;
mod transactions;
mod udap_clauses;
mod validate;
mod views;
mod witnesses;

//! What every backend passes, whole: [`run`] calls every scenario with a way to make an empty
//! store. A backend's tests call it and need no knowledge of what is in here.
#![expect(clippy::unwrap_used, reason = "scenarios are tests, kept where every backend finds them")]

mod audit;
mod copies;
mod feed;
mod kinds;
mod params;
mod search;
mod transactions;
mod versions;

use fhir::{Id, Resource};

use crate::query::{Query, search as parse_search};
use crate::{
    Committed, Expect, Key, Method, SharedStore, Snapshot, StoreError, Stored, Transaction, Write,
};

/// Makes an empty store. Its clock must run, however slowly.
pub type Make<'a> = &'a dyn Fn() -> SharedStore;

/// Runs every scenario; panics where one fails.
pub fn run(make: Make<'_>) {
    let scenarios: &[fn(Make<'_>)] = &[
        versions::versions_count_up_and_stay,
        versions::texts_are_stamped_and_otherwise_untouched,
        versions::history_is_newest_first_and_pages,
        versions::deletion_leaves_a_version,
        versions::a_snapshot_does_not_change,
        transactions::expectations_are_checked,
        transactions::a_failing_transaction_leaves_nothing,
        transactions::later_writes_see_earlier_ones,
        transactions::guards_are_checked_inside_the_write,
        transactions::conditional_creates_race_and_one_wins,
        transactions::side_values_are_kept_and_scanned,
        transactions::writers_at_the_same_time_lose_nothing,
        feed::changes_are_gapless_and_ordered,
        feed::a_reader_that_follows_sees_everything_once,
        audit::the_log_covers_every_entry,
        audit::entries_cannot_be_changed,
        audit::an_unread_entry_is_like_a_read_one,
        audit::entries_are_found_as_soon_as_they_are_written,
        copies::forgotten_versions_are_gone_and_the_rest_stays,
        copies::audit_entries_are_never_forgotten,
        copies::a_store_made_of_another_is_the_same,
        copies::what_does_not_follow_is_not_taken_in,
        search::finds_what_the_table_says,
        search::follows_updates_and_deletions,
        search::sorts_and_drops_nothing,
        search::pages_stand_still_while_the_store_moves,
        search::limits_are_kept,
        search::includes_follow_references_both_ways,
        kinds::finds_what_the_table_says,
        kinds::codes_are_looked_up,
        kinds::every_compartment_is_searched,
        kinds::includes_go_on_and_end,
        params::parameters_that_are_posted_are_searched_by,
        params::what_points_to_matches_is_not_missed_while_it_is_indexed,
        search::the_compartment_is_everything_about_the_patient,
    ];
    for scenario in scenarios {
        scenario(make);
    }
}

/// `Type/id` as a key.
pub fn key(reference: &str) -> Key {
    let (resource_type, id) = reference.split_once('/').unwrap();
    let resource_type = fhir::definitions::resource_type(resource_type).unwrap();
    Key { resource_type, id: Id::new(id).unwrap() }
}

/// A write of `text` under the id it holds.
pub fn put(text: &str) -> Write {
    put_if(text, Expect::Any)
}

/// The same with an expectation.
pub fn put_if(text: &str, expect: Expect) -> Write {
    let resource = Resource::parse(text).unwrap();
    let key = key(&format!("{}/{}", resource.type_name(), resource.id().unwrap()));
    Write::Put { key, resource, expect, method: Method::Put }
}

/// A deletion.
pub fn delete(reference: &str) -> Write {
    Write::Delete { key: key(reference), expect: Expect::Any }
}

/// Commits writes together.
pub fn commit(store: &SharedStore, writes: Vec<Write>) -> Result<Committed, StoreError> {
    store.commit(Transaction { writes, ..Transaction::default() })
}

/// Stores each text by a transaction of its own.
pub fn store_all(store: &SharedStore, texts: &[&str]) {
    for text in texts {
        commit(store, vec![put(text)]).unwrap();
    }
}

/// `Type?name=value&...` as a query; nothing is percent-decoded.
pub fn query(url: &str) -> Query {
    let (resource_type, params) = url.split_once('?').unwrap_or((url, ""));
    let params: Vec<_> = params.split('&').filter_map(|param| param.split_once('=')).collect();
    let resource_type = fhir::definitions::resource_type(resource_type).unwrap();
    parse_search(resource_type, &params).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// The ids that a search finds, in order, separated by spaces.
pub fn found(snapshot: &dyn Snapshot, url: &str) -> String {
    let seqs = snapshot.find(&query(url), 10_000, true).unwrap();
    let ids: Vec<_> = snapshot.load(&seqs).unwrap().iter().map(|s| s.key.id.to_string()).collect();
    ids.join(" ")
}

fn references(stored: &[Stored]) -> String {
    let references: Vec<_> =
        stored.iter().map(|s| format!("{}/{}", s.key.resource_type, s.key.id)).collect();
    references.join(" ")
}

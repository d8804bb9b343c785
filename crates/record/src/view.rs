//! What can be said about a record at one moment.

use crate::cluster::{Cluster, Groups};
use crate::conflict::{Conflict, conflicts};
use crate::entry::{Entry, entries};
use crate::record::Record;
use crate::summary::{Summary, summarise};

/// Clusters, conflicts and a summary of what has arrived so far.
#[derive(Clone, Debug)]
pub struct View {
    /// Items that state the same fact.
    pub clusters: Vec<Cluster>,
    /// What the sources disagree on, the gravest first; at most 500.
    pub conflicts: Vec<Conflict>,
    /// How many conflicts there are, the ones beyond the limit included.
    pub conflict_count: usize,
    /// What a page shows.
    pub summary: Summary,
}

/// Everything that a view, a bundle or a summary is made from.
pub(crate) struct Analysis<'a> {
    pub entries: Vec<Entry<'a>>,
    pub groups: Groups,
    pub clusters: Vec<Cluster>,
    pub conflicts: Vec<Conflict>,
    pub conflict_count: usize,
}

impl<'a> Analysis<'a> {
    pub fn of(record: &'a Record) -> Self {
        let entries = entries(record);
        let groups = Groups::form(&entries);
        let clusters = groups.clusters(&entries);
        let (conflicts, conflict_count) = conflicts(&entries, &groups);
        Self { entries, groups, clusters, conflicts, conflict_count }
    }
}

impl Record {
    /// Computes the view of what has arrived so far. It may be asked for at any time; a few
    /// thousand items take some milliseconds.
    pub fn view(&self) -> View {
        let analysis = Analysis::of(self);
        let summary = summarise(self, &analysis);
        View {
            clusters: analysis.clusters,
            conflicts: analysis.conflicts,
            conflict_count: analysis.conflict_count,
            summary,
        }
    }
}

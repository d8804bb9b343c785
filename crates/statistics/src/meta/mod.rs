//! Meta-analysis: sites estimate, and the estimates are pooled, where rows cannot be.

mod effects;
mod pooling;

pub use effects::{Effect, MetaAnalysis};
pub use pooling::{Estimator, MetaResult, Pooled, SiteEstimate, combine};

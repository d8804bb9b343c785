//! Meta-analysis: sites estimate, and the estimates are pooled, where rows cannot be.

mod effects;
mod pooling;
mod two_stage;

pub use effects::{Effect, MetaAnalysis};
pub use pooling::{Estimator, MetaResult, Pooled, SiteEstimate, combine};
pub use two_stage::{MOST_COEFFICIENTS, PooledCoefficient, TwoStage, TwoStageResult};

//! What structure several numbers have together: principal components and clusters.

mod clusters;
mod components;

pub use clusters::{Cluster, Clusters, KMeans};
pub use components::{Component, Components, Pca};

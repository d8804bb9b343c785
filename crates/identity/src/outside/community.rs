//! Providers of a UDAP community (Tiered OAuth for User Authentication): this node finds out who they
//! are by certificates, registers itself, and proves itself by its own certificate.

use crypto::chain::Signed;
use serde_json::{Map, Value};

/// This node as a member of the community.
pub trait Member: Send + Sync {
    /// What was signed under a certificate of the community; `None` where that does not hold.
    fn signed(&self, token: &str) -> Option<Signed<Map<String, Value>>>;

    /// The statement by which this node registers itself at `audience`, to be sent people back to
    /// `redirect` from; `None` where it cannot be signed.
    fn statement(&self, audience: &str, redirect: &str, about: &About) -> Option<String>;

    /// The token by which this node proves itself as `client` at `audience`.
    fn assertion(&self, client: &str, audience: &str) -> Option<String>;

    /// The community's address.
    fn community(&self) -> &str;
}

/// What the operator says of this node where it registers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// A `mailto:` address of whoever answers for it.
    pub contact: String,
    /// An `https` address of a picture: PNG, JPG or GIF.
    pub logo: String,
}

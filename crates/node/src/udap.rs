//! The UDAP community that the operator trusts: files in the node's folder.

use std::path::Path;

use app::apps::udap::Community;
use crypto::RsaKey;
use crypto::chain::{self, Anchors};

use crate::config::Config;
use crate::wiring::Fault;

/// Reads the community of the configuration; `None` where no trust anchors are named.
///
/// Errors: a file that cannot be read, and a certificate that is not for this node.
pub fn community(folder: &Path, config: &Config) -> Result<Option<Community>, Fault> {
    if config.udap_anchors.is_empty() {
        return Ok(None);
    }
    let read = |key: &str, name: &str| {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path);
        text.map_err(|e| Fault::from(format!("`{key}`: cannot read `{}`: {e}", path.display())))
    };
    let anchors = read("udap_anchors", &config.udap_anchors)?;
    let lists = match config.udap_revoked.as_str() {
        "" => String::new(),
        name => {
            let lists = read("udap_revoked", name)?;
            if !lists.contains("BEGIN X509 CRL") {
                return Err("`udap_revoked` holds no revocation list in PEM".into());
            }
            lists
        }
    };
    let anchors = Anchors::read(&anchors, &lists)
        .map_err(|e| format!("`udap_anchors` or `udap_revoked`: {e}"))?;
    if config.udap_community.is_empty() {
        return Err("`udap_anchors` needs `udap_community`, the address of the community".into());
    }
    let (uris, chain) = chain::own(&read("udap_certificates", &config.udap_certificates)?)
        .map_err(|e| format!("`udap_certificates`: {e}"))?;
    let base = config.fhir_base();
    if !uris.contains(&base) {
        return Err(
            format!("`udap_certificates`: the first certificate is not for `{base}`").into()
        );
    }
    let key = RsaKey::from_pem(read("udap_key", &config.udap_key)?.trim())
        .map_err(|e| format!("`udap_key`: {e}"))?;
    Ok(Some(Community {
        community: config.udap_community.clone(),
        anchors,
        key,
        chain,
        account: config.udap_account.clone(),
        scopes: config.udap_scopes.clone(),
    }))
}

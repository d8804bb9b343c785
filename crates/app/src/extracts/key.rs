//! The key of a project at this institution: random, made when it is first needed, kept by the node.
//!
//! It is derived from nothing, so that what one project calls a patient says nothing about what
//! another does (45 CFR 164.514(c)), and it never leaves.

use privacy::deidentify::ProjectKey;
use store::{Guard, SideWrite, Transaction};
use zeroize::Zeroizing;

use crate::records::write::retry;
use crate::{App, Error, Result};

/// Side space of the secrets.
const SPACE: &str = "extract-keys";

/// The key of a project.
pub(super) fn of(app: &App, project: &str) -> Result<ProjectKey> {
    let key = project.as_bytes().to_vec();
    let secret = retry(|| {
        if let Some(kept) = app.store().snapshot()?.side(SPACE, &key)? {
            return Ok(Zeroizing::new(kept));
        }
        let made = Zeroizing::new(app.new_secret().to_vec());
        let side = vec![SideWrite { space: SPACE, key: key.clone(), value: Some(made.to_vec()) }];
        let guards = vec![Guard::Side { space: SPACE, key: key.clone(), value: None }];
        app.store().commit(Transaction { guards, side, ..Transaction::default() })?;
        Ok(made)
    })?;
    let secret = Zeroizing::new(
        <[u8; 32]>::try_from(secret.as_slice())
            .map_err(|_| Error::internal("the secret of a project is faulty"))?,
    );
    ProjectKey::new(&secret, project).map_err(|e| Error::internal(e.to_string()))
}

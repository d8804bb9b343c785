//! A steward signs a text with a passkey whose challenge is the hash of exactly that text.

use identity::Started;
use wire::agreement::Said;

use super::say::say;
use super::shelf::known;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::session::passkeys::refused;
use crate::{App, Caller, Error, Kind, Result};

/// Begins signing the text with this hash.
///
/// Errors: [`Kind::NotFound`] for an unknown text, [`Kind::Conflict`] where it cannot be signed,
/// and those of proving presence with a passkey.
pub fn begin(
    app: &App,
    caller: &Caller,
    token: &str,
    agreement: &str,
    text: &str,
    address: &str,
) -> Result<Started> {
    let digest = signable(app, caller, agreement, text)?;
    let now = app.now_ms();
    app.identity().begin_passkey_signature(token, &digest, address, now).map_err(refused)
}

/// What the browser answered to a challenge.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The name of the ceremony.
    pub ceremony: &'a str,
    /// What the browser gave, as JSON.
    pub credential: &'a str,
    /// The client's address.
    pub address: &'a str,
}

/// Signs the text with this hash, enters the signature and sends it to the other parties.
///
/// Errors: as [`begin`], and every refusal that concerns an answer.
pub fn finish(
    app: &App,
    caller: &Caller,
    token: &str,
    agreement: &str,
    text: &str,
    answer: &Answer<'_>,
) -> Result<()> {
    let digest = signable(app, caller, agreement, text)?;
    let now = app.now_ms();
    let Answer { ceremony, credential, address } = answer;
    let signed =
        app.identity().finish_passkey_signature(token, ceremony, &digest, credential, address, now);
    let passkey = match signed {
        Ok(passkey) => passkey,
        Err(error) => {
            let error = refused(error);
            let rule = error.rule.clone().unwrap_or_default();
            app.audit(Event::by(caller, Pattern::Configure).refused(format!("agree {rule}")))?;
            return Err(error);
        }
    };
    let steward = caller.user.name.clone();
    say(app, caller, agreement, Said::Signed { text: text.to_owned(), steward, passkey })
}

/// The digest of a text that may be signed here now.
fn signable(app: &App, caller: &Caller, agreement: &str, text: &str) -> Result<[u8; 32]> {
    authorise(app, caller, Action::of(policy::Action::ReadAgreements))?;
    if caller.user.role != policy::Role::Steward.word() {
        return Err(Error::new(Kind::Forbidden, "stewards sign agreements"));
    }
    let known = known(app)?;
    let dossier = known.dossiers.get(agreement).ok_or_else(Error::not_found)?;
    dossier.text(text).ok_or_else(Error::not_found)?;
    if let Some(why) = dossier.unsignable(&app.org().id, text, app.now_ms()) {
        return Err(Error::new(Kind::Conflict, why));
    }
    crypto::hash::from_hex(text).ok_or_else(Error::not_found)
}

//! What a steward says about an agreement, but for signing: proposes, ends, declares a breach.

use policy::agreement::{Terms, draft};
use wire::agreement::{Said, Statement, text_hash};
use wire::{OrgId, SignedStatement};

use super::enter::{own, word};
use super::shelf::{Known, known};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// What was proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Id of the agreement.
    pub agreement: String,
    /// Hash of the text.
    pub text: String,
    /// Number of the version.
    pub version: u32,
}

/// Proposes an agreement to its parties: `contract` is a draft in FHIR JSON, without what the node
/// adds. With `replaces`, the hash of a version of an agreement, it is a change of that.
///
/// Errors: [`Kind::StepUp`] without a fresh second factor, [`Kind::Invalid`] with the element that
/// is not understood, [`Kind::NotFound`] where there is no such version.
pub fn propose(
    app: &App,
    caller: &Caller,
    contract: &str,
    replaces: Option<(&str, &str)>,
) -> Result<Proposed> {
    authorise(app, caller, Action::of(policy::Action::Agree))?;
    let terms =
        draft(contract).map_err(|e| Error::new(Kind::Unprocessable, e.to_string()).at(e.path))?;
    propose_permitted(app, caller, terms, replaces)
}

/// The same for a text that was put together here; id, version and what it replaces are set.
pub fn propose_terms(
    app: &App,
    caller: &Caller,
    terms: Terms,
    replaces: Option<(&str, &str)>,
) -> Result<Proposed> {
    authorise(app, caller, Action::of(policy::Action::Agree))?;
    propose_permitted(app, caller, terms, replaces)
}

fn propose_permitted(
    app: &App,
    caller: &Caller,
    mut terms: Terms,
    replaces: Option<(&str, &str)>,
) -> Result<Proposed> {
    members_only(app, &terms)?;
    match replaces {
        None => terms.id = app.new_id().as_str().into(),
        Some((agreement, hash)) => {
            let known = known(app)?;
            let dossier = known.dossiers.get(agreement).ok_or_else(Error::not_found)?;
            let old = dossier.text(hash).ok_or_else(Error::not_found)?;
            terms.id = agreement.into();
            terms.version = old.version + 1;
            terms.replaces = Some(hash.into());
        }
    }
    terms.issued_ms = app.now_ms();
    if terms.until_ms <= terms.issued_ms {
        return Err(Error::new(Kind::Unprocessable, "the term would be over already"));
    }
    let text = terms.text();
    let proposed = Proposed {
        agreement: terms.id.to_string(),
        text: text_hash(&text),
        version: terms.version,
    };
    say(app, caller, &proposed.agreement, Said::Proposed { text })?;
    Ok(proposed)
}

/// Parties are members of the network under the names that the list gives them, and this
/// institution is among them.
fn members_only(app: &App, terms: &Terms) -> Result<()> {
    let list = app.network().list();
    for party in &terms.parties {
        let id =
            OrgId::new(&party.org).map_err(|e| Error::new(Kind::Unprocessable, e.to_string()))?;
        if list.member(&id).is_none() {
            let message = format!("`{}` is no member of the network", party.org);
            return Err(Error::new(Kind::Unprocessable, message));
        }
    }
    match terms.party(&app.org().id) {
        Some(_) => Ok(()),
        None => Err(Error::new(Kind::Unprocessable, "this institution is not among the parties")),
    }
}

/// Ends an agreement: not before `from_ms`, and not before the notice is over.
pub fn end(app: &App, caller: &Caller, agreement: &str, from_ms: i64, reason: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Agree))?;
    let known = party_of(app, agreement)?;
    let ended = known
        .dossiers
        .get(agreement)
        .is_some_and(|d| d.ends_ms().is_some_and(|end| end <= app.now_ms()));
    if ended {
        return Err(Error::new(Kind::Conflict, "the agreement has ended already"));
    }
    say(app, caller, agreement, Said::Ended { from: from_ms, reason: reason.trim().to_owned() })
}

/// Declares that another party has broken an agreement: it is suspended at once.
pub fn breach(app: &App, caller: &Caller, agreement: &str, reason: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Agree))?;
    party_of(app, agreement)?;
    say(app, caller, agreement, Said::Breached { reason: reason.trim().to_owned() })
}

/// Declares that a breach which this institution declared is settled.
pub fn settle(
    app: &App,
    caller: &Caller,
    agreement: &str,
    breach: &str,
    reason: &str,
) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Agree))?;
    let known = party_of(app, agreement)?;
    let own = app.org().id.as_str();
    let open = known.dossiers.get(agreement).is_some_and(|dossier| {
        dossier.breaches().iter().any(|one| {
            *one.statement.hash == *breach && &*one.statement.issuer == own && one.settled.is_none()
        })
    });
    if !open {
        return Err(Error::new(Kind::Conflict, "this institution has declared no such breach"));
    }
    let said = Said::Settled { breach: breach.to_owned(), reason: reason.trim().to_owned() };
    say(app, caller, agreement, said)
}

fn party_of(app: &App, agreement: &str) -> Result<std::sync::Arc<Known>> {
    let known = known(app)?;
    match known.dossiers.contains_key(agreement) {
        true => Ok(known),
        false => Err(Error::not_found()),
    }
}

/// Signs a statement with the node's key, enters it and sends it on.
pub(super) fn say(app: &App, caller: &Caller, agreement: &str, said: Said) -> Result<()> {
    let event = Event::by(caller, Pattern::Configure)
        .data(format!("Contract/{agreement}"))
        .note(format!("{} an agreement", word(&said)));
    let issuer = OrgId::new(&app.org().id).map_err(|e| Error::internal(e.to_string()))?;
    let statement =
        Statement { version: 1, agreement: agreement.to_owned(), issuer, at: app.now_ms(), said };
    let signed: SignedStatement = statement
        .sign(&app.peers().identity().assertion_key)
        .map_err(|e| Error::internal(e.to_string()))?;
    own(app, &signed, event)
}

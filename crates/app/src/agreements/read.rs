//! Reads agreements: for stewards and those who watch, and for patients.

use policy::agreement::{Agreed, Clause, Dossier, State};
use serde::{Deserialize, Serialize};
use wire::SignedStatement;

use super::cover::in_force;
use super::shelf::known;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// An agreement in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// The other parties, by display name.
    pub others: Vec<String>,
    /// How it stands.
    pub state: State,
    /// Number of the version that this is about.
    pub version: u32,
    /// The term, in milliseconds since the Unix epoch.
    pub term: (i64, i64),
    /// When it ends because a party has said so.
    pub ends_ms: Option<i64>,
    /// Whether a proposal waits for this institution's signature.
    pub waits: bool,
}

/// All agreements of a node.
#[derive(Clone, Debug, Default)]
pub struct Agreements {
    /// The agreements, those that wait for this institution first, then by title.
    pub list: Vec<Listed>,
    /// Members with whom none is in force, by id and display name.
    pub without: Vec<(String, String)>,
    /// Whether the network's common agreement holds among all members.
    pub common: bool,
}

/// Every agreement, and the members with whom there is none.
pub fn list(app: &App, caller: &Caller) -> Result<Agreements> {
    of_institution(app, caller)?;
    app.audit(Event::by(caller, Pattern::Query).query("Contract"))?;
    let (known, now, own) = (known(app)?, app.now_ms(), app.org().id.as_str());
    let mut list: Vec<Listed> =
        known.dossiers.iter().filter_map(|(id, dossier)| listed(id, dossier, own, now)).collect();
    list.sort_by(|a, b| (!a.waits, &a.title, &a.id).cmp(&(!b.waits, &b.title, &b.id)));
    let without = app.network().active_others().into_iter().filter(|member| {
        let with = |(id, dossier): (&String, &Dossier)| {
            dossier.is_party(member.id.as_str()) && in_force(&known, id, now).is_some()
        };
        !known.dossiers.iter().any(with)
    });
    let without = without.map(|member| (member.id.to_string(), member.display_name)).collect();
    let common = !app.settings().common_agreement.is_empty();
    Ok(Agreements { list, without, common })
}

/// Leave to read what the institution has agreed; patients read what concerns them alone.
fn of_institution(app: &App, caller: &Caller) -> Result<()> {
    let permit = authorise(app, caller, Action::of(policy::Action::ReadAgreements))?;
    match permit.scope().own() {
        None => Ok(()),
        Some(_) => {
            Err(Error::new(Kind::Forbidden, "this is for those who answer for the institution"))
        }
    }
}

fn listed(id: &str, dossier: &Dossier, own: &str, now_ms: i64) -> Option<Listed> {
    let standing = dossier.standing(now_ms);
    let terms = dossier.text(standing.text.as_deref()?)?;
    let others = terms.parties.iter().filter(|party| &*party.org != own);
    let versions = dossier.versions();
    let waits = versions.iter().any(|version| {
        version.since_ms.is_none() && dossier.unsignable(own, version.hash, now_ms).is_none()
    });
    Some(Listed {
        id: id.to_owned(),
        title: terms.title.to_string(),
        others: others.map(|party| party.name.to_string()).collect(),
        state: standing.state,
        version: terms.version,
        term: (terms.from_ms, terms.until_ms),
        ends_ms: standing.ends_ms,
        waits,
    })
}

/// One agreement with everything that was said about it.
pub fn one(app: &App, caller: &Caller, id: &str) -> Result<Dossier> {
    of_institution(app, caller)?;
    let dossier = known(app)?.dossiers.get(id).cloned().ok_or_else(Error::not_found)?;
    app.audit(Event::by(caller, Pattern::Read).data(format!("Contract/{id}")))?;
    Ok(dossier)
}

/// An agreement as it is taken elsewhere: everything that was said, as it was signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Export {
    /// Id of the agreement.
    pub agreement: String,
    /// The statements, oldest first.
    pub statements: Vec<SignedStatement>,
}

/// One agreement to be checked elsewhere.
pub fn export(app: &App, caller: &Caller, id: &str) -> Result<Export> {
    one(app, caller, id)?;
    exported(app, id)
}

/// The same for somebody at the terminal of the node, who holds its store.
pub fn exported(app: &App, id: &str) -> Result<Export> {
    let known = known(app)?;
    let dossier = known.dossiers.get(id).ok_or_else(Error::not_found)?;
    let signed = dossier.statements().into_iter().filter_map(|s| known.signed.get(&*s.hash));
    Ok(Export { agreement: id.to_owned(), statements: signed.cloned().collect() })
}

/// Every agreement as it stands, for somebody at the terminal of the node.
pub fn at_terminal(app: &App) -> Result<Vec<Listed>> {
    let (known, now, own) = (known(app)?, app.now_ms(), app.org().id.as_str());
    Ok(known.dossiers.iter().filter_map(|(id, dossier)| listed(id, dossier, own, now)).collect())
}

/// What lets other organisations ask this one about a patient.
#[derive(Clone, Debug, Default)]
pub struct LettingAsk {
    /// What is agreed with some.
    pub agreed: Vec<Agreed>,
    /// What is agreed among all members.
    pub common: Vec<Clause>,
}

/// Which agreements let others ask about the patient who looks.
pub fn for_patient(app: &App, caller: &Caller) -> Result<LettingAsk> {
    authorise(app, caller, Action::of(policy::Action::ReadAgreements))?;
    app.audit(Event::by(caller, Pattern::Query).query("Contract"))?;
    let (known, now) = (known(app)?, app.now_ms());
    let mut agreed: Vec<Agreed> =
        known.agreed.keys().filter_map(|id| in_force(&known, id, now).cloned()).collect();
    agreed.sort_by(|a, b| a.terms.title.cmp(&b.terms.title));
    Ok(LettingAsk { agreed, common: app.settings().common_agreement.clone() })
}

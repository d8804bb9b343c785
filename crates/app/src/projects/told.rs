//! What patients are told of research at their institution.

use wire::research::Publication;

use super::{Known, shelf};
use crate::authorise::{Action, authorise};
use crate::rounds::used::{self, Use};
use crate::{App, Caller, Result, release};

/// A project as patients are told of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The project.
    pub known: Known,
    /// The questions to which this institution has given sums, the latest first, at most
    /// [`used::MOST_USES`].
    pub uses: Vec<Use>,
    /// Publications that rest on its released answers.
    pub publications: Vec<Publication>,
}

/// The projects that may ask this institution's data, could once, or want to, the latest first. For
/// patients.
pub fn for_patient(app: &App, caller: &Caller) -> Result<Vec<Told>> {
    authorise(app, caller, Action::of(policy::Action::ReadProjects))?;
    let own = app.network().own();
    let snapshot = app.store().snapshot()?;
    let mut all = shelf::all(&*snapshot)?;
    all.retain(|known| known.project.holders.contains(own));
    all.sort_by_key(|known| std::cmp::Reverse(known.project.made));
    let told = |known: Known| {
        let uses = used::of(&*snapshot, &known.id)?;
        let publications = release::publications(app, &*snapshot, &known)?;
        Ok(Told { known, uses, publications })
    };
    all.into_iter().map(told).collect()
}

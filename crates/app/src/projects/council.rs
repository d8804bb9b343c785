//! The patient council: what those who speak for patients here say about projects that ask this
//! institution's data. Where the operator asks for it (`patient_council` in `node.toml`), the institution
//! approves nothing to which they have not agreed, and an objection takes its approval back.
//!
//! Whose account is no representative's any more has no word.

use serde::{Deserialize, Serialize};
use store::{SideWrite, Snapshot, Transaction};
use wire::research::{CouncilWord, MAX_CONDITIONS, MAX_WORDS};

use super::decide::{self, Choice, Verdict};
use super::shelf::{self, Known, take_decision_with};
use super::{SPACE, held};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// Longest condition or reason, in characters.
pub const MAX_CONDITION: usize = 2_000;
/// Most words about one project that are read, those of former members too.
const MOST_READ: usize = 1_000;
/// Why an approval is withdrawn.
const OBJECTION: &str = "the patient council of this institution objects";

/// What a member of the council says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Say {
    /// The project may ask the data of this institution.
    Agree,
    /// It may not.
    Object,
}

/// A member's latest word about a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The account.
    pub account: String,
    /// What.
    pub say: Say,
    /// On what conditions, or why not.
    pub conditions: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// How the council stands to a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// Fewest members who have to agree; 0 where their word only advises.
    pub needed: u32,
    /// The words of those who are members now, by account.
    pub words: Vec<Word>,
}

impl Stand {
    /// How many say so.
    pub fn count(&self, say: Say) -> u32 {
        let count = self.words.iter().filter(|word| word.say == say).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The conditions and reasons of all who name any, of those who object first.
    pub fn conditions(&self) -> Vec<&str> {
        let of = |say: Say| self.words.iter().filter(move |word| word.say == say);
        let all = of(Say::Object).chain(of(Say::Agree)).map(|word| word.conditions.as_str());
        all.filter(|one| !one.is_empty()).collect()
    }

    /// What others are told of it: no names; words that are too long together are shortened. None where there
    /// is nothing to tell.
    pub fn told(&self) -> Option<CouncilWord> {
        if self.needed == 0 && self.words.is_empty() {
            return None;
        }
        Some(CouncilWord {
            needed: self.needed,
            agree: self.count(Say::Agree),
            object: self.count(Say::Object),
            conditions: fitting(&self.conditions()),
        })
    }

    /// What stands against an approval, in words.
    pub fn against(&self) -> Option<String> {
        let (agree, object) = (self.count(Say::Agree), self.count(Say::Object));
        if self.needed == 0 {
            None
        } else if object > 0 {
            Some(format!("the patient council objects ({object} of its members)"))
        } else if agree < self.needed {
            let needed = self.needed;
            Some(format!("the patient council has not agreed yet ({agree} of {needed} members)"))
        } else {
            None
        }
    }
}

/// A project as a member of the council sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The project.
    pub known: Known,
    /// How the council stands to it.
    pub stand: Stand,
    /// The reader's own word.
    pub own: Option<Word>,
    /// The project that it amends, where that asks this institution's data too.
    pub earlier: Option<Known>,
}

/// The projects that ask this institution's data, the latest first. For members of the patient council.
pub fn list(app: &App, caller: &Caller) -> Result<Vec<Seen>> {
    authorise(app, caller, Action::for_others(policy::Action::ReadProjects))?;
    let snapshot = app.store().snapshot()?;
    let all = held::all(app)?;
    let mut ours: Vec<&Known> =
        all.iter().filter(|known| known.project.holders.contains(app.network().own())).collect();
    ours.sort_by_key(|known| std::cmp::Reverse(known.project.made));
    ours.into_iter().map(|known| seen(app, &*snapshot, caller, known.clone())).collect()
}

/// One of them.
///
/// Errors: [`Kind::NotFound`].
pub fn one(app: &App, caller: &Caller, id: &str) -> Result<Seen> {
    authorise(app, caller, Action::for_others(policy::Action::ReadProjects))?;
    let snapshot = app.store().snapshot()?;
    let known = shelf::known(&*snapshot, id)?;
    if !known.project.holders.contains(app.network().own()) {
        return Err(Error::not_found());
    }
    seen(app, &*snapshot, caller, known)
}

/// How the council stands to a project, for those who may see what is decided.
///
/// Errors: [`Kind::NotFound`].
pub fn stand(app: &App, caller: &Caller, id: &str) -> Result<Stand> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let snapshot = app.store().snapshot()?;
    let known = shelf::known(&*snapshot, id)?;
    stands(app, &*snapshot, &known)
}

/// Gives a member's word, which takes the place of the same member's before. For representatives with a
/// second factor of the last five minutes. Where the operator asks for the council's agreement, an
/// objection to what this institution has approved withdraws the approval.
///
/// Errors: [`Kind::NotFound`] for an unknown project, [`Kind::Conflict`] for one that asks nothing of this
/// institution or has ended, [`Kind::Invalid`] for an objection without a reason and for one that is too long by
/// itself. No word is refused for the sake of others'.
pub fn give(app: &App, caller: &Caller, id: &str, say: Say, conditions: &str) -> Result<()> {
    authorise(app, caller, Action::for_others(policy::Action::Represent))?;
    let invalid = |message: String| Error::invalid("value", message);
    let conditions = conditions.trim();
    if conditions.chars().count() > MAX_CONDITION {
        return Err(invalid(format!("use at most {MAX_CONDITION} characters")));
    }
    if say == Say::Object && conditions.is_empty() {
        return Err(invalid("say why you object".to_owned()));
    }
    let _turn = app.projects().turn();
    let snapshot = app.store().snapshot()?;
    let known = shelf::known(&*snapshot, id)?;
    let own = app.network().own();
    if !known.project.holders.contains(own) {
        let message = "the project does not ask this institution's data";
        return Err(Error::new(Kind::Conflict, message));
    }
    if known.project.until <= app.now_ms() || known.ended.is_some() {
        return Err(Error::new(Kind::Conflict, "the project has ended"));
    }
    let mut stand = stands(app, &*snapshot, &known)?;
    stand.words.retain(|word| word.account != caller.user.id);
    let word = Word {
        account: caller.user.id.clone(),
        say,
        conditions: conditions.to_owned(),
        at_ms: app.now_ms(),
    };
    let value = serde_json::to_vec(&word).map_err(|e| Error::internal(e.to_string()))?;
    let key = format!("{}{}", prefix(&known.id), word.account).into_bytes();
    stand.words.push(word);
    let note = match say {
        Say::Agree => "agrees to a research project, in the patient council",
        Say::Object => "objects to a research project, in the patient council",
    };
    let event = Event::by(caller, Pattern::Configure);
    let event = event.data(format!("ResearchStudy/{}", known.id)).note(note);
    let transaction = Transaction {
        side: vec![SideWrite { space: SPACE, key, value: Some(value) }],
        writes: vec![event.write(app)?],
        ..Transaction::default()
    };
    let before = known.decisions.get(own).filter(|before| before.choice == Choice::Approve);
    let Some(before) = before.filter(|_| say == Say::Object && stand.needed > 0) else {
        app.store().commit(transaction)?;
        return Ok(());
    };
    let verdict = Verdict {
        choice: Choice::Withdraw,
        reason: OBJECTION.to_owned(),
        embargo_days: before.embargo_days,
    };
    let sealed = decide::sign(app, &known, &verdict, String::new(), stand.told())?;
    let event = Event::by_node(Pattern::Configure)
        .note("withdraws from a research project: the patient council objects");
    take_decision_with(app, &sealed, Some(event), transaction)?;
    app.rounds().nudge();
    Ok(())
}

/// How the council stands to a project; its word is needed only for what asks this institution's data.
pub(crate) fn stands(app: &App, snapshot: &dyn Snapshot, known: &Known) -> Result<Stand> {
    if !known.project.holders.contains(app.network().own()) {
        return Ok(Stand::default());
    }
    let stored = snapshot.side_scan(SPACE, prefix(&known.id).as_bytes(), MOST_READ)?;
    let mut words = Vec::new();
    for (_, value) in stored {
        let word: Word = serde_json::from_slice(&value)
            .map_err(|_| Error::internal("a stored word of the patient council is faulty"))?;
        if is_member(app, &word.account)? {
            words.push(word);
        }
    }
    Ok(Stand { needed: app.settings().patient_council, words })
}

fn seen(app: &App, snapshot: &dyn Snapshot, caller: &Caller, known: Known) -> Result<Seen> {
    let stand = stands(app, snapshot, &known)?;
    let own = stand.words.iter().find(|word| word.account == caller.user.id).cloned();
    let earlier = match &known.project.amends {
        Some(id) => shelf::known(snapshot, id).map(Some).or_else(|error| match error.kind {
            Kind::NotFound => Ok(None),
            _ => Err(error),
        })?,
        None => None,
    };
    let earlier = earlier.filter(|one| one.project.holders.contains(app.network().own()));
    Ok(Seen { known, stand, own, earlier })
}

/// As many of the words as a decision tells of, each shortened to its part where they are too long together.
fn fitting(all: &[&str]) -> Vec<String> {
    let all: Vec<&str> = all.iter().copied().take(MAX_CONDITIONS).collect();
    let length: usize = all.iter().map(|one| one.chars().count()).sum();
    let most = if length > MAX_WORDS { MAX_WORDS / all.len().max(1) } else { MAX_WORDS };
    let fit = |one: &&str| match one.chars().count() > most {
        true => one.chars().take(most - 1).chain(['…']).collect::<String>(),
        false => (*one).to_owned(),
    };
    all.iter().map(fit).collect()
}

fn is_member(app: &App, account: &str) -> Result<bool> {
    let found = app.identity().accounts().get(account);
    let found = found.map_err(|e| Error::internal(e.to_string()))?;
    Ok(found.is_some_and(|one| one.role == identity::Role::Representative && !one.disabled))
}

fn prefix(project: &str) -> String {
    format!("word/{project}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(needed: u32, says: &[Say]) -> Stand {
        let word = |(at, say): (usize, &Say)| Word {
            account: at.to_string(),
            say: *say,
            conditions: if at == 0 { "tell us".to_owned() } else { String::new() },
            at_ms: 0,
        };
        Stand { needed, words: says.iter().enumerate().map(word).collect() }
    }

    #[test]
    fn a_council_lets_approve_what_enough_agree_to_and_nobody_objects_to() {
        use Say::{Agree, Object};
        for (needed, says, is_open) in [
            (0, vec![], true),
            (0, vec![Object], true),
            (1, vec![], false),
            (1, vec![Agree], true),
            (2, vec![Agree], false),
            (2, vec![Agree, Agree], true),
            (1, vec![Agree, Agree, Object], false),
        ] {
            assert_eq!(stand(needed, &says).against().is_none(), is_open, "{needed} {says:?}");
        }
    }

    #[test]
    fn what_is_told_has_counts_and_conditions_and_no_account() {
        assert_eq!(stand(0, &[]).told(), None);
        let told = stand(1, &[Say::Agree, Say::Agree]).told();
        let conditions = vec!["tell us".to_owned()];
        assert_eq!(told, Some(CouncilWord { needed: 1, agree: 2, object: 0, conditions }));
    }

    #[test]
    fn words_that_are_too_long_together_are_shortened_and_all_counted() {
        for (members, objects) in [(4, 0), (5, 1), (100, 3), (150, 120)] {
            let word = |at: usize| Word {
                account: at.to_string(),
                say: if at < members - objects { Say::Agree } else { Say::Object },
                conditions: "ä".repeat(MAX_CONDITION),
                at_ms: 0,
            };
            let stand = Stand { needed: 1, words: (0..members).map(word).collect() };
            let told = stand.told().unwrap();
            let counts = (told.agree as usize, told.object as usize);
            assert_eq!(counts, (members - objects, objects));
            assert_eq!(told.conditions.len(), members.min(MAX_CONDITIONS));
            let length: usize = told.conditions.iter().map(|one| one.chars().count()).sum();
            assert!(length <= MAX_WORDS && length > MAX_WORDS * 9 / 10, "{members}: {length}");
            assert_eq!(stand.conditions().len(), members, "here nothing is left out");
        }
        let mut stand = stand(1, &[Say::Agree, Say::Object]);
        stand.words[1].conditions = "nobody asked us".to_owned();
        let told = stand.told().unwrap().conditions;
        assert_eq!(told, ["nobody asked us", "tell us"]);
    }
}

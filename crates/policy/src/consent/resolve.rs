//! The part of a consent that one request settles: period, actor, purpose and action.
//!
//! What remains are conditions on single items, so that a thousand items cost little more than
//! reading their labels.

use super::rules::{
    ActionTerm, Actor, ActorRole, Base, ClassTerm, DataTerm, Kind, Meaning, Provision, Rules,
};
use super::who::{Who, short};
use super::{Item, Request, Rule};
use crate::label::Label;
use crate::purpose::Purpose;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holds {
    No,
    Unsure,
    Yes,
}

impl Holds {
    pub(crate) fn of(condition: bool) -> Self {
        if condition { Self::Yes } else { Self::No }
    }
}

/// Whom the matching provisions name, from the outermost to the deciding one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub recipient: Named,
    /// Somebody is named who cannot be resolved; a denial of that kind is not replaced.
    pub unresolved: bool,
    /// The person who asks may be the one who cannot be resolved.
    pub maybe_user: bool,
    /// The organisation that holds the data is named as custodian.
    pub custodian: bool,
    /// A permission that names other recipients and matched through the custodian only: it lifts
    /// earlier denials about that custodian and grants nothing.
    pub lifts_only: bool,
    /// Particular data is named: by label, class, code, time or reference.
    pub singled: bool,
}

/// How closely a recipient is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    /// Not at all: it is about everybody.
    All,
    Organisation,
    /// Through a group or care team.
    Group,
    User,
}

impl About {
    /// Not narrowed to anybody or anything.
    pub(crate) const EVERYTHING: Self = Self {
        recipient: Named::All,
        unresolved: false,
        maybe_user: false,
        custodian: false,
        lifts_only: false,
        singled: false,
    };

    /// Whether the person who asks is or may be named.
    pub(crate) fn concerns_user(&self) -> bool {
        self.recipient >= Named::Group || self.maybe_user
    }
}

/// A consent after the request is known.
#[derive(Debug)]
pub(crate) struct Resolved<'a> {
    pub rules: &'a Rules,
    /// Place among the compiled consents.
    pub index: u32,
    /// `None` where the outermost provision cannot match this request.
    pub root: Option<Branch<'a>>,
    /// `policyRule` denies what the provision leaves.
    pub base_denies: bool,
    /// The person who asks is or may be named somewhere in it.
    pub concerns_user: bool,
}

#[derive(Debug)]
pub(crate) struct Branch<'a> {
    pub provision: &'a Provision,
    pub holds: Holds,
    pub about: About,
    /// BTG is or may be named here or further out.
    pub names_btg: bool,
    pub children: Vec<Branch<'a>>,
}

/// Settles `rules` for `request`; `None` when nothing in it can apply.
pub(crate) fn resolve<'a>(rules: &'a Rules, index: u32, request: &Request) -> Option<Resolved<'a>> {
    let other_purpose = rules.research_only && !request.purpose.is_a(Purpose::HRESCH);
    if other_purpose && Rule::ResearchOnly.holds() {
        return None;
    }
    if let Some(root) = &rules.root
        && in_force(root, request.now_ms) == Holds::No
    {
        return None;
    }
    let root = rules.root.as_ref();
    let root = root.and_then(|root| branch(root, request, About::EVERYTHING, false));
    let base_denies = match rules.base {
        Some(Base::Deny) => true,
        Some(Base::DenyUnlessEmergency) => !request.purpose.is_a(Purpose::ETREAT),
        None => false,
    };
    let base_denies = base_denies && Rule::PolicyRuleDenies.holds();
    // A consent that is not understood and has no provision covers everything.
    let unread = rules.refused.is_some() && rules.root.is_none();
    let base_denies = base_denies || (unread && Rule::RefusedDenies.holds());
    let concerns_user = rules.may_name_person && request.recipient_user.is_some()
        || root.as_ref().is_some_and(Branch::concerns_user);
    let applies = root.is_some() || base_denies;
    applies.then_some(Resolved { rules, index, root, base_denies, concerns_user })
}

impl Branch<'_> {
    fn concerns_user(&self) -> bool {
        self.about.concerns_user() || self.children.iter().any(Branch::concerns_user)
    }
}

fn branch<'a>(
    provision: &'a Provision,
    request: &Request,
    outer: About,
    outer_btg: bool,
) -> Option<Branch<'a>> {
    let (actor, mut about) = actors(provision, request);
    let conditions = [
        in_force(provision, request.now_ms),
        actor,
        purposes(provision, request.purpose),
        actions(&provision.actions),
    ];
    let holds = provision.settled(conditions.into_iter().min().unwrap_or(Holds::Yes));
    if holds == Holds::No {
        return None;
    }
    about.recipient = about.recipient.max(outer.recipient);
    about.unresolved |= outer.unresolved;
    about.maybe_user |= outer.maybe_user;
    about.custodian |= outer.custodian;
    about.lifts_only |= outer.lifts_only;
    about.singled = outer.singled || provision.is_about_items();
    let names_btg = outer_btg || provision.names_btg();
    let inner = |child| branch(child, request, about, names_btg);
    let children = provision.children.iter().filter(|_| Rule::Nesting.holds());
    let children = children.filter_map(inner).collect();
    Some(Branch { provision, holds, about, names_btg, children })
}

fn in_force(provision: &Provision, now_ms: i64) -> Holds {
    if provision.period_unclear {
        return Holds::Unsure;
    }
    let Some((start, end)) = provision.period else { return Holds::Yes };
    let inside = start.is_none_or(|start| start <= now_ms) && end.is_none_or(|end| now_ms < end);
    Holds::of(inside || !Rule::PeriodRuns.holds())
}

fn purposes(provision: &Provision, asked: Purpose) -> Holds {
    let narrow = provision.kind == Kind::Deny && !Rule::PurposeReachesDown.holds();
    any(&provision.purposes, |term| match term {
        Some(purpose) if narrow => Holds::of(asked == *purpose),
        Some(purpose) => Holds::of(asked.is_a(*purpose) || !Rule::PurposeMatches.holds()),
        None => Holds::Unsure,
    })
}

fn actions(terms: &[ActionTerm]) -> Holds {
    any(terms, |term| match term {
        ActionTerm::Disclosure => Holds::Yes,
        ActionTerm::Beyond if !Rule::ActionMatches.holds() => Holds::Yes,
        ActionTerm::Beyond => Holds::Unsure,
    })
}

/// Repeats of an element are alternatives; none at all is no condition.
fn any<T>(terms: &[T], holds: impl Fn(&T) -> Holds) -> Holds {
    terms.iter().map(holds).max().unwrap_or(Holds::Yes)
}

fn actors(provision: &Provision, request: &Request) -> (Holds, About) {
    let mut about = About::EVERYTHING;
    let mut holds = None;
    let mut names_recipients = false;
    for actor in provision.actors.iter().filter(|actor| actor.role != ActorRole::Party) {
        let (this, named) = match actor.role {
            ActorRole::Custodian => (custodian(actor, request), Named::All),
            ActorRole::Unknown => (Holds::Unsure, Named::All),
            ActorRole::Recipient | ActorRole::Party => actor.subject.asks(request),
        };
        names_recipients |= actor.role != ActorRole::Custodian;
        about.unresolved |= this == Holds::Unsure;
        about.maybe_user |= this == Holds::Unsure
            && actor.role != ActorRole::Custodian
            && request.recipient_user.is_some();
        if this == Holds::Yes {
            about.recipient = about.recipient.max(named);
            about.custodian |= actor.role == ActorRole::Custodian;
        }
        holds = holds.max(Some(this));
    }
    about.lifts_only = provision.kind == Kind::Permit
        && names_recipients
        && about.custodian
        && about.recipient == Named::All;
    (holds.unwrap_or(Holds::Yes), about)
}

fn custodian(actor: &Actor, request: &Request) -> Holds {
    match &actor.subject {
        Who::Organisation(id) => {
            let same = **id == *short(&request.custodian_org);
            Holds::of(same || !Rule::CustodianMatches.holds())
        }
        _ => Holds::Unsure,
    }
}

impl Provision {
    /// With a rule about what is not understood out of force, what is left of `Unsure`.
    fn settled(&self, holds: Holds) -> Holds {
        match (holds, self.kind) {
            (Holds::Unsure, Kind::Deny) if !Rule::UnclearDenies.holds() => Holds::No,
            (Holds::Unsure, Kind::Permit) if !Rule::UnclearPermitsNot.holds() => Holds::Yes,
            _ => holds,
        }
    }

    /// Whether it has conditions on items.
    pub(crate) fn is_about_items(&self) -> bool {
        !self.labels.is_empty()
            || !self.classes.is_empty()
            || !self.codes.is_empty()
            || !self.data.is_empty()
            || self.data_period.is_some()
            || self.data_period_unclear
    }

    /// Whether `item` is among the data this provision is about. `reached` are references of
    /// items that are named as related and have been read.
    pub(crate) fn holds_for(&self, item: &Item, reached: &Reached<'_>) -> Holds {
        let labels = || any(&self.labels, |label| self.label_holds(label, item));
        let classes = || any(&self.classes, |class| class.holds_for(item));
        let codes = || any(&self.codes, |code| self.code_holds(code.as_ref(), item));
        let data = || any(&self.data, |term| term.holds_for(item, reached));
        let time = || self.time_holds(item);
        let conditions: [&dyn Fn() -> Holds; 5] = [&classes, &time, &labels, &codes, &data];
        let mut holds = Holds::Yes;
        for condition in conditions {
            holds = holds.min(condition());
            if holds == Holds::No {
                break;
            }
        }
        self.settled(holds)
    }

    fn label_holds(&self, label: &Label, item: &Item) -> Holds {
        match (label, self.kind) {
            _ if !Rule::LabelMatches.holds() => Holds::Yes,
            (Label::UnknownLevel, _) => Holds::Unsure,
            // Permissions reach down and denials up, so it may reach either way.
            _ if self.kind_unclear => Holds::Unsure,
            (_, Kind::Deny) => Holds::of(item.labels.denied_by(label)),
            (_, Kind::Permit) => Holds::of(item.labels.permitted_by(label)),
        }
    }

    /// A denial reaches what has the code anywhere, a permission what is about it.
    fn code_holds(&self, code: Option<&(Box<str>, Box<str>)>, item: &Item) -> Holds {
        let anywhere = self.kind == Kind::Deny && Rule::CodeAnywhere.holds();
        match code {
            _ if !Rule::CodeMatches.holds() => Holds::Yes,
            Some(code) if item.codes.contains(code) => Holds::Yes,
            Some(code) if anywhere && item.mentions.contains(code) => Holds::Yes,
            Some(_) if !item.codes_open => Holds::No,
            _ => Holds::Unsure,
        }
    }

    fn time_holds(&self, item: &Item) -> Holds {
        if self.data_period_unclear {
            return Holds::Unsure;
        }
        let Some((start, end)) = self.data_period else { return Holds::Yes };
        let Some(when) = item.when else { return Holds::Unsure };
        let (start, end) = (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX));
        if !Rule::DataPeriodMatches.holds() {
            return Holds::Yes;
        }
        if when.end_ms <= start || when.start_ms >= end {
            Holds::No
        } else if when.start_ms >= start && when.end_ms <= end {
            Holds::Yes
        } else {
            Holds::Unsure
        }
    }
}

/// References that items named as related lead to.
pub(crate) type Reached<'a> = std::collections::HashSet<(&'a str, &'a str)>;

impl ClassTerm {
    /// An item that does not claim a profile may still conform to it.
    fn holds_for(&self, item: &Item) -> Holds {
        match self {
            _ if !Rule::ClassMatches.holds() => Holds::Yes,
            Self::Type(name) => Holds::of(*name == item.resource_type),
            Self::Profile(url) if item.profiles.contains(url) => Holds::Yes,
            Self::Profile(_) | Self::Unknown => Holds::Unsure,
        }
    }
}

impl DataTerm {
    /// `related` takes in the instance, what it refers to and what refers to it: FHIR R4 says the
    /// former, IHE PCF uses it for the data of an encounter, which is the latter.
    fn holds_for(&self, item: &Item, reached: &Reached<'_>) -> Holds {
        let (Some(meaning), Some(reference)) = (self.meaning, &self.reference) else {
            return Holds::Unsure;
        };
        let same = || item.reference == *reference;
        let refers = || item.references.contains(reference);
        let rule = match meaning {
            Meaning::Instance => Rule::DataInstance,
            Meaning::Dependents => Rule::DataDependents,
            Meaning::Related => Rule::DataRelated,
            Meaning::AuthoredBy => Rule::DataAuthoredBy,
        };
        Holds::of(match meaning {
            _ if !rule.holds() => false,
            Meaning::Instance => same(),
            Meaning::Dependents => same() || refers(),
            Meaning::Related => {
                same() || refers() || reached.contains(&(&**reference, &*item.reference))
            }
            Meaning::AuthoredBy => item.authors.contains(reference),
        })
    }
}

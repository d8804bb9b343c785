//! The rules of the engine by name, so that a test can show of each one that it is needed.
//!
//! With the cargo feature `mutants` exactly one rule can be put out of force, on a thread or in
//! the whole process. Without it, as in every build of the program, [`Rule::holds`] is the
//! constant `true` and nothing of this is left; [`RULES_CAN_BE_SUSPENDED`] says which it is.

/// Whether this build can put rules out of force. The program refuses to compile where it can.
pub const RULES_CAN_BE_SUSPENDED: bool = cfg!(feature = "mutants");

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A rule of the engine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule { $($(#[doc = $doc])+ $name,)+ }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The rule in one sentence, as its documentation says it.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

rules! {
    /// Only a consent with status `active` counts.
    StatusCounts,
    /// Only a consent of scope `patient-privacy`, or `research` for research, counts.
    ScopeCounts,
    /// A consent of scope `research` says nothing about other purposes.
    ResearchOnly,
    /// A provision applies while its period runs, its end included.
    PeriodRuns,
    /// A recipient that is an organisation is the one that asks.
    RecipientMatches,
    /// A recipient that is a person, a device or a proxy is the one who asks.
    PersonMatches,
    /// A recipient that is a group or care team has the one who asks among its members.
    MemberMatches,
    /// A custodian is the organisation that holds the data.
    CustodianMatches,
    /// A permission for something other than access or disclosure is none for the answer.
    ActionMatches,
    /// A provision applies to the purposes it names.
    PurposeMatches,
    /// A denial for a purpose reaches the purposes below it.
    PurposeReachesDown,
    /// A provision applies to items with the labels it names.
    LabelMatches,
    /// A denial for a degree of confidentiality reaches higher degrees.
    DenialReachesUp,
    /// A denial for a topic reaches the topics below and above it.
    TopicReaches,
    /// A provision applies to the resource types and profiles it names.
    ClassMatches,
    /// A provision applies to items with the codes it names.
    CodeMatches,
    /// A denial for a code reaches items that have it anywhere in them.
    CodeAnywhere,
    /// A provision applies to data of the time it names.
    DataPeriodMatches,
    /// `instance`: the resource itself.
    DataInstance,
    /// `related`: the resource, what it refers to, and what refers to it.
    DataRelated,
    /// `dependents`: the resource and what refers to it.
    DataDependents,
    /// `authoredby`: what the named one made, asserted or recorded.
    DataAuthoredBy,
    /// A nested provision is an exception to the one around it.
    Nesting,
    /// Of several provisions at the same level a denial decides.
    DenialWithinConsent,
    /// Of several consents a denial beats a permission.
    DenialBeatsPermission,
    /// A permission replaces only a denial decided before it.
    ReplacementIsLater,
    /// A permission decided in the future replaces nothing yet.
    ReplacementNotFuture,
    /// A permission replaces only a denial about the same actor.
    ReplacementSameActor,
    /// A permission for all data does not replace a denial about particular data.
    ReplacementParticular,
    /// A permission that matches only by its custodian grants nothing by itself.
    LiftingGrantsNothing,
    /// A consent whose structure is not understood denies what it may cover.
    RefusedDenies,
    /// What is not understood is not replaced by a later permission.
    RefusedStays,
    /// A denial with a value that is not understood applies.
    UnclearDenies,
    /// A permission with a value that is not understood does not apply.
    UnclearPermitsNot,
    /// A denial that names somebody who cannot be resolved is not replaced.
    UnresolvedStays,
    /// `policyRule` `OPTOUT` and `EMRGONLY` deny what the provision leaves open.
    PolicyRuleDenies,
    /// Where no consent decides, the network's default does.
    NetworkDefault,
    /// Sensitive items are withheld unless a permission names what makes them sensitive.
    SensitiveDefault,
    /// A permission must name every topic and law that makes an item sensitive.
    NamedInFull,
    /// A topic or law makes an item restricted, whatever degree it states.
    TopicRestricts,
    /// Labels inside a resource count as those of the resource.
    InlineLabels,
    /// Codes on the reviewed lists make an item sensitive.
    CodeLists,
    /// Emergency override needs the switch of the node.
    BreakGlassSwitch,
    /// Emergency override is for clinicians.
    BreakGlassClinicians,
    /// A denial that names emergency override binds in it too.
    BreakGlassNamed,
    /// A denial of a person binds within their own organisation.
    OwnOrganisationPerson,
}

impl Rule {
    /// Whether the rule is in force: always, in every build of the program.
    #[cfg(not(feature = "mutants"))]
    #[inline(always)]
    pub(crate) const fn holds(self) -> bool {
        true
    }

    /// Whether the rule is in force.
    #[cfg(feature = "mutants")]
    pub(crate) fn holds(self) -> bool {
        suspend::suspended() != Some(self)
    }
}

#[cfg(feature = "mutants")]
pub use suspend::{Suspended, suspend_in_process};

#[cfg(feature = "mutants")]
mod suspend {
    use std::cell::Cell;
    use std::marker::PhantomData;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Rule;

    const NONE: u8 = u8::MAX;

    thread_local! {
        static HERE: Cell<Option<Rule>> = const { Cell::new(None) };
    }
    static EVERYWHERE: AtomicU8 = AtomicU8::new(NONE);

    pub(super) fn suspended() -> Option<Rule> {
        HERE.get().or_else(|| {
            let number = EVERYWHERE.load(Ordering::Relaxed);
            Rule::ALL.get(usize::from(number)).copied()
        })
    }

    /// Puts one rule out of force on every thread of the process, or none. For tests in which a
    /// whole node runs; tests beside it in the same process see it too.
    pub fn suspend_in_process(rule: Option<Rule>) {
        let number = rule.and_then(|rule| Rule::ALL.iter().position(|known| *known == rule));
        let number = number.and_then(|number| u8::try_from(number).ok()).unwrap_or(NONE);
        EVERYWHERE.store(number, Ordering::Relaxed);
    }

    /// One rule is out of force on this thread for as long as this is kept.
    #[derive(Debug)]
    pub struct Suspended(PhantomData<*const ()>);

    impl Suspended {
        /// Puts `rule` out of force on this thread, in place of any other.
        pub fn new(rule: Rule) -> Self {
            HERE.set(Some(rule));
            Self(PhantomData)
        }
    }

    impl Drop for Suspended {
        fn drop(&mut self) {
            HERE.set(None);
        }
    }
}

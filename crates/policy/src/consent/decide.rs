//! Decisions: several consents, the defaults and emergency override taken together.

use super::concern::CLOCK_TOLERANCE_MS;
use super::resolve::{About, Branch, Holds, Reached, Resolved, resolve};
use super::rules::{Kind, Meaning, Provision, Rules};
use super::{
    Because, Compiled, Defaults, Existence, Item, ItemDecision, NetworkDefault, Request, Rule,
    SensitiveDefault, WholeDecision, who::short,
};
use crate::label::{Confidentiality, Labels};
use crate::purpose::Purpose;
use crate::question::Role;

/// Decides every item of `items`, in order. `related` provisions also reach what an item among
/// `items` refers to, so items that belong together are best decided together.
pub fn decide_all(
    request: &Request,
    consents: &Compiled,
    defaults: &Defaults,
    items: &[Item],
) -> Vec<ItemDecision> {
    let case = Case::new(request, consents, defaults);
    let reached = case.reached(items);
    let mut hits = Hits::default();
    items.iter().map(|item| case.decide(item, &reached, &mut hits)).collect()
}

/// Says what is certain before any item is read, so that nothing is read for a recipient who may
/// have nothing.
pub fn whole_record(request: &Request, consents: &Compiled, defaults: &Defaults) -> WholeDecision {
    let case = Case::new(request, consents, defaults);
    let by_item = |resolved: &Resolved<'_>| resolved.root.as_ref().is_some_and(is_by_item);
    let mut hits = Hits::default();
    let mut decide = |case: &Case<'_>, confidentiality| {
        let item =
            Item { labels: Labels { confidentiality, ..Labels::default() }, ..Item::default() };
        case.decide(&item, &Reached::new(), &mut hits)
    };
    let certain = !case.resolved.iter().any(by_item);
    if certain {
        let plain = decide(&case, Confidentiality::Normal);
        let sensitive = decide(&case, Confidentiality::VeryRestricted);
        return match (plain.effect, sensitive.effect) {
            (Kind::Permit, Kind::Permit) => WholeDecision::Permit(plain.because),
            (Kind::Deny, Kind::Deny) => {
                WholeDecision::Deny { because: plain.because, existence: plain.existence }
            }
            _ => WholeDecision::ByItem,
        };
    }
    // Some consents look at items. Where none of those could permit anything, the others may
    // already deny everything.
    let may_permit = |resolved: &Resolved<'_>| resolved.root.as_ref().is_some_and(has_permission);
    if case.resolved.iter().any(|resolved| by_item(resolved) && may_permit(resolved)) {
        return WholeDecision::ByItem;
    }
    let Case { resolved, .. } = case;
    let resolved = resolved.into_iter().filter(|resolved| !by_item(resolved)).collect();
    let rest = Case { resolved, ..Case::new(request, consents, defaults) };
    let plain = decide(&rest, Confidentiality::Normal);
    let sensitive = decide(&rest, Confidentiality::VeryRestricted);
    if plain.effect == Kind::Deny && sensitive.effect == Kind::Deny {
        return WholeDecision::Deny { because: plain.because, existence: plain.existence };
    }
    WholeDecision::ByItem
}

/// What holds apart from the consents that look at items, and those.
pub(super) struct Base<'a> {
    pub by_item: Vec<Resolved<'a>>,
    /// The decision about something that is not sensitive.
    pub plain: ItemDecision,
    /// The decision about something very restricted.
    pub sensitive: ItemDecision,
}

/// Parts a request into what is settled and what depends on the item.
pub(super) fn base<'a>(
    request: &Request,
    consents: &'a Compiled,
    defaults: &'a Defaults,
) -> Base<'a> {
    let mut rest = Case::new(request, consents, defaults);
    let all = std::mem::take(&mut rest.resolved);
    let looks = |resolved: &Resolved<'_>| resolved.root.as_ref().is_some_and(is_by_item);
    let (by_item, settled) = all.into_iter().partition(looks);
    rest.resolved = settled;
    let mut hits = Hits::default();
    let mut decide = |confidentiality| {
        let labels = Labels { confidentiality, ..Labels::default() };
        rest.decide(&Item { labels, ..Item::default() }, &Reached::new(), &mut hits)
    };
    let plain = decide(Confidentiality::Normal);
    let sensitive = decide(Confidentiality::VeryRestricted);
    Base { by_item, plain, sensitive }
}

fn is_by_item(branch: &Branch<'_>) -> bool {
    branch.provision.is_about_items() || branch.children.iter().any(is_by_item)
}

fn has_permission(branch: &Branch<'_>) -> bool {
    branch.provision.kind == Kind::Permit || branch.children.iter().any(has_permission)
}

/// One request against one patient's consents.
struct Case<'a> {
    resolved: Vec<Resolved<'a>>,
    rules: &'a [Rules],
    defaults: &'a Defaults,
    now_ms: i64,
    purpose: Purpose,
    own_request: bool,
    own_organisation: bool,
    break_glass: bool,
}

/// What one consent says about one item.
#[derive(Clone, Copy, Debug)]
struct Hit {
    consent: u32,
    because: Because,
    about: About,
    /// For a denial: BTG is or may be named. For a permission: what makes the item sensitive is named.
    explicit: bool,
}

/// Kept from item to item to spare allocations.
#[derive(Default)]
struct Hits {
    permits: Vec<Hit>,
    denials: Vec<Hit>,
}

/// The provisions from the deciding one outwards.
#[derive(Clone, Copy)]
struct Path<'a> {
    provision: &'a Provision,
    outer: Option<&'a Path<'a>>,
}

impl<'a> Case<'a> {
    fn new(request: &Request, consents: &'a Compiled, defaults: &'a Defaults) -> Self {
        let resolved = consents.rules.iter().zip(0..);
        let resolved = resolved.filter_map(|(rules, index)| resolve(rules, index, request));
        let clinician = request.role == Role::Clinician || !Rule::BreakGlassClinicians.holds();
        let switch = request.break_glass_enabled || !Rule::BreakGlassSwitch.holds();
        Self {
            resolved: resolved.collect(),
            rules: &consents.rules,
            defaults,
            now_ms: request.now_ms,
            purpose: request.purpose,
            own_request: request.role == Role::Patient && request.purpose == Purpose::PATRQT,
            own_organisation: short(&request.recipient_org) == short(&request.custodian_org),
            break_glass: switch && clinician && request.purpose == Purpose::BTG,
        }
    }

    fn decide(&self, item: &Item, reached: &Reached<'_>, hits: &mut Hits) -> ItemDecision {
        let sensitive = item.labels.is_sensitive();
        let permit =
            |because| ItemDecision { effect: Kind::Permit, existence: Existence::Known, because };
        let deny = |because| ItemDecision {
            effect: Kind::Deny,
            existence: if sensitive { Existence::Hidden } else { self.defaults.denied },
            because,
        };
        if self.own_request {
            return permit(Because::OwnRequest);
        }
        self.collect(item, reached, hits);
        // What is left of the denials after later permissions, the most telling one last.
        let standing = |denial: &&Hit| !hits.permits.iter().any(|p| self.replaces(p, denial));
        let named = |denial: &Hit| denial.explicit && Rule::BreakGlassNamed.holds();
        let binding = |denial: &&Hit| !self.break_glass || named(denial);
        let weight = |hit: &&Hit| {
            (!matches!(hit.because, Because::NotUnderstood { .. }), hit.consent, hit.explicit)
        };
        let denials = || hits.denials.iter().filter(standing);
        if let Some(denial) = denials().filter(binding).max_by_key(weight) {
            return deny(denial.because);
        }
        let over = denials().max_by_key(weight).map(|denial| denial.consent);
        if self.own_organisation {
            return permit(Because::OwnOrganisation);
        }
        let grants = || {
            let grants = |hit: &&Hit| !hit.about.lifts_only || !Rule::LiftingGrantsNothing.holds();
            hits.permits.iter().filter(grants)
        };
        let granted = grants().max_by_key(|hit| (hit.explicit, hit.consent));
        let because = match granted {
            Some(hit) => hit.because,
            None if self.default_permits() => Because::NetworkDefault,
            None => return deny(Because::NetworkDefault),
        };
        let open = !sensitive
            || self.defaults.sensitive == SensitiveDefault::Share
            || !Rule::SensitiveDefault.holds()
            || granted.is_some_and(|hit| hit.explicit);
        match (over, open) {
            (None, true) => permit(because),
            (Some(_), _) => permit(Because::BreakGlass { over }),
            (None, false) if self.break_glass => permit(Because::BreakGlass { over }),
            (None, false) => deny(Because::Sensitive),
        }
    }

    fn default_permits(&self) -> bool {
        if !Rule::NetworkDefault.holds() {
            return true;
        }
        match self.defaults.network {
            NetworkDefault::PermitTreatment => self.purpose.is_a(Purpose::TREAT),
            NetworkDefault::PermitAll => true,
            NetworkDefault::Deny => false,
            NetworkDefault::BreakGlassOnly => self.break_glass,
        }
    }

    fn collect(&self, item: &Item, reached: &Reached<'_>, hits: &mut Hits) {
        hits.permits.clear();
        hits.denials.clear();
        for resolved in &self.resolved {
            let (first_permit, first_denial) = (hits.permits.len(), hits.denials.len());
            let consent = resolved.index;
            let walk = Walk { consent, item, reached, hits, first_permit, first_denial };
            walk.consent(resolved);
        }
        if self.own_organisation {
            let person = Rule::OwnOrganisationPerson.holds();
            hits.denials.retain(|denial| denial.about.concerns_user() && person);
        }
    }

    /// Whether `permission` replaces `denial`; see the module's text on several consents.
    fn replaces(&self, permission: &Hit, denial: &Hit) -> bool {
        if !Rule::DenialBeatsPermission.holds() {
            return true;
        }
        let refused = matches!(denial.because, Because::NotUnderstood { .. });
        if refused && Rule::RefusedStays.holds() {
            return false;
        }
        let date = |hit: &Hit| self.rules.get(hit.consent as usize).and_then(|rules| rules.date);
        let (this, that) = (permission.about, denial.about);
        let is_later = match (date(permission), date(denial)) {
            (Some(later), Some(earlier)) => later.start_ms >= earlier.end_ms,
            _ => false,
        };
        let decided = date(permission)
            .is_none_or(|date| date.start_ms <= self.now_ms.saturating_add(CLOCK_TOLERANCE_MS));
        let same_actor = this.recipient >= that.recipient
            && (!that.custodian || this.custodian)
            && (!this.lifts_only || that.custodian);
        (is_later || !Rule::ReplacementIsLater.holds())
            && (decided || !Rule::ReplacementNotFuture.holds())
            && (same_actor || !Rule::ReplacementSameActor.holds())
            && (!that.unresolved || !Rule::UnresolvedStays.holds())
            && (!that.singled || this.singled || !Rule::ReplacementParticular.holds())
    }

    /// What the items that `related` provisions name refer to.
    fn reached<'i>(&self, items: &'i [Item]) -> Reached<'i> {
        fn named<'p>(branch: &Branch<'p>, out: &mut Vec<&'p str>) {
            let related = |term: &&super::rules::DataTerm| term.meaning == Some(Meaning::Related);
            let terms = branch.provision.data.iter().filter(related);
            out.extend(terms.filter_map(|term| term.reference.as_deref()));
            branch.children.iter().for_each(|child| named(child, out));
        }
        let mut wanted = Vec::new();
        for root in self.resolved.iter().filter_map(|resolved| resolved.root.as_ref()) {
            named(root, &mut wanted);
        }
        if wanted.is_empty() {
            return Reached::new();
        }
        let instances = items.iter().filter(|item| wanted.contains(&&*item.reference));
        instances
            .flat_map(|item| item.references.iter().map(|to| (&*item.reference, &**to)))
            .collect()
    }
}

/// One consent, asked about one item. What it says is added to `hits`.
struct Walk<'a> {
    consent: u32,
    item: &'a Item,
    reached: &'a Reached<'a>,
    hits: &'a mut Hits,
    /// Where in `hits` this consent begins.
    first_permit: usize,
    first_denial: usize,
}

impl Walk<'_> {
    /// A consent that denies an item anywhere does not permit it.
    fn consent(mut self, resolved: &Resolved<'_>) {
        let said = match &resolved.root {
            Some(root) if resolved.rules.refused.is_some() && Rule::RefusedDenies.holds() => {
                self.refused(root, resolved)
            }
            Some(root) => self.provision(root, None, true),
            None => None,
        };
        if said != Some(Kind::Permit) {
            self.hits.permits.truncate(self.first_permit);
        }
        if said.is_none() && resolved.base_denies {
            let because = match resolved.rules.refused {
                Some(_) => Because::NotUnderstood { consent: self.consent },
                None => Because::PolicyRule { consent: self.consent },
            };
            self.everything(because, resolved);
        }
    }

    /// A consent that is not understood denies what its outermost provision may cover.
    fn refused(&mut self, root: &Branch<'_>, resolved: &Resolved<'_>) -> Option<Kind> {
        let covered = root.provision.holds_for(self.item, self.reached) != Holds::No;
        covered.then(|| {
            self.everything(Because::NotUnderstood { consent: self.consent }, resolved);
            Kind::Deny
        })
    }

    /// Denies without regard to single provisions. Wherever in a consent that is not understood
    /// emergencies or the person are named, the denial may be about them.
    fn everything(&mut self, because: Because, resolved: &Resolved<'_>) {
        let refused = resolved.rules.refused.is_some();
        let maybe_user = refused && resolved.concerns_user;
        let about = About { maybe_user, ..About::EVERYTHING };
        let explicit = refused && resolved.rules.names_btg;
        self.deny(Hit { consent: self.consent, because, about, explicit });
    }

    /// The innermost provision that matches decides; a denial among several. Where it is not sure
    /// that a provision matches, it only counts if it denies. `sure` says whether the provisions
    /// around this one match for sure.
    ///
    /// All that decide are kept, not one of them: which of them the others replace or override
    /// depends on whom and what each one names.
    fn provision(
        &mut self,
        branch: &Branch<'_>,
        outer: Option<&Path<'_>>,
        sure: bool,
    ) -> Option<Kind> {
        let holds = branch.holds.min(branch.provision.holds_for(self.item, self.reached));
        if holds == Holds::No {
            return None;
        }
        let sure = sure && holds == Holds::Yes;
        let path = Path { provision: branch.provision, outer };
        let mut inner = None;
        for child in &branch.children {
            let this = self.provision(child, Some(&path), sure);
            let decides = match Rule::DenialWithinConsent.holds() {
                true => Some(Kind::Deny),
                false => Some(Kind::Permit),
            };
            inner = if this == decides { this } else { inner.or(this) };
        }
        let hit = |consent, explicit| Hit {
            consent,
            because: Because::Provision { consent, provision: branch.provision.number },
            about: branch.about,
            explicit,
        };
        match (inner, holds, branch.provision.kind) {
            (Some(Kind::Deny), _, _) => inner,
            (Some(Kind::Permit), Holds::Yes, Kind::Deny) => inner,
            (_, _, Kind::Deny) => {
                self.deny(hit(self.consent, branch.names_btg));
                Some(Kind::Deny)
            }
            // An inner permission that only lifts denials leaves the outer one granting.
            (_, Holds::Yes, Kind::Permit) => {
                if sure {
                    self.permit(hit(self.consent, names(&path, self.item)));
                }
                Some(Kind::Permit)
            }
            _ => None,
        }
    }

    fn deny(&mut self, hit: Hit) {
        keep(&mut self.hits.denials, self.first_denial, hit, Hit::binds_more);
    }

    fn permit(&mut self, hit: Hit) {
        keep(&mut self.hits.permits, self.first_permit, hit, Hit::opens_more);
    }
}

/// Adds `hit` to those from `first` on and leaves only those that no other one makes superfluous,
/// so that a consent of many provisions counts for little more than one of few.
fn keep(hits: &mut Vec<Hit>, first: usize, hit: Hit, more: fn(&Hit, &Hit) -> bool) {
    let own = || first..hits.len();
    if own().any(|at| hits.get(at).is_some_and(|other| more(other, &hit))) {
        return;
    }
    for at in own().rev() {
        if hits.get(at).is_some_and(|other| more(&hit, other)) {
            hits.remove(at);
        }
    }
    hits.push(hit);
}

impl Hit {
    /// As a denial: whatever replaces or overrides this one does so to `other` as well.
    fn binds_more(&self, other: &Self) -> bool {
        self.names_more(other)
            && self.about.unresolved >= other.about.unresolved
            && self.about.concerns_user() >= other.about.concerns_user()
    }

    /// As a permission: this one grants and replaces all that `other` does.
    fn opens_more(&self, other: &Self) -> bool {
        self.names_more(other) && self.about.lifts_only <= other.about.lifts_only
    }

    fn names_more(&self, other: &Self) -> bool {
        self.about.recipient >= other.about.recipient
            && self.about.custodian >= other.about.custodian
            && self.about.singled >= other.about.singled
            && self.explicit >= other.explicit
    }
}

/// Whether the provisions up to the deciding one name what makes the item sensitive.
fn names(path: &Path<'_>, item: &Item) -> bool {
    item.labels.is_sensitive() && {
        let provisions = std::iter::successors(Some(path), |path| path.outer);
        item.labels.named_by(provisions.flat_map(|path| &path.provision.labels))
    }
}

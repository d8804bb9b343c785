//! What one consent says about one resource to one asker.

use fhir::time::Range;
use policy::consent::Request;
use policy::{Purpose, Role};
use serde_json::Value;

use super::super::generate::{World, is_named};
use super::item::{DEGREES, Facts, codes_anywhere, is_topic, is_within};
use super::{Met, met};

/// Something a consent says.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub denies: bool,
    pub not_understood: bool,
    pub date: Option<Range>,
    /// How closely who asks is named: 1 their organisation, 2 a group of theirs, 3 they.
    pub level: Option<u8>,
    /// Somebody is named who cannot be resolved.
    pub unresolved: bool,
    /// That may be who asks.
    pub perhaps_the_asker: bool,
    pub custodian_named: bool,
    pub only_lifts: bool,
    /// It is about particular data.
    pub particular: bool,
    pub names_emergency: bool,
    pub names_what_is_sensitive: bool,
}

pub(super) struct Reader<'a> {
    pub world: &'a World,
    pub request: &'a Request,
    pub facts: &'a Facts<'a>,
    pub consent: &'a Value,
}

/// What several provisions come to.
type Verdict = Option<bool>;
const DENY: Verdict = Some(true);
const PERMIT: Verdict = Some(false);

const KNOWN: [&str; 11] = [
    "type",
    "period",
    "actor",
    "action",
    "securityLabel",
    "purpose",
    "class",
    "code",
    "dataPeriod",
    "data",
    "provision",
];

impl<'a> Reader<'a> {
    /// Everything that the consent says, if it counts.
    pub(super) fn read(&self) -> Vec<Statement> {
        let code =
            |name: &str| self.consent[name]["coding"][0]["code"].as_str().unwrap_or_default();
        let status = self.consent["status"].as_str().unwrap_or_default();
        let scope = code("scope");
        if ["draft", "proposed", "rejected", "inactive", "entered-in-error"].contains(&status)
            || ["treatment", "adr"].contains(&scope)
        {
            return Vec::new();
        }
        let research = ["HRESCH", "CLINTRCH"].contains(&self.request.purpose.code());
        let root = &self.consent["provision"];
        if scope == "research" && !research || self.in_force(root) == Met::No {
            return Vec::new();
        }
        let readable = status == "active"
            && ["patient-privacy", "research"].contains(&scope)
            && self.consent["modifierExtension"].is_null()
            && is_readable(root, 1);
        let opted_out = match code("policyRule") {
            "OPTOUT" => true,
            "EMRGONLY" => !["ETREAT", "BTG"].contains(&self.request.purpose.code()),
            _ => false,
        };
        let mut said = Vec::new();
        let verdict = if readable {
            self.provision(root, &[], &mut said)
        } else {
            let denied = self.applies(root) != Met::No;
            said.extend(denied.then(|| self.about_everything(true)));
            denied.then_some(true)
        };
        if verdict != PERMIT {
            said.retain(|statement| statement.denies);
        }
        if verdict.is_none() && opted_out {
            said.push(self.about_everything(!readable));
        }
        said
    }

    /// The innermost provision that applies decides, a denial among several.
    fn provision(
        &self,
        provision: &'a Value,
        outer: &[&'a Value],
        said: &mut Vec<Statement>,
    ) -> Verdict {
        let applies = self.applies(provision);
        if applies == Met::No {
            return None;
        }
        let path: Vec<_> = outer.iter().copied().chain([provision]).collect();
        let inner: Vec<_> =
            list(&provision["provision"]).map(|inner| self.provision(inner, &path, said)).collect();
        if inner.contains(&DENY) {
            return DENY;
        }
        let denies = provision["type"] == "deny";
        let certain = applies == Met::Yes;
        if denies && inner.contains(&PERMIT) && certain {
            return PERMIT;
        }
        if denies {
            said.push(self.statement(path, true));
            return DENY;
        }
        if !certain {
            return None;
        }
        if outer.iter().all(|provision| self.applies(provision) == Met::Yes) {
            said.push(self.statement(path, false));
        }
        PERMIT
    }

    fn statement(&self, path: Vec<&'a Value>, denies: bool) -> Statement {
        let each = || path.iter().copied();
        let matched = |provision: &'a Value| self.actors(provision);
        let recipient = |provision| matched(provision).filter(|(role, ..)| *role != "CST");
        let level = each().flat_map(matched).filter(|(_, met, _)| *met == Met::Yes);
        let level = level.filter_map(|(role, _, level)| level.filter(|_| role != "CST")).max();
        let custodian = |provision| {
            let mut all = matched(provision);
            all.any(|(role, met, _)| role == "CST" && met == Met::Yes)
        };
        let lifts = |provision: &&'a Value| {
            let named = recipient(provision).count() > 0;
            let hit =
                recipient(provision).any(|(_, met, level)| met == Met::Yes && level.is_some());
            provision["type"] == "permit" && named && !hit && custodian(provision)
        };
        let perhaps = |(role, met, _): (&str, Met, _)| {
            role != "CST" && met == Met::Perhaps && self.request.recipient_user.is_some()
        };
        Statement {
            denies,
            not_understood: false,
            date: self.date(),
            level,
            unresolved: each().flat_map(matched).any(|(_, met, _)| met == Met::Perhaps),
            perhaps_the_asker: each().flat_map(matched).any(perhaps),
            custodian_named: each().any(custodian),
            only_lifts: path.iter().any(lifts),
            particular: each().any(is_particular),
            names_emergency: each().any(names_emergency),
            names_what_is_sensitive: self.names_what_is_sensitive(&path),
        }
    }

    /// A denial without regard to single provisions.
    fn about_everything(&self, not_understood: bool) -> Statement {
        let mut all = Vec::new();
        inside(&self.consent["provision"], &mut all);
        // Whoever may be named anywhere in what cannot be read.
        let root = &self.consent["provision"];
        let mut deep = Vec::new();
        beyond(root, 1, &mut deep);
        let named = deep.into_iter().any(|inner| !list(&inner["actor"]).all(is_organisation));
        let concerned = not_understood
            && (self.may_concern(root) || named && self.request.recipient_user.is_some());
        Statement {
            denies: true,
            not_understood,
            date: self.date(),
            level: None,
            unresolved: false,
            perhaps_the_asker: concerned,
            custodian_named: false,
            only_lifts: false,
            particular: false,
            names_emergency: not_understood && all.into_iter().any(names_emergency),
            names_what_is_sensitive: false,
        }
    }

    /// Whether who asks is or may be named here or further in, where it may apply to them.
    fn may_concern(&self, provision: &'a Value) -> bool {
        let nested = list(&provision["provision"]);
        self.asked(provision) != Met::No
            && (self.actors(provision).any(|(role, met, level)| {
                let certain = met == Met::Yes && level >= Some(2);
                let perhaps = met == Met::Perhaps && self.request.recipient_user.is_some();
                role != "CST" && (certain || perhaps)
            }) || nested.into_iter().any(|inner| self.may_concern(inner)))
    }

    fn date(&self) -> Option<Range> {
        fhir::time::parse(self.consent["dateTime"].as_str()?)
    }

    fn in_force(&self, provision: &Value) -> Met {
        within(&provision["period"], self.request.now_ms, self.request.now_ms + 1)
    }

    /// The part that has to do with the request alone.
    fn asked(&self, provision: &'a Value) -> Met {
        let purposes = any(list(&provision["purpose"]).map(|purpose| {
            let code = purpose["code"].as_str().unwrap_or_default();
            match purpose["system"] == "http://terminology.hl7.org/CodeSystem/v3-ActReason" {
                true => met(covers(code, self.request.purpose)),
                false => Met::Perhaps,
            }
        }));
        let actions = any(list(&provision["action"]).map(|action| {
            let code = action["coding"][0]["code"].as_str().unwrap_or_default();
            match ["access", "disclose", "correct"].contains(&code) {
                true => Met::Yes,
                false => Met::Perhaps,
            }
        }));
        let actors = any(self.actors(provision).map(|(_, met, _)| met));
        self.in_force(provision).min(purposes).min(actions).min(actors)
    }

    /// All of it: conditions are joined by and, the values of one by or.
    fn applies(&self, provision: &'a Value) -> Met {
        let denies = provision["type"] != "permit";
        let facts = self.facts;
        let labels =
            any(list(&provision["securityLabel"]).map(|label| self.label(label, provision)));
        let classes = any(list(&provision["class"]).map(|class| {
            let code = class["code"].as_str().unwrap_or_default();
            let name = code.rsplit('/').next().unwrap_or_default();
            match (class["system"].as_str().unwrap_or_default(), name) {
                ("urn:ietf:bcp:13", _) => Met::Perhaps,
                (_, "vitalsigns") => {
                    let claimed = list(&facts.resource["meta"]["profile"]).any(|url| *url == code);
                    if claimed { Met::Yes } else { Met::Perhaps }
                }
                _ => met(name == facts.kind()),
            }
        }));
        let (about, open) = facts.about();
        let codes = any(list(&provision["code"]).map(|concept| {
            let Some(code) = concept["coding"][0]["code"].as_str() else { return Met::Perhaps };
            let system = concept["coding"][0]["system"].as_str().unwrap_or_default();
            let wanted = (system.to_owned(), code.to_owned());
            let mentioned = denies && codes_anywhere(facts.resource).contains(&wanted);
            match about.contains(&wanted) || mentioned {
                true => Met::Yes,
                false if open => Met::Perhaps,
                false => Met::No,
            }
        }));
        let time = match facts.when() {
            Some(when) => within(&provision["dataPeriod"], when.start_ms, when.end_ms),
            None if provision["dataPeriod"].is_null() => Met::Yes,
            None => Met::Perhaps,
        };
        let data = any(list(&provision["data"]).map(|data| {
            let reference = data["reference"]["reference"].as_str().unwrap_or_default();
            let (same, refers) = (facts.reference() == reference, facts.refers_to(reference));
            match data["meaning"].as_str().unwrap_or_default() {
                "instance" => met(same),
                "dependents" => met(same || refers),
                "related" => met(same || refers || facts.is_referred_by(reference)),
                "authoredby" => met(facts.authors().iter().any(|author| author == reference)),
                _ => Met::Perhaps,
            }
        }));
        self.asked(provision).min(labels).min(classes).min(codes).min(time).min(data)
    }

    fn label(&self, label: &Value, provision: &Value) -> Met {
        let code = label["code"].as_str().unwrap_or_default();
        let facts = self.facts;
        let denies = match provision["type"].as_str() {
            _ if code.is_empty() || code == "T" => return Met::Perhaps,
            Some("deny") => true,
            Some("permit") => false,
            _ => return Met::Perhaps,
        };
        met(if let Some(degree) = DEGREES.iter().position(|degree| *degree == code) {
            if denies { facts.degree >= degree } else { facts.degree <= degree }
        } else if is_topic(code) {
            let own = |own: &String| is_within(own, code) || (denies && is_within(code, own));
            facts.topics.iter().any(own)
        } else {
            facts.labels.iter().any(|(_, own)| own == code)
        })
    }

    fn names_what_is_sensitive(&self, path: &[&Value]) -> bool {
        let labels = path.iter().flat_map(|provision| list(&provision["securityLabel"]));
        let named: Vec<_> = labels.filter_map(|label| label["code"].as_str()).collect();
        let degree = |code: &&str| DEGREES.iter().position(|degree| degree == code);
        let facts = self.facts;
        let cleared = named.iter().filter_map(degree).any(|d| d >= 4 && facts.degree <= d);
        let topics = facts.topics.iter().all(|own| named.iter().any(|code| is_within(own, code)));
        let laws = facts.laws.iter().all(|own| named.contains(&&**own));
        let marked = !facts.topics.is_empty() || !facts.laws.is_empty();
        facts.is_sensitive() && (cleared || (marked && facts.degree == 4 && topics && laws))
    }

    /// The actors that narrow a provision: role, whether it is who asks, and how closely.
    fn actors(&self, provision: &'a Value) -> impl Iterator<Item = (&'a str, Met, Option<u8>)> {
        list(&provision["actor"]).filter_map(|actor| {
            let role = actor["role"]["coding"][0]["code"].as_str().unwrap_or_default();
            let reference = &actor["reference"];
            match role {
                "GRANTOR" => None,
                "CST" => Some(("CST", self.is_custodian(reference), None)),
                "IRCP" | "PRCP" => {
                    let (met, level) = self.is_asker(reference, 0);
                    Some((role, met, (met != Met::No).then_some(level).filter(|level| *level > 0)))
                }
                _ => Some((role, Met::Perhaps, None)),
            }
        })
    }

    fn is_custodian(&self, reference: &Value) -> Met {
        match organisation(reference) {
            Some(id) => met(self.request.custodian_org.ends_with(&format!(":{id}"))),
            None => Met::Perhaps,
        }
    }

    /// Whether who asks is meant, and how closely.
    fn is_asker(&self, reference: &Value, depth: u8) -> (Met, u8) {
        if let Some(id) = organisation(reference) {
            return (met(*id == self.request.recipient_org), 1);
        }
        let text = reference["reference"].as_str().map(str::to_owned);
        let identifier = &reference["identifier"];
        let name = text.unwrap_or_else(|| {
            let part = |name: &str| identifier[name].as_str().unwrap_or_default();
            format!("{}|{}", part("system"), part("value"))
        });
        let found = self.world.directory.iter().find(|resource| is_named(resource, &name));
        let Some(found) = found.filter(|_| depth < 4) else {
            let nameless = name.starts_with("Group/") || name.starts_with("http");
            return if nameless { (Met::Perhaps, 0) } else { (self.is_person(&[name]), 3) };
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match found["resourceType"].as_str().unwrap_or_default() {
            "Practitioner" => {
                let names = list(&found["identifier"])
                    .map(|id| format!("{}|{}", text(&id["system"]), text(&id["value"])));
                let own = format!("Practitioner/{}", text(&found["id"]));
                (self.is_person(&names.chain([own]).collect::<Vec<_>>()), 3)
            }
            "PractitionerRole" => {
                let person = self.is_asker(&found["practitioner"], depth + 1);
                let place = self.is_asker(&found["organization"], depth + 1);
                (person.0.min(place.0), 3)
            }
            _ => {
                let described = found["actual"] == false;
                let members = list(&found["member"]).filter(|member| member["inactive"] != true);
                let members = members.map(|member| &member["entity"]);
                let team = list(&found["participant"]).map(|participant| &participant["member"]);
                let all = members.chain(team).map(|member| self.is_asker(member, depth + 1).0);
                let base = if described { Met::Perhaps } else { Met::No };
                (all.fold(base, Ord::max), 2)
            }
        }
    }

    fn is_person(&self, names: &[String]) -> Met {
        let role = self.request.role;
        let kind = |name: &str| match name.strip_prefix("urn:consilium:org:") {
            Some(_) => "account".to_owned(),
            None => name.split(['|', '/']).next().unwrap_or_default().to_owned(),
        };
        let only = |kinds: &[&str]| names.iter().all(|name| kinds.contains(&&*kind(name)));
        if only(&["RelatedPerson"]) && !matches!(role, Role::Patient | Role::Proxy)
            || only(&["Device"]) && role != Role::Service
        {
            return Met::No;
        }
        let elsewhere = |name: &String| {
            let account = name.strip_prefix("urn:consilium:org:");
            account.is_some_and(|it| it.split('|').next() != Some(&self.request.recipient_org))
        };
        if names.iter().all(elsewhere) {
            return Met::No;
        }
        let Some(asker) = &self.request.recipient_user else { return Met::Perhaps };
        match names.contains(asker) {
            true => Met::Yes,
            false if names.iter().any(|name| kind(name) == kind(asker)) => Met::No,
            false => Met::Perhaps,
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// No value is no condition; one of several is enough.
fn any(values: impl Iterator<Item = Met>) -> Met {
    values.max().unwrap_or(Met::Yes)
}

/// Whether a stretch of time lies in a Period, whose end is included.
fn within(period: &Value, from_ms: i64, to_ms: i64) -> Met {
    let mut bounds = (i64::MIN, i64::MAX);
    if let Some(start) = period["start"].as_str() {
        let Some(range) = fhir::time::parse(start) else { return Met::Perhaps };
        bounds.0 = range.start_ms;
    }
    if let Some(end) = period["end"].as_str() {
        let Some(range) = fhir::time::parse(end) else { return Met::Perhaps };
        bounds.1 = range.end_ms;
    }
    match (from_ms >= bounds.0 && to_ms <= bounds.1, to_ms <= bounds.0 || from_ms >= bounds.1) {
        (true, _) => Met::Yes,
        (_, true) => Met::No,
        _ => Met::Perhaps,
    }
}

/// Whether something said for a purpose covers another one: the same, or one below it.
fn covers(said: &str, asked: Purpose) -> bool {
    let below: &[&str] = match said {
        "TREAT" => &["ETREAT", "BTG", "COC"],
        "ETREAT" => &["BTG"],
        "HRESCH" => &["CLINTRCH"],
        _ => &[],
    };
    said == asked.code() || below.contains(&asked.code())
}

fn organisation(reference: &Value) -> Option<String> {
    if let Some(text) = reference["reference"].as_str() {
        return Some(text.split_once("Organization/")?.1.to_owned());
    }
    let value = reference["identifier"]["value"].as_str()?;
    value.strip_prefix("urn:consilium:org:").map(str::to_owned)
}

fn is_organisation(actor: &Value) -> bool {
    organisation(&actor["reference"]).is_some()
}

fn is_particular(provision: &Value) -> bool {
    let names = ["securityLabel", "class", "code", "data", "dataPeriod"];
    names.iter().any(|name| !provision[*name].is_null())
}

fn names_emergency(provision: &Value) -> bool {
    list(&provision["purpose"]).any(|purpose| {
        purpose["code"] == "BTG"
            || purpose["system"] != "http://terminology.hl7.org/CodeSystem/v3-ActReason"
    })
}

fn inside<'v>(provision: &'v Value, out: &mut Vec<&'v Value>) {
    out.push(provision);
    list(&provision["provision"]).for_each(|inner| inside(inner, out));
}

/// Whether a provision and all inside it is in a form that can be read.
fn is_readable(provision: &Value, level: usize) -> bool {
    let members = provision.as_object().into_iter().flatten();
    level <= 3
        && ["permit", "deny"].contains(&provision["type"].as_str().unwrap_or_default())
        && members.into_iter().all(|(name, _)| KNOWN.contains(&&**name))
        && list(&provision["provision"]).all(|inner| is_readable(inner, level + 1))
}

/// The provisions that are nested too deeply to be read.
fn beyond<'v>(provision: &'v Value, level: usize, out: &mut Vec<&'v Value>) {
    if level > 3 {
        out.push(provision);
    }
    list(&provision["provision"]).for_each(|inner| beyond(inner, level + 1, out));
}

//! Over generated scopes: writing and reading again changes nothing, an intersection is inside of
//! both sides, and whatever text is sent, nothing breaks.

use consilium_oauth::{Permission, Permissions, ResourceScope, Scope, Scopes};
use proptest::prelude::*;

const TYPES: [&str; 4] = ["Patient", "Observation", "Condition", "Medication"];
const VALUES: [&str; 4] = ["a|b", "lab oratory", "x&y=%", "http://x.example/?q#f"];

fn letters() -> impl Strategy<Value = String> {
    let letters = proptest::sample::subsequence(vec!['c', 'r', 'u', 'd', 's'], 1..=5);
    let words = proptest::sample::select(vec!["read", "write", "*"]).prop_map(str::to_owned);
    prop_oneof![3 => letters.prop_map(String::from_iter), 1 => words]
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02x}")).collect()
}

fn resource() -> impl Strategy<Value = String> {
    let level = proptest::sample::select(vec!["patient", "user", "system"]);
    let kind = proptest::option::of(proptest::sample::select(TYPES.to_vec()));
    let param = proptest::option::of(proptest::sample::select(VALUES.to_vec()));
    (level, kind, letters(), param).prop_map(|(level, kind, letters, param)| {
        let plain = kind.is_none() || matches!(letters.as_str(), "read" | "write" | "*");
        let query = param.filter(|_| !plain);
        let query = query.map(|value| format!("?code={}", encoded(value))).unwrap_or_default();
        format!("{level}/{}.{letters}{query}", kind.unwrap_or("*"))
    })
}

fn scopes() -> impl Strategy<Value = Scopes> {
    let other = proptest::sample::select(vec!["openid", "launch/patient", "offline_access"]);
    let one = prop_oneof![4 => resource(), 1 => other.prop_map(str::to_owned)];
    proptest::collection::vec(one, 0..8).prop_map(|list| Scopes::parse(&list.join(" ")).unwrap())
}

/// Whether a list allows one act on a resource that has the codes `codes`, said in the simplest way.
fn allows(scopes: &Scopes, level: &str, kind: &str, act: Permission, codes: &[&str]) -> bool {
    scopes.resources().any(|scope| {
        scope.level.word() == level
            && scope.kind.is_none_or(|own| own == kind)
            && scope.can.has(act)
            && scope.params.iter().all(|(_, value)| codes.contains(&value.as_str()))
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(text in resource()) {
        let scope = ResourceScope::parse(&text).unwrap();
        prop_assert_eq!(ResourceScope::parse(&scope.to_string()), Some(scope));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        if let Some(scope) = Scope::parse(&text) {
            prop_assert_eq!(Scope::parse(&scope.to_string()), Some(scope));
        }
        if let Some(scopes) = Scopes::parse(&text) {
            let again = Scopes::parse(&scopes.to_string());
            prop_assert_eq!(again, Some(scopes));
        }
    }

    /// The intersection allows exactly what both allow, act by act and resource by resource.
    #[test]
    fn an_intersection_is_what_both_allow(
        asked in scopes(),
        allowed in scopes(),
        codes in proptest::sample::subsequence(VALUES.to_vec(), 0..=4),
    ) {
        let both = asked.and(&allowed);
        for level in ["patient", "user", "system"] {
            for kind in TYPES {
                for act in Permission::ALL {
                    let expected = allows(&asked, level, kind, act, &codes)
                        && allows(&allowed, level, kind, act, &codes);
                    prop_assert_eq!(
                        allows(&both, level, kind, act, &codes), expected,
                        "{} & {} = {}: {}/{}.{:?}", asked, allowed, both, level, kind, act
                    );
                }
            }
        }
        prop_assert!(asked.iter().filter(|s| s.resource().is_none() && allowed.has(s))
            .all(|s| both.has(s)));
    }

    /// What covers allows at least as much.
    #[test]
    fn covering_is_no_widening(
        one in scopes(),
        other in scopes(),
        codes in proptest::sample::subsequence(VALUES.to_vec(), 0..=4),
    ) {
        prop_assert!(one.covers(&one));
        if one.covers(&other) {
            for level in ["patient", "user", "system"] {
                for kind in TYPES {
                    for act in Permission::ALL {
                        if allows(&other, level, kind, act, &codes) {
                            prop_assert!(allows(&one, level, kind, act, &codes));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn letters_are_a_set(one in letters(), other in letters()) {
        let (one, other) = (Permissions::parse(&one).unwrap(), Permissions::parse(&other).unwrap());
        let both = one.and(other);
        for act in Permission::ALL {
            prop_assert_eq!(both.has(act), one.has(act) && other.has(act));
        }
        prop_assert_eq!(one.covers(other), both == other);
    }
}

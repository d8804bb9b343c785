//! Triggers by FHIRPath (R5 `SubscriptionTopic.resourceTrigger.fhirPathCriteria`): an expression
//! over `%previous` and `%current`, which are empty where there is no such version.

use std::sync::Arc;

use fhir::Resource;
use fhirpath::{Collection, Env, Expr, Item, Node};

use crate::{Error, Kind, Result};

/// A parsed expression.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Arc<str>,
    expr: Arc<Expr>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Expression {
    /// Parses an expression. One that asks for a function or variable that there is not is refused.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |reason: String| {
            Error::new(Kind::Unprocessable, format!("`fhirPathCriteria` cannot be used: {reason}"))
        };
        let expr = Expr::parse(text).map_err(|error| refused(error.to_string()))?;
        let parsed = Self { text: text.into(), expr: Arc::new(expr) };
        // What is wrong with every resource shows on none already.
        parsed.evaluate(0, None, None).map_err(refused)?;
        Ok(parsed)
    }

    /// Whether it is true of a change: the version before, and the new one. The current version is
    /// `%context`, of a deletion the one before. It is `now_ms`, in milliseconds since the Unix
    /// epoch. What cannot be evaluated is not true, which the log says.
    pub fn holds(
        &self,
        now_ms: i64,
        previous: Option<&Resource>,
        current: Option<&Resource>,
    ) -> bool {
        self.evaluate(now_ms, previous, current).unwrap_or_else(|reason| {
            tracing::warn!(%reason, "the `fhirPathCriteria` of a topic cannot be evaluated");
            false
        })
    }

    fn evaluate(
        &self,
        now_ms: i64,
        previous: Option<&Resource>,
        current: Option<&Resource>,
    ) -> std::result::Result<bool, String> {
        let mut env = Env::new(now_ms)
            .with_variable("previous", items(previous))
            .with_variable("current", items(current));
        if let Some(resource) = current.or(previous) {
            env = env.with_resource(resource);
        }
        let found = self.expr.evaluate_resource(&env).map_err(|error| error.to_string())?;
        Ok(matches!(found.as_slice(), [one] if one.as_boolean() == Some(true)))
    }
}

fn items(version: Option<&Resource>) -> Collection<'_> {
    version.and_then(|version| Node::resource(version.root())).map(Item::Node).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, previous: Option<&str>, current: Option<&str>, expected: bool) {
        let version = |status: Option<&str>| {
            status.map(|status| {
                let text = format!(r#"{{"resourceType":"Encounter","status":"{status}"}}"#);
                Resource::parse(text).unwrap()
            })
        };
        let (previous, current) = (version(previous), version(current));
        let parsed = Expression::parse(expression).unwrap();
        assert_eq!(parsed.holds(0, previous.as_ref(), current.as_ref()), expected, "{expression}");
    }

    #[test]
    fn both_versions_can_be_looked_at() {
        let ends = "(%previous.empty() or %previous.status != 'finished') \
                    and %current.status = 'finished'";
        check(ends, Some("in-progress"), Some("finished"), true);
        check(ends, None, Some("finished"), true);
        check(ends, Some("finished"), Some("finished"), false);
        check(ends, Some("finished"), None, false);
        check("%current.empty() and %previous.exists()", Some("finished"), None, true);
        check("status = 'finished'", Some("planned"), Some("finished"), true);
        // Neither true nor false.
        check("%current.period.start > today()", None, Some("finished"), false);
        check("%current.status", None, Some("finished"), false);
    }

    #[test]
    fn what_can_never_be_evaluated_is_refused() {
        for (expression, word) in [
            ("%current.status = ", "cannot be used"),
            ("%before.status = 'finished'", "before"),
            ("%current.status.shout()", "shout"),
        ] {
            let message = Expression::parse(expression).unwrap_err().message;
            assert!(message.contains(word), "{message}");
        }
    }
}

//! Formulas: what is read, what is refused and where, and that what is printed is read again.

use consilium_statistics::Formula;
use proptest::prelude::*;

fn check(text: &str, printed: &str) {
    assert_eq!(Formula::parse(text).unwrap().to_string(), printed);
}

fn check_fault(text: &str, place: usize, part: &str) {
    let fault = Formula::parse(text).unwrap_err();
    assert_eq!(fault.place, place, "{fault}");
    assert!(fault.what.contains(part), "{fault}");
}

#[test]
fn formulas_are_read() {
    check("linear(y)~a+b", "linear(y) ~ a + b");
    check("logistic(y) ~ a*b*c - 1", "logistic(y) ~ 0 + a + b + c + a:b + a:c + b:c + a:b:c");
    check(
        "cox(time, event) ~ ph.ecog + strata(ward_1)",
        "cox(time, event) ~ ph.ecog + strata(ward_1)",
    );
    check("cox(t0, t1, e) ~ log(x)", "cox(t0, t1, e) ~ log(x)");
    check("poisson(n) ~ b:a + a:b + offset(log(years))", "poisson(n) ~ b:a + offset(log(years))");
    check("negbin(n) ~ I(x ^ 2) * sqrt(z)", "negbin(n) ~ I(x^2) + sqrt(z) + I(x^2):sqrt(z)");
    check("linear(log1p(y)) ~ 1", "linear(log1p(y)) ~ 1");
    check("linear(y) ~ `a b` + `1x`", "linear(y) ~ `a b` + `1x`");
    // A name that is also a function's is a name where nothing is opened.
    check("linear(y) ~ log + strata", "linear(y) ~ log + strata");
}

#[test]
fn faults_are_named_with_their_place() {
    check_fault("", 1, "begin with");
    check_fault("probit(y) ~ a", 1, "no family `probit`");
    check_fault("linear(y) a", 11, "`~`");
    check_fault("linear(y) ~ a + ", 17, "missing");
    check_fault("linear(y) ~ a b", 15, "write `+`");
    check_fault("linear(y) ~ exp(a)", 13, "no function `exp`");
    check_fault("linear(y) ~ I(a^9)", 17, "2 to 6");
    check_fault("linear(y) ~ a - b", 17, "only the intercept");
    check_fault("linear(y) ~ 2", 13, "only `1` and `0`");
    check_fault("linear(y) ~ a / b", 15, "`/` has no meaning");
    check_fault("linear(y) ~ (a + b)", 13, "missing");
    check_fault("cox(t) ~ a", 1, "cox(time, event)");
    check_fault("cox(t, e) ~ a - 1", 17, "no intercept");
    check_fault("linear(y) ~ strata(a)", 13, "belong to `cox`");
    check_fault("linear(y) ~ a*b*c*d*e", 13, "at most 4");
    check_fault("linear(y) ~ `a", 13, "not closed");
    check_fault("linear(y) ~ I(a^6):I(a^5)", 13, "degree 6");
    check_fault("linear(y) ~ b + I(a^4)*I(b^3)", 17, "degree 6");
    let forms = "a + log(a) + log1p(a) + sqrt(a) + I(a^2) + I(a^3)";
    Formula::parse(&format!("linear(y) ~ {forms}")).unwrap();
    check_fault(&format!("linear(y) ~ {forms} + I(a^4)"), 65, "more than 6 forms");
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z._][a-z0-9._]{0,6}",
        "[ -_a-~]{1,6}".prop_filter("no backtick", |name| !name.contains('`')),
        Just("log".to_owned()),
        Just("offset".to_owned()),
    ]
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

fn factor() -> impl Strategy<Value = String> {
    (name(), 0..6_u8).prop_map(|(name, form)| {
        let name = quoted(&name);
        match form {
            0 => format!("log({name})"),
            1 => format!("sqrt({name})"),
            2 => format!("I({name}^3)"),
            3 => format!("log1p( {name} )"),
            _ => name,
        }
    })
}

fn summand() -> impl Strategy<Value = String> {
    let sign = prop_oneof![Just(":"), Just(" * ")];
    prop_oneof![
        factor(),
        (factor(), sign, factor()).prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
        Just("1".to_owned()),
        Just("0".to_owned()),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(
        outcome in name(),
        parts in prop::collection::vec(summand(), 1..6),
        family in prop_oneof![Just("linear"), Just("logistic"), Just("poisson"), Just("negbin")],
    ) {
        let text = format!("{family}({}) ~ {}", quoted(&outcome), parts.join(" + "));
        let formula = Formula::parse(&text).unwrap();
        let again = Formula::parse(&formula.to_string()).unwrap();
        prop_assert_eq!(&again, &formula);
        let json = serde_json::to_string(&formula).unwrap();
        prop_assert_eq!(serde_json::from_str::<Formula>(&json).unwrap(), formula);
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        if let Ok(formula) = Formula::parse(&text) {
            prop_assert_eq!(Formula::parse(&formula.to_string()).unwrap(), formula);
        }
    }
}

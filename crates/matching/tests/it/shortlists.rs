//! What a shortlist by encodings reaches and what it costs, against asking everybody; and that
//! encodings are what they are said to be.

use super::desk::Rates;
use super::shortlist::{Figures, Network, person};
use consilium_matching::clk::{Encoder, Encoding, Epsilon, Scheme, View, compare::dice};

const PEOPLE: usize = 1_500;
const SITES: usize = 100;
const QUESTIONS: usize = 250;

fn measured(what: &str, rates: Rates, scheme: Scheme, epsilon: Epsilon) -> Figures {
    let figures = Network::new(PEOPLE, SITES, rates, 5, scheme, epsilon).ask(0.75, QUESTIONS);
    println!(
        "{what}: recall {:.4} precision {:.4}, {:.2} of {} hospitals asked on average (all: {})",
        figures.recall(),
        figures.precision(),
        figures.asked(),
        SITES,
        SITES - 1
    );
    figures
}

#[test]
fn a_shortlist_reaches_the_holders_and_asks_few_others() {
    let hardened = measured("hardened", Rates::realistic(), Scheme::HARDENED, Epsilon::STANDARD);
    assert!(hardened.recall() >= 0.975, "{hardened:?}");
    assert!(hardened.asked() < 3.0, "{hardened:?}");
    let harsh = measured("harsh", Rates::harsh(), Scheme::HARDENED, Epsilon::STANDARD);
    assert!(harsh.recall() >= 0.94, "{harsh:?}");
    assert!(harsh.asked() < 3.0, "{harsh:?}");
    // What hardening costs.
    let folded = measured("without noise", Rates::realistic(), Scheme::HARDENED, Epsilon::NONE);
    assert!(folded.recall() - hardened.recall() < 0.02, "{folded:?} {hardened:?}");
}

fn encoder(key: u8) -> Encoder {
    Encoder::new(&[key; 32], Scheme::HARDENED).unwrap()
}

fn encodings(json: &str, view: View) -> Vec<Encoding> {
    let all = encoder(1).encode(&person(json));
    all.into_iter().filter(|encoding| encoding.view == view).collect()
}

fn best(a: &str, b: &str, view: View) -> f64 {
    let (a, b) = (encodings(a, view), encodings(b, view));
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| dice(&a.filter, &b.filter)));
    pairs.fold(0.0, f64::max)
}

const ROBERT: &str = r#"{"resourceType":"Patient","birthDate":"1970-03-04",
    "name":[{"family":"O'Brien","given":["Robert"]}],
    "telecom":[{"system":"phone","value":"413-555-7788"}]}"#;

#[test]
fn what_is_written_otherwise_has_the_same_encoding_and_slips_a_similar_one() {
    let same = ROBERT.replace("O'Brien", "OBRIEN").replace("Robert", "Bob");
    assert_eq!(encoder(1).encode(&person(ROBERT)), encoder(1).encode(&person(&same)));
    for (from, to, least) in [
        ("1970-03-04", "1970-04-03", 0.75),
        ("1970-03-04", "1970-03-05", 0.75),
        ("O'Brien", "O'Brian", 0.75),
        ("Robert", "Rboert", 0.75),
    ] {
        let found = best(ROBERT, &ROBERT.replace(from, to), View::Name);
        assert!(found >= least, "{from} {to}: {found}");
    }
    let other = ROBERT.replace("O'Brien", "Haddad").replace("1970-03-04", "1951-11-27");
    assert!(best(ROBERT, &other, View::Name) < 0.7);
    // A changed family name is found by the other view.
    let married = ROBERT.replace("O'Brien", "Kowalski");
    assert_eq!(best(ROBERT, &married, View::Contact), 1.0);
}

#[test]
fn former_names_have_encodings_of_their_own() {
    let now = ROBERT.replace("O'Brien", "Kowalski");
    let both = now.replace(r#""name":["#, r#""name":[{"use":"old","family":"O'Brien"},"#);
    assert_eq!(encodings(&both, View::Name).len(), 2);
    assert_eq!(best(ROBERT, &both, View::Name), 1.0);
    assert_eq!(best(&now, &both, View::Name), 1.0);
}

#[test]
fn nobody_in_particular_has_no_encoding() {
    for json in [
        r#"{"resourceType":"Patient"}"#,
        r#"{"resourceType":"Patient","name":[{"family":"Unknown","given":["Baby"]}]}"#,
        r#"{"resourceType":"Observation"}"#,
    ] {
        assert_eq!(encoder(1).encode(&person(json)), [], "{json}");
    }
}

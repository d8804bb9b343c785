//! Comparing telephone numbers, email addresses and postal addresses.

use crate::address::Address;
use crate::field::Level;
use crate::text::{one_edit, one_slip, similarity};

/// Likeness of two street lines from which they count as one street misspelt.
const SAME_STREET: f64 = 0.92;

/// The best level on which any two telephone numbers agree.
pub(crate) fn phones(a: &[String], b: &[String]) -> Option<Level> {
    best(a, b, |a, b| {
        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        if a == b {
            Level::PhoneExact
        } else if short.len() == 7 && long.len() > 7 && long.ends_with(short.as_str()) {
            Level::PhoneLocal
        } else if one_slip(a, b) {
            Level::PhoneOneDigit
        } else {
            Level::PhoneDifferent
        }
    })
}

/// The best level on which any two email addresses agree.
pub(crate) fn emails(a: &[String], b: &[String]) -> Option<Level> {
    best(a, b, |a, b| {
        if a == b {
            Level::EmailExact
        } else if one_edit(a, b) {
            Level::EmailOneEdit
        } else {
            Level::EmailDifferent
        }
    })
}

/// The best level on which any two addresses agree.
pub(crate) fn addresses(a: &[Address], b: &[Address]) -> Option<Level> {
    best(a, b, one_address)
}

fn one_address(a: &Address, b: &Address) -> Level {
    let agree = |x: &str, y: &str| !x.is_empty() && x == y;
    let clash = |x: &str, y: &str| !x.is_empty() && !y.is_empty() && x != y;
    let same_code = agree(&a.postal_code, &b.postal_code);
    let same_city = agree(&a.city, &b.city) && !clash(&a.state, &b.state);
    // A street name alone is no place: it must be bound to a city or a postal code.
    let same_place = same_code || same_city;
    if same_place && agree(&a.line, &b.line) {
        let flats_differ = clash(&a.unit, &b.unit);
        return match (flats_differ, a.number().is_empty()) {
            (true, _) => Level::AddressBuilding,
            (false, true) => Level::AddressSimilar,
            (false, false) => Level::AddressExact,
        };
    }
    if same_place && similar_line(a, b) {
        return Level::AddressSimilar;
    }
    if same_code {
        Level::AddressPostalCode
    } else if same_city {
        Level::AddressCity
    } else if clash(&a.state, &b.state) {
        Level::AddressState
    } else {
        Level::AddressDifferent
    }
}

/// The same house number and a street spelt alike, or the same street and a slip in the number.
fn similar_line(a: &Address, b: &Address) -> bool {
    let (x, y) = (a.number(), b.number());
    let street = |address: &Address, number: &str| {
        address.line.get(number.len()..).unwrap_or_default().trim().to_owned()
    };
    let (street_a, street_b) = (street(a, x), street(b, y));
    if x.is_empty() || y.is_empty() || street_a.is_empty() || street_b.is_empty() {
        return false;
    }
    if x == y {
        return similarity(&street_a, &street_b) >= SAME_STREET;
    }
    // Single-digit numbers one slip apart are the neighbours.
    street_a == street_b && x.len() > 2 && one_slip(x, y)
}

fn best<T>(a: &[T], b: &[T], level: impl Fn(&T, &T) -> Level) -> Option<Level> {
    let level = &level;
    a.iter().flat_map(|a| b.iter().map(move |b| level(a, b))).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_phone(a: &str, b: &str, expected: Level) {
        let level = phones(&[a.to_owned()], &[b.to_owned()]);
        assert_eq!(level, Some(expected), "{a} {b}");
    }

    #[test]
    fn phone_levels() {
        check_phone("5555322849", "5555322849", Level::PhoneExact);
        check_phone("5322849", "5555322849", Level::PhoneLocal);
        check_phone("5555322849", "5555322848", Level::PhoneOneDigit);
        check_phone("5555322849", "5555328249", Level::PhoneOneDigit);
        check_phone("5555322849", "5556991679", Level::PhoneDifferent);
    }

    #[test]
    fn address_levels() {
        let address = |text: &str| {
            let parts: Vec<&str> = text.split('|').collect();
            let part = |at: usize| parts[at].to_owned();
            [Address {
                line: part(0),
                unit: part(1),
                city: part(2),
                postal_code: part(3),
                state: part(4),
            }]
        };
        for (a, b, expected) in [
            ("12 oak st||salem|01970|ma", "12 oak st|3|salem||ma", Level::AddressExact),
            ("12 oak st|2|salem|01970|ma", "12 oak st|3|salem|01970|ma", Level::AddressBuilding),
            ("12 oakwood st||salem|01970|ma", "12 okwood st||salem||ma", Level::AddressSimilar),
            ("129 oak st||salem|01970|ma", "192 oak st||salem|01970|ma", Level::AddressSimilar),
            ("12 oak st||salem|01970|ma", "7 elm st||peabody|01970|ma", Level::AddressPostalCode),
            ("12 oak st||salem||ma", "7 elm st||salem|01970|ma", Level::AddressCity),
            ("12 oak st||salem||ma", "12 oak st||lynn||ma", Level::AddressDifferent),
            ("12 oak st||salem||ma", "12 oak st||salem||oh", Level::AddressState),
        ] {
            assert_eq!(addresses(&address(a), &address(b)), Some(expected), "{a} {b}");
            assert_eq!(addresses(&address(b), &address(a)), Some(expected), "{b} {a}");
        }
    }
}

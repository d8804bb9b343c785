//! How often what goes wrong.

/// How often what goes wrong, each a probability per copy. Rates "of those" apply to copies where
/// the field is there at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// The first given name has a typing error. Default 0.02.
    pub given_typo: f64,
    /// The family name has a typing error. Default 0.02.
    pub family_typo: f64,
    /// A usual short form stands for the first given name, of those that have one. Default 0.07.
    pub nickname: f64,
    /// Further given names are missing. Default 0.35.
    pub middle_missing: f64,
    /// Further given names are initials, of those not missing. Default 0.35.
    pub middle_initial: f64,
    /// The suffix is missing, of those that have one. Default 0.3.
    pub suffix_missing: f64,
    /// Registered under the name before marriage, of those that have one. Default 0.06.
    pub former_name: f64,
    /// The name before marriage is known beside the present one. Default 0.3.
    pub former_name_known: f64,
    /// Day and month of birth are swapped, where that gives a date. Default 0.004.
    pub birth_swap: f64,
    /// One digit of the birth date is wrong. Default 0.006.
    pub birth_typo: f64,
    /// The gender is wrong. Default 0.001.
    pub gender_wrong: f64,
    /// The address is the one before. Default 0.20.
    pub old_address: f64,
    /// The street is mistyped. Default 0.03.
    pub street_typo: f64,
    /// The ZIP code has nine digits. Default 0.15.
    pub zip_plus_four: f64,
    /// The telephone number is the one before. Default 0.25.
    pub old_phone: f64,
    /// No telephone number. Default 0.08.
    pub phone_missing: f64,
    /// Two neighbouring digits of the telephone number are swapped. Default 0.01.
    pub phone_typo: f64,
    /// No e-mail address. Default 0.4.
    pub email_missing: f64,
    /// No Social Security number. Default 0.30.
    pub ssn_missing: f64,
    /// One digit wrong or two swapped in the Social Security number. Default 0.03.
    pub ssn_typo: f64,
    /// The name is in capitals although the hospital does not write so. Default 0.03.
    pub capitals: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            given_typo: 0.02,
            family_typo: 0.02,
            nickname: 0.07,
            middle_missing: 0.35,
            middle_initial: 0.35,
            suffix_missing: 0.3,
            former_name: 0.06,
            former_name_known: 0.3,
            birth_swap: 0.004,
            birth_typo: 0.006,
            gender_wrong: 0.001,
            old_address: 0.20,
            street_typo: 0.03,
            zip_plus_four: 0.15,
            old_phone: 0.25,
            phone_missing: 0.08,
            phone_typo: 0.01,
            email_missing: 0.4,
            ssn_missing: 0.30,
            ssn_typo: 0.03,
            capitals: 0.03,
        }
    }
}

impl Rates {
    /// No errors at all; only the hospitals' ways of writing differ.
    pub fn none() -> Self {
        Self {
            given_typo: 0.0,
            family_typo: 0.0,
            nickname: 0.0,
            middle_missing: 0.0,
            middle_initial: 0.0,
            suffix_missing: 0.0,
            former_name: 0.0,
            former_name_known: 0.0,
            birth_swap: 0.0,
            birth_typo: 0.0,
            gender_wrong: 0.0,
            old_address: 0.0,
            street_typo: 0.0,
            zip_plus_four: 0.0,
            old_phone: 0.0,
            phone_missing: 0.0,
            phone_typo: 0.0,
            email_missing: 0.0,
            ssn_missing: 0.0,
            ssn_typo: 0.0,
            capitals: 0.0,
        }
    }
}

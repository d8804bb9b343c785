//! The fields that are compared and, for each, the levels on which two records can agree.

/// Declares all levels as one flat enumeration, so that weights stand in one array.
macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident $name:literal {
        $($level:ident $level_name:literal $note:literal,)*
    })*) => {
        /// A field of a person that is compared.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field {
            $($(#[$doc])* $field,)*
        }

        impl Field {
            /// All fields, in the order in which a score lists them.
            pub const ALL: &[Self] = &[$(Self::$field,)*];

            /// The field's name in the weights file and in explanations.
            pub fn name(self) -> &'static str {
                match self { $(Self::$field => $name,)* }
            }
        }

        /// A level of agreement of one field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Level {
            $($($level,)*)*
        }

        impl Level {
            pub(crate) const ALL: &[Self] = &[$($(Self::$level,)*)*];
            pub(crate) const COUNT: usize = Self::ALL.len();

            pub(crate) fn field(self) -> Field {
                match self { $($(Self::$level => Field::$field,)*)* }
            }

            /// The level's name in the weights file and in explanations.
            pub(crate) fn name(self) -> &'static str {
                match self { $($(Self::$level => $level_name,)*)* }
            }

            /// What the level means, for a person who decides.
            pub(crate) fn note(self) -> &'static str {
                match self { $($(Self::$level => $note,)*)* }
            }
        }
    };
}

fields! {
    /// Family name.
    Family "family" {
        FamilyExact "exact" "the same family name, now or formerly",
        FamilyPart "part" "one part of a double family name is shared",
        FamilyOneEdit "one-edit" "family names one letter apart",
        FamilySimilar "similar" "family names sound or look alike",
        FamilyDifferent "different" "different family names",
        FamilyDifferentWomen "different-women" "different family names of women, perhaps by marriage",
    }
    /// First given name.
    Given "given" {
        GivenExact "exact" "the same given name",
        GivenNickname "nickname" "one is a familiar form of the other",
        GivenPart "part" "one part of a double given name is shared",
        GivenSlip "slip" "one letter apart, and only one of the two is a known name",
        GivenOneEdit "one-edit" "one letter apart, and neither is a known name",
        GivenInitial "initial" "one side has only the initial, which fits",
        GivenMiddle "middle" "one side's given name is the other's second given name",
        GivenSimilar "similar" "given names look alike",
        GivenVariant "variant" "forms of one name, each also given as a name of its own",
        GivenDistinct "distinct" "two different known names that look alike",
        GivenDifferent "different" "different given names",
    }
    /// Whether given and family name stand in each other's place.
    NameOrder "name-order" {
        NameOrderExchanged "exchanged" "given and family name stand in each other's place",
    }
    /// Second given name.
    Middle "middle" {
        MiddleExact "exact" "the same second given name",
        MiddleInitial "initial" "the initial of the second given name fits",
        MiddleSimilar "similar" "second given names look alike",
        MiddleDifferent "different" "different second given names",
    }
    /// Generation: Sr, Jr, II, III.
    Suffix "suffix" {
        SuffixExact "exact" "the same generation suffix",
        SuffixDifferent "different" "different generation suffixes",
        SuffixOneSided "one-sided" "only one side has a generation suffix",
    }
    /// Birth date.
    BirthDate "birth-date" {
        BirthDateExact "exact" "the same birth date",
        BirthDateDefaultDay "default-day" "the same birth date, on 1 January",
        BirthDateExchanged "exchanged" "day and month exchanged",
        BirthDateYearOff "year-off" "the same day, one year apart",
        BirthDateOneDigit "one-digit" "one digit differs, or two neighbours are exchanged",
        BirthDateMonth "month" "the same year and month; one side has no day",
        BirthDateYear "year" "the same year; one side has no more",
        BirthDateSameYear "same-year" "the same year, another day",
        BirthDateDifferent "different" "different birth dates",
    }
    /// Administrative gender.
    Gender "gender" {
        GenderExact "exact" "the same gender",
        GenderDifferent "different" "different genders",
    }
    /// Social security number.
    Ssn "ssn" {
        SsnExact "exact" "the same social security number",
        SsnUnissued "unissued" "the same social security number, of a kind never issued",
        SsnLastFour "last-four" "the last four digits agree; one side has no more",
        SsnOneDigit "one-digit" "one digit differs, or two neighbours are exchanged",
        SsnTail "tail" "the last four digits agree, others do not",
        SsnDifferent "different" "different social security numbers",
    }
    /// National identifier other than the SSN.
    NationalId "national-id" {
        NationalIdExact "exact" "the same national identifier",
        NationalIdOneDigit "one-digit" "one character differs, or two neighbours are exchanged",
        NationalIdDifferent "different" "different national identifiers",
    }
    /// Driver's licence or state identity card.
    Licence "licence" {
        LicenceExact "exact" "the same driver's licence or identity card",
        LicenceOneDigit "one-digit" "one character differs, or two neighbours are exchanged",
        LicenceDifferent "different" "different driver's licences or identity cards",
    }
    /// Passport.
    Passport "passport" {
        PassportExact "exact" "the same passport",
        PassportOneDigit "one-digit" "one character differs, or two neighbours are exchanged",
        PassportDifferent "different" "different passports",
    }
    /// Medical record number of one system.
    Mrn "mrn" {
        MrnExact "exact" "the same medical record number of the same system",
        MrnDifferent "different" "different medical record numbers of the same system",
    }
    /// Any other identifier of one system.
    OtherId "other-id" {
        OtherIdExact "exact" "another identifier of the same system agrees",
    }
    /// Telephone.
    Phone "phone" {
        PhoneExact "exact" "a telephone number is shared",
        PhoneLocal "local" "a telephone number is shared; one side lacks the area code",
        PhoneOneDigit "one-digit" "telephone numbers one digit apart",
        PhoneDifferent "different" "no telephone number is shared",
    }
    /// Email.
    Email "email" {
        EmailExact "exact" "an email address is shared",
        EmailOneEdit "one-edit" "email addresses one letter apart",
        EmailDifferent "different" "no email address is shared",
    }
    /// Postal address.
    Address "address" {
        AddressExact "exact" "an address is shared",
        AddressSimilar "similar" "addresses differ in spelling or one digit",
        AddressBuilding "building" "the same building, different flats",
        AddressPostalCode "postal-code" "the same postal code",
        AddressCity "city" "the same city",
        AddressDifferent "different" "no address is shared",
        AddressState "state" "addresses in different states",
    }
    /// Mother's maiden name.
    Mother "mother" {
        MotherExact "exact" "the same mother's maiden name",
        MotherSimilar "similar" "mothers' maiden names look alike",
        MotherDifferent "different" "different mothers' maiden names",
    }
    /// Twins and multiple births.
    MultipleBirth "multiple-birth" {
        MultipleBirthOrder "order" "the same place in the order of a multiple birth",
        MultipleBirthBoth "both" "both of a multiple birth",
        MultipleBirthOrderDiffers "order-differs" "different places in the order of birth",
        MultipleBirthOneSided "one-sided" "one of a multiple birth, the other not",
    }
    /// Death.
    Deceased "deceased" {
        DeceasedDate "date" "the same date of death",
        DeceasedBoth "both" "both deceased",
        DeceasedOneSided "one-sided" "one deceased, the other said to be alive",
        DeceasedDateDiffers "date-differs" "different dates of death",
    }
}

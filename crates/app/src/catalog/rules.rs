//! What the operator says of the institution as one that tells of its data.

use ::catalog::words::{Email, Iri};

/// How this institution stands in its catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether everybody may read the descriptions, signed in or not. Members of the network and who is
    /// signed in for research may in either case.
    pub public: bool,
    /// For mail about data; `postmaster` of the host where it is not set (RFC 5321, section 4.5.1).
    pub mail: Option<Email>,
    /// The institution's own page; that of the node where it is not set.
    pub homepage: Option<Iri>,
    /// What the institution does, in a sentence.
    pub about: String,
    /// What it is: a code of the publisher types of the European Health Data Space.
    pub publisher_type: String,
    /// Where it is: a code of the EU's table of countries, `DEU`.
    pub country: String,
    /// The health data access body, where it is not the institution itself that decides.
    pub access_body: Option<AccessBody>,
}

/// Who decides on access to health data in the institution's country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessBody {
    /// Its name.
    pub name: String,
    /// For mail.
    pub mail: Email,
    /// Its page.
    pub homepage: Iri,
}

//! Names, streets and towns that synthetic people are made of. Combinations are invented.

/// Given names of women born long ago.
pub(crate) const WOMEN_OLD: &[&str] = &[
    "Barbara", "Carol", "Deborah", "Diane", "Donna", "Dorothy", "Eleanor", "Frances", "Gloria",
    "Helen", "Irene", "Janet", "Joyce", "Judith", "Karen", "Linda", "Lucille", "Margaret",
    "Marjorie", "Martha", "Mildred", "Norma", "Pamela", "Patricia", "Phyllis", "Rosemary", "Ruth",
    "Sandra", "Sharon", "Shirley", "Susan", "Theresa", "Virginia", "Wanda",
];

/// Given names of women born more recently.
pub(crate) const WOMEN_NEW: &[&str] = &[
    "Abigail", "Aisha", "Amanda", "Ana", "Ashley", "Beatriz", "Camila", "Chloe", "Christina",
    "Danielle", "Elena", "Emily", "Fatima", "Grace", "Hannah", "Jasmine", "Jennifer", "Jessica",
    "Katherine", "Keisha", "Lauren", "Leila", "Madison", "Mei", "Melissa", "Natalie", "Nicole",
    "Olivia", "Priya", "Rachel", "Rebecca", "Sofia", "Stephanie", "Victoria", "Yasmin", "Zoe",
];

/// Given names of men born long ago.
pub(crate) const MEN_OLD: &[&str] = &[
    "Albert", "Arthur", "Carl", "Charles", "Clarence", "David", "Dennis", "Donald", "Douglas",
    "Edward", "Eugene", "Francis", "Frederick", "Gerald", "Harold", "Henry", "James", "Joseph",
    "Kenneth", "Lawrence", "Leonard", "Louis", "Norman", "Paul", "Ralph", "Raymond", "Richard",
    "Roger", "Ronald", "Stanley", "Theodore", "Vincent", "Walter", "William",
];

/// Given names of men born more recently.
pub(crate) const MEN_NEW: &[&str] = &[
    "Aaron", "Adrian", "Alejandro", "Andrew", "Anthony", "Benjamin", "Brandon", "Carlos",
    "Christopher", "Daniel", "Darius", "Elijah", "Ethan", "Gabriel", "Hassan", "Isaac", "Jacob",
    "Jamal", "Javier", "Jonathan", "Joshua", "Kevin", "Liam", "Lucas", "Marcus", "Mateo",
    "Matthew", "Nathan", "Nicholas", "Omar", "Rafael", "Samuel", "Tyler", "Wei", "Zachary",
];

/// Family names.
pub(crate) const FAMILIES: &[&str] = &[
    "Abernathy", "Achebe", "Alvarado", "Ashworth", "Balogun", "Barlow", "Beaumont", "Bianchi",
    "Blackwood", "Bergstrom", "Caldwell", "Carmichael", "Castellano", "Chaudhry", "Coleman",
    "Cordova", "Czerny", "Dalton", "Delacroix", "Desai", "Dombrowski", "Donnelly", "Eastman",
    "Escobedo", "Faulkner", "Ferreira", "Fitzgerald", "Galloway", "Garrison", "Gupta", "Haddad",
    "Hargrove", "Hawthorne", "Hendricks", "Hollister", "Ibarra", "Ingram", "Ivanov", "Jankowski",
    "Kapoor", "Keating", "Kimura", "Kowalczyk", "Lachance", "Langley", "Larkin", "Lindgren",
    "Lombardi", "Mackenzie", "Marchetti", "Mbeki", "McAllister", "Mendoza", "Merriweather",
    "Moreau", "Nakamura", "Navarro", "Nguyen", "Novak", "O'Brien", "Okafor", "Oduya", "Osborne",
    "Pacheco", "Palmieri", "Park", "Pemberton", "Petrov", "Pruitt", "Quintero", "Radcliffe",
    "Ramirez", "Redmond", "Rosario", "Rutherford", "Salazar", "Santangelo", "Schroeder",
    "Sinclair", "Sorensen", "Stavros", "Sutherland", "Tanaka", "Thibodeau", "Thornbury",
    "Trujillo", "Underhill", "Valenzuela", "Vandermeer", "Vasquez", "Wadsworth", "Weatherby",
    "Whitfield", "Winslow", "Wolanski", "Yamamoto", "Yates", "Zielinski", "Zimmerman",
];

/// Street names without their kind.
pub(crate) const STREETS: &[&str] = &[
    "Alder", "Amberley", "Birch Hollow", "Bluestone", "Brookside", "Cardinal", "Cedar Ridge",
    "Chestnut", "Cloverfield", "Copperbeech", "Dogwood", "Elm Grove", "Fairview", "Fernwood",
    "Foxglove", "Granite", "Harvest", "Hickory", "Juniper", "Kestrel", "Larkspur", "Linden",
    "Maplewood", "Meadowlark", "Millrace", "Old Quarry", "Orchard", "Pinecrest", "Quail Run",
    "Rosewood", "Sandpiper", "Spruce", "Sycamore", "Tamarack", "Thistle", "Willow", "Windmill",
];

/// Kinds of street with their usual abbreviation.
pub(crate) const STREET_KINDS: &[(&str, &str)] = &[
    ("Street", "St"), ("Avenue", "Ave"), ("Road", "Rd"), ("Lane", "Ln"), ("Drive", "Dr"),
    ("Court", "Ct"), ("Place", "Pl"), ("Terrace", "Ter"),
];

/// Invented towns with a ZIP code and the telephone area that people there use.
pub(crate) const TOWNS: &[(&str, &str, &str)] = &[
    ("Alderbury", "01091", "413"), ("Brackenford", "01092", "413"), ("Copper Falls", "01094", "413"),
    ("Dunmere", "01304", "978"), ("Eastbrook", "01306", "978"), ("Fallowfield", "01308", "978"),
    ("Granby Mills", "01499", "508"), ("Harrowgate", "01597", "508"), ("Ironbridge", "01598", "508"),
    ("Kestrel Bay", "02301", "774"), ("Lindenhurst", "02306", "774"), ("Millhaven", "02308", "774"),
    ("Northfield Green", "01096", "413"), ("Ravensport", "02543", "508"), ("Westhaven", "01195", "413"),
];

/// Formal given names with what people are called instead.
pub(crate) const NICKNAMES: &[(&str, &[&str])] = &[
    ("Abigail", &["Abby"]), ("Albert", &["Al", "Bert"]), ("Alexander", &["Alex"]),
    ("Amanda", &["Mandy"]), ("Andrew", &["Andy", "Drew"]), ("Anthony", &["Tony"]),
    ("Arthur", &["Art"]), ("Barbara", &["Barb"]), ("Benjamin", &["Ben"]), ("Charles", &["Chuck", "Charlie"]),
    ("Christina", &["Tina", "Chris"]), ("Christopher", &["Chris"]), ("Daniel", &["Dan", "Danny"]),
    ("David", &["Dave"]), ("Deborah", &["Debbie", "Deb"]), ("Donald", &["Don"]),
    ("Dorothy", &["Dot", "Dottie"]), ("Douglas", &["Doug"]), ("Edward", &["Ed", "Ted"]),
    ("Eleanor", &["Ellie"]), ("Elizabeth", &["Beth", "Liz"]), ("Eugene", &["Gene"]),
    ("Frances", &["Fran"]), ("Francis", &["Frank"]), ("Frederick", &["Fred"]), ("Gabriel", &["Gabe"]),
    ("Gerald", &["Jerry"]), ("Harold", &["Hal", "Harry"]), ("Henry", &["Hank"]), ("Jacob", &["Jake"]),
    ("James", &["Jim", "Jimmy"]), ("Janet", &["Jan"]), ("Jennifer", &["Jen", "Jenny"]),
    ("Jessica", &["Jess"]), ("Jonathan", &["Jon"]), ("Joseph", &["Joe"]), ("Joshua", &["Josh"]),
    ("Judith", &["Judy"]), ("Katherine", &["Kate", "Kathy", "Katie"]), ("Kenneth", &["Ken"]),
    ("Lawrence", &["Larry"]), ("Leonard", &["Len"]), ("Margaret", &["Maggie", "Peggy", "Meg"]),
    ("Martha", &["Marty"]), ("Matthew", &["Matt"]), ("Melissa", &["Missy"]), ("Michael", &["Mike"]),
    ("Natalie", &["Nat"]), ("Nathan", &["Nate"]), ("Nicholas", &["Nick"]), ("Nicole", &["Nicki"]),
    ("Pamela", &["Pam"]), ("Patricia", &["Pat", "Patty", "Trish"]), ("Rachel", &["Rae"]),
    ("Raymond", &["Ray"]), ("Rebecca", &["Becky"]), ("Richard", &["Rick", "Dick"]),
    ("Robert", &["Bob", "Rob"]), ("Ronald", &["Ron"]), ("Rosemary", &["Rose"]), ("Samuel", &["Sam"]),
    ("Sandra", &["Sandy"]), ("Stanley", &["Stan"]), ("Stephanie", &["Steph"]), ("Susan", &["Sue"]),
    ("Theodore", &["Ted", "Theo"]), ("Theresa", &["Terry"]), ("Thomas", &["Tom"]),
    ("Victoria", &["Vicky"]), ("Vincent", &["Vince"]), ("Virginia", &["Ginny"]), ("Walter", &["Walt"]),
    ("William", &["Bill", "Will"]), ("Zachary", &["Zach"]),
];

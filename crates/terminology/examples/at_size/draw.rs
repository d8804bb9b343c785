//! Drawing numbers and words.

/// Numbers that follow from a seed (SplitMix64, Steele, Lea and Flood 2014).
pub struct Draw(u64);

const STEMS: [&str; 40] = [
    "cardio",
    "hepato",
    "nephro",
    "osteo",
    "neuro",
    "pulmo",
    "gastro",
    "dermato",
    "haemato",
    "myo",
    "arthro",
    "cysto",
    "endo",
    "peri",
    "angio",
    "lipo",
    "fibro",
    "chondro",
    "cranio",
    "spondylo",
    "rhino",
    "oto",
    "ophthalmo",
    "laryngo",
    "tracheo",
    "broncho",
    "pleuro",
    "entero",
    "colo",
    "procto",
    "pancreato",
    "spleno",
    "adeno",
    "thyro",
    "masto",
    "hystero",
    "orchi",
    "urethro",
    "uretero",
    "phlebo",
];
const ENDINGS: [&str; 24] = [
    "itis",
    "oma",
    "pathy",
    "ectomy",
    "otomy",
    "plasty",
    "scopy",
    "graphy",
    "gram",
    "algia",
    "megaly",
    "osis",
    "emia",
    "uria",
    "trophy",
    "lysis",
    "plegia",
    "rrhagia",
    "stenosis",
    "sclerosis",
    "genesis",
    "ptosis",
    "pexy",
    "cele",
];
const PLAIN: [&str; 24] = [
    "of",
    "left",
    "right",
    "structure",
    "disorder",
    "procedure",
    "acute",
    "chronic",
    "finding",
    "with",
    "due to",
    "entire",
    "upper",
    "lower",
    "primary",
    "secondary",
    "product",
    "containing",
    "mg",
    "oral",
    "device",
    "specimen",
    "history of",
    "screening for",
];

impl Draw {
    /// A sequence of its own for each thing that is drawn.
    pub fn new(of: u64) -> Self {
        Self(crate::SEED ^ of.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end.max(1)
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        let at = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words.get(at).copied().unwrap_or_default()
    }

    /// A term of 2 to 6 words, no two alike in practice.
    pub fn term(&mut self) -> String {
        let mut words =
            vec![format!("{}{}{}", self.of(&STEMS), self.of(&STEMS), self.of(&ENDINGS))];
        for _ in 0..1 + self.below(5) {
            words.push(if self.chance(60) {
                self.of(&PLAIN).to_owned()
            } else {
                format!("{}{}", self.of(&STEMS), self.of(&ENDINGS))
            });
        }
        words.join(" ")
    }
}

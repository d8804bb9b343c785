//! Made-up people in a lake.

use std::sync::Arc;

use consilium_lake::{Change, Engine, Lake, Limits, Snapshot, views};
use crypto::SystemRandom;
use crypto::aead::AeadKey;
use tempfile::TempDir;

/// A lake with people in it, and an engine.
pub struct World {
    pub lake: Lake,
    pub engine: Engine,
    _home: TempDir,
}

impl World {
    /// `people` each with an encounter, a condition and three measurements. `also` are
    /// further resources: type, id, patient and content.
    pub fn new(people: usize, also: &[(&str, &str, &str, String)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let key = AeadKey::new(&[3; 32]).unwrap();
        let random = Arc::new(SystemRandom);
        let lake = Lake::open(home.path().into(), key, random, views().unwrap(), []).unwrap();
        let mut all: Vec<(&str, String, String, String)> = Vec::new();
        for at in 0..people {
            let p = format!("p{at}");
            let (gender, year) = (if at % 2 == 0 { "female" } else { "male" }, 1930 + at % 70);
            all.push(("Patient", p.clone(), p.clone(), format!(
                r#"{{"resourceType":"Patient","id":"{p}","gender":"{gender}","birthDate":"{year}-0{}-11","address":[{{"city":"Town{}","postalCode":"021{:02}"}}],"name":[{{"family":"Fam{at}"}}]}}"#,
                1 + at % 9, at % 4, at % 7
            )));
            all.push(("Encounter", format!("e{at}"), p.clone(), format!(
                r#"{{"resourceType":"Encounter","id":"e{at}","status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/{p}"}},"period":{{"start":"2020-0{}-01T10:00:00Z","end":"2020-0{}-01T11:00:00Z"}}}}"#,
                1 + at % 9, 1 + at % 9
            )));
            let code = ["E11", "I10", "J45"][at % 3];
            all.push(("Condition", format!("c{at}"), p.clone(), format!(
                r#"{{"resourceType":"Condition","id":"c{at}","subject":{{"reference":"Patient/{p}"}},"encounter":{{"reference":"Encounter/e{at}"}},"code":{{"coding":[{{"system":"http://hl7.org/fhir/sid/icd-10","code":"{code}","display":"Condition {code}"}}]}},"onsetDateTime":"2019-05-0{}"}}"#,
                1 + at % 9
            )));
            for turn in 0..3 {
                all.push(("Observation", format!("o{at}-{turn}"), p.clone(), format!(
                    r#"{{"resourceType":"Observation","id":"o{at}-{turn}","status":"final","subject":{{"reference":"Patient/{p}"}},"encounter":{{"reference":"Encounter/e{at}"}},"code":{{"coding":[{{"system":"http://loinc.org","code":"8480-6","display":"Systolic"}}]}},"effectiveDateTime":"2020-01-0{}T08:00:00+01:00","valueQuantity":{{"value":{}.5,"unit":"mmHg","code":"mm[Hg]"}}}}"#,
                    1 + turn, 100 + (at * 7 + turn) % 60
                )));
            }
        }
        for (kind, id, patient, content) in also {
            all.push((kind, (*id).to_owned(), (*patient).to_owned(), content.clone()));
        }
        let changes: Vec<Change<'_>> = all
            .iter()
            .map(|(kind, id, person, content)| Change {
                resource_type: kind,
                id,
                person: Some(person),
                content: Some(content),
            })
            .collect();
        // One half on disk, the other in memory.
        let half = changes.len() / 2;
        let applied = lake.apply(1, &changes[..half], 0).unwrap();
        assert_eq!((applied.faults, applied.odd), (0, 0));
        lake.flush().unwrap();
        let applied = lake.apply(2, &changes[half..], 0).unwrap();
        assert_eq!((applied.faults, applied.odd), (0, 0));
        let engine = Engine::new(Limits::default()).unwrap();
        Self { lake, engine, _home: home }
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.lake.snapshot()
    }
}

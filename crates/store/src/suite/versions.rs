//! Versions, history and snapshots.

use super::{Make, commit, delete, key, put, references};
use crate::{HistoryOf, Method, Seq};

pub(super) fn versions_count_up_and_stay(make: Make<'_>) {
    let store = make();
    let texts = [
        r#"{"resourceType":"Patient","id":"p","gender":"female"}"#,
        r#"{"resourceType":"Patient","id":"p","gender":"male"}"#,
    ];
    let mut seqs = Vec::new();
    for (text, number) in texts.iter().zip(1..) {
        let committed = commit(&store, vec![put(text)]).unwrap();
        let version = committed.versions[0].clone().unwrap();
        assert_eq!((version.version, version.created), (number, number == 1));
        seqs.push(version.seq);
    }
    let snapshot = store.snapshot().unwrap();
    let current = snapshot.read(&key("Patient/p")).unwrap().unwrap();
    assert_eq!((current.version, current.seq, current.method), (2, seqs[1], Method::Put));
    assert!(current.text.contains("\"male\""));
    for (number, seq) in (1..).zip(&seqs) {
        let old = snapshot.vread(&key("Patient/p"), number).unwrap().unwrap();
        assert_eq!((old.version, old.seq), (number, *seq));
        assert_eq!(snapshot.load(&[*seq]).unwrap(), [old]);
    }
    assert_eq!(snapshot.vread(&key("Patient/p"), 0).unwrap(), None);
    assert_eq!(snapshot.vread(&key("Patient/p"), 3).unwrap(), None);
    assert_eq!(snapshot.read(&key("Patient/q")).unwrap(), None);
    assert_eq!(snapshot.read(&key("Observation/p")).unwrap(), None);
    assert_eq!(snapshot.load(&[seqs[1], 0, seqs[0], 99]).unwrap().len(), 2);
    assert!(store.integrity().unwrap().is_empty());
}

pub(super) fn texts_are_stamped_and_otherwise_untouched(make: Make<'_>) {
    let store = make();
    // Upper-case hexadecimal, so that ids which look like a UUID must come back as written.
    let id = "0C5A8E0B-1F2D-4F6E-8B1A-7D9C3E5F1A2B";
    let text =
        format!(r#"{{ "resourceType" : "Basic", "id":"{id}","x":[1.50, 1e2],"é":"\u00e9"}}"#);
    let version = commit(&store, vec![put(&text)]).unwrap().versions[0].clone().unwrap();
    let stored = store.snapshot().unwrap().read(&version.key).unwrap().unwrap();
    let updated = fhir::time::instant(version.last_updated_ms);
    let meta = format!(r#","meta":{{"versionId":"1","lastUpdated":"{updated}"}}"#);
    assert_eq!(stored.text, text.replacen(&format!("\"{id}\""), &format!("\"{id}\"{meta}"), 1));
    assert_eq!(stored.key, version.key);
    let lower = id.to_lowercase();
    assert_eq!(store.snapshot().unwrap().read(&key(&format!("Basic/{lower}"))).unwrap(), None);
}

pub(super) fn history_is_newest_first_and_pages(make: Make<'_>) {
    let store = make();
    let patient = r#"{"resourceType":"Patient","id":"a"}"#;
    let group = r#"{"resourceType":"Group","id":"a","type":"person","actual":true}"#;
    for write in [put(patient), put(group), put(patient), delete("Patient/a"), put(group)] {
        commit(&store, vec![write]).unwrap();
    }
    let snapshot = store.snapshot().unwrap();
    let shown = |of: &HistoryOf, before, since, limit| {
        told(&snapshot.history(of, before, since, limit).unwrap())
    };
    let patient = HistoryOf::Instance(key("Patient/a"));
    assert_eq!(shown(&patient, Seq::MAX, 0, 10), "4PD 3PU 1PU");
    assert_eq!(shown(&patient, 4, 0, 1), "3PU");
    assert_eq!(shown(&HistoryOf::Instance(key("Patient/b")), Seq::MAX, 0, 10), "");
    assert_eq!(shown(&HistoryOf::Type("Group"), Seq::MAX, 0, 10), "5GU 2GU");
    assert_eq!(shown(&HistoryOf::Type("Group"), 5, 0, 10), "2GU");
    assert_eq!(shown(&HistoryOf::Type("Device"), Seq::MAX, 0, 10), "");
    assert_eq!(shown(&HistoryOf::System, Seq::MAX, 0, 3), "5GU 4PD 3PU");
    let third = snapshot.load(&[3]).unwrap()[0].last_updated_ms;
    assert_eq!(shown(&HistoryOf::System, 5, third, 10), "4PD 3PU");
    assert_eq!(shown(&patient, Seq::MAX, third, 10), "4PD 3PU");
    assert_eq!(shown(&HistoryOf::System, Seq::MAX, i64::MAX, 10), "");
    let from =
        |of: &HistoryOf, after, limit| told(&snapshot.history_after(of, after, limit).unwrap());
    assert_eq!(from(&patient, 0, 10), "1PU 3PU 4PD");
    assert_eq!(from(&patient, 1, 1), "3PU");
    assert_eq!(from(&HistoryOf::Instance(key("Patient/b")), 0, 10), "");
    assert_eq!(from(&HistoryOf::Type("Group"), 0, 10), "2GU 5GU");
    assert_eq!(from(&HistoryOf::Type("Group"), 2, 10), "5GU");
    assert_eq!(from(&HistoryOf::Type("Device"), 0, 10), "");
    assert_eq!(from(&HistoryOf::System, 0, 3), "1PU 2GU 3PU");
    assert_eq!(from(&HistoryOf::System, 5, 3), "");
}

fn told(history: &[crate::Stored]) -> String {
    let show = |s: &crate::Stored| {
        let letter = match s.method {
            Method::Post => 'C',
            Method::Put => 'U',
            Method::Delete => 'D',
        };
        format!("{}{}{letter}", s.seq, &s.key.resource_type[..1])
    };
    history.iter().map(show).collect::<Vec<_>>().join(" ")
}

pub(super) fn deletion_leaves_a_version(make: Make<'_>) {
    let store = make();
    let text = r#"{"resourceType":"Patient","id":"p","active":true}"#;
    commit(&store, vec![put(text)]).unwrap();
    let gone = commit(&store, vec![delete("Patient/p"), delete("Patient/p"), delete("Patient/q")]);
    let gone = gone.unwrap().versions;
    assert_eq!(gone[0].as_ref().map(|v| (v.version, v.created)), Some((2, false)));
    assert_eq!(gone[1..], [None, None]);
    let stored = store.snapshot().unwrap().read(&key("Patient/p")).unwrap().unwrap();
    assert_eq!((stored.method, stored.text.as_str()), (Method::Delete, ""));
    assert_eq!(store.snapshot().unwrap().read(&key("Patient/q")).unwrap(), None);
    assert_eq!(store.figures().unwrap().resources, 0);
    let again = commit(&store, vec![put(text)]).unwrap().versions[0].clone().unwrap();
    assert_eq!((again.version, again.created), (3, true));
    let figures = store.figures().unwrap();
    assert_eq!((figures.resources, figures.versions, figures.seq), (1, 3, 3));
    assert!(store.integrity().unwrap().is_empty());
}

pub(super) fn a_snapshot_does_not_change(make: Make<'_>) {
    let store = make();
    let text = |gender| format!(r#"{{"resourceType":"Patient","id":"p","gender":"{gender}"}}"#);
    commit(&store, vec![put(&text("female"))]).unwrap();
    let before = store.snapshot().unwrap();
    let other = r#"{"resourceType":"Patient","id":"q","gender":"female"}"#;
    commit(&store, vec![put(&text("male")), put(other)]).unwrap();
    let after = store.snapshot().unwrap();
    assert_eq!((before.seq(), after.seq()), (1, 3));
    for (snapshot, gender, version, everyone) in
        [(&before, "female", 1, "Patient/p"), (&after, "male", 2, "Patient/p Patient/q")]
    {
        let stored = snapshot.read(&key("Patient/p")).unwrap().unwrap();
        assert_eq!(stored.version, version);
        assert!(stored.text.contains(&format!("\"{gender}\"")));
        let found = snapshot.find(&super::query(&format!("Patient?gender={gender}")), 9, true);
        assert_eq!(references(&snapshot.load(&found.unwrap()).unwrap()), "Patient/p");
        let all = snapshot.find(&super::query("Patient"), 9, true).unwrap();
        assert_eq!(references(&snapshot.load(&all).unwrap()), everyone);
    }
    assert_eq!(before.history(&HistoryOf::System, Seq::MAX, 0, 9).unwrap().len(), 1);
    assert_eq!(before.changes(0, 9).unwrap().len(), 1);
    assert_eq!(before.vread(&key("Patient/p"), 2).unwrap(), None);
    assert_eq!(before.load(&[2, 1]).unwrap().len(), 1);
}

//! Every text exists in every language, is used, and takes the same values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use web::Lang;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Key to the names of the values it takes.
fn texts(lang: Lang) -> BTreeMap<String, BTreeSet<String>> {
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in fs::read_dir(root().join("locales").join(lang.tag())).unwrap() {
        let file = fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut key = String::new();
        for line in file.lines() {
            let starts = line.starts_with(|c: char| c.is_ascii_lowercase());
            if let (true, Some((found, _))) = (starts, line.split_once(" =")) {
                key = found.to_string();
                let known = texts.insert(key.clone(), BTreeSet::new());
                assert!(known.is_none(), "{key} is twice in {}", lang.tag());
            }
            for value in line.split('$').skip(1) {
                let name: String =
                    value.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                texts.get_mut(&key).unwrap().insert(name);
            }
        }
    }
    texts
}

/// The text of every source file and template.
fn sources() -> Vec<String> {
    fn visit(dir: &Path, out: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, out);
            } else {
                out.push(fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut out = Vec::new();
    visit(&root().join("src"), &mut out);
    visit(&root().join("templates"), &mut out);
    out
}

#[test]
fn every_language_has_the_same_texts_with_the_same_values() {
    let english = texts(Lang::EnUs);
    assert!(english.len() > 300, "{}", english.len());
    for lang in Lang::ALL {
        let own = texts(lang);
        let missing: Vec<_> = english.keys().filter(|key| !own.contains_key(*key)).collect();
        let surplus: Vec<_> = own.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{}: {missing:?} {surplus:?}",
            lang.tag()
        );
        for (key, values) in &english {
            assert_eq!(Some(values), own.get(key), "{key} in {}", lang.tag());
        }
    }
}

#[test]
fn every_text_is_used() {
    let sources = sources();
    let quoted: BTreeSet<&str> = sources.iter().flat_map(|text| text.split('"')).collect();
    let unused: Vec<_> =
        texts(Lang::EnUs).into_keys().filter(|key| !quoted.contains(key.as_str())).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn every_text_that_is_asked_for_exists() {
    let english = texts(Lang::EnUs);
    let mut asked = BTreeSet::new();
    for text in sources() {
        for before in ["say(\"", "hint(\"", "or_none(\"", "pick(\""] {
            let pieces = text.split(before).skip(1);
            asked.extend(pieces.filter_map(|t| t.split('"').next()).map(String::from));
        }
    }
    assert!(asked.len() > 200, "{}", asked.len());
    let missing: Vec<_> = asked.into_iter().filter(|key| !english.contains_key(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

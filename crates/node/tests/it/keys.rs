//! Keys and data at rest at the command line: the ways to open a node's secrets, a store that is
//! encrypted and encrypted anew, and a patient whose data stay closed in every backup.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use consilium_node::config::Config;
use consilium_node::keys::Keys;
use consilium_node::keys::ring::Ring;
use crypto::SigningKey;
use identity::Role;
use reqwest::Method as Verb;
use store::{Key, Method, Snapshot};

use crate::client::Client;
use crate::hospitals::{Hospitals, Setup, run};
use crate::killed::Serving;

fn consilium(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_consilium"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

pub fn works(arguments: &[&str]) -> String {
    let (success, text) = consilium(arguments);
    assert!(success, "{arguments:?}: {text}");
    text
}

pub fn fails(arguments: &[&str]) -> String {
    let (success, text) = consilium(arguments);
    assert!(!success, "{arguments:?}: {text}");
    text
}

/// A folder with a node in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.init("north");
        place
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn init(&self, name: &str) -> String {
        let home = self.path(name);
        works(&["init", "--dir", &home, "--organisation", "north", "--name", "North"]);
        home
    }

    fn home(&self) -> String {
        self.path("north")
    }

    /// Imports patients `a`, `b` and `c`, who all have names and identifiers that are easy to find,
    /// and a list that is about `a` and `b`.
    fn import(&self, round: u32) {
        let mut lines = String::new();
        for id in ["a", "b", "c"] {
            lines += &format!(
                "{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"name\":[{{\"family\":\"Quillfeather{id}\",\
                 \"given\":[\"Ottilie{round}\"]}}],\"identifier\":[{{\"system\":\"urn:x\",\"value\":\"MRN-77{id}\"}}]}}\n"
            );
            lines += &format!(
                "{{\"resourceType\":\"Observation\",\"id\":\"o{id}\",\"status\":\"final\",\"code\":{{\"text\":\
                 \"Zwiebelwert{round}\"}},\"subject\":{{\"reference\":\"Patient/{id}\"}}}}\n"
            );
        }
        lines += "{\"resourceType\":\"Appointment\",\"id\":\"both\",\"status\":\"booked\",\"participant\":[\
                  {\"status\":\"accepted\",\"actor\":{\"reference\":\"Patient/a\"}},\
                  {\"status\":\"accepted\",\"actor\":{\"reference\":\"Patient/b\"}}]}\n";
        let file = self.folder.path().join("data.ndjson");
        fs::write(&file, lines).unwrap();
        works(&["import", "--dir", &self.home(), "--quiet", file.to_str().unwrap()]);
        fs::remove_file(file).unwrap();
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::File::create(&path).unwrap().write_all(content.as_bytes()).unwrap();
        path
    }
}

fn opened(home: &str) -> Box<dyn Snapshot> {
    let home = Path::new(home);
    Config::read(home).unwrap().location(home).unwrap().open_read_only().unwrap()
}

fn read(home: &str, resource_type: &'static str, id: &str) -> Option<String> {
    let key = Key { resource_type, id: fhir::Id::new(id).unwrap() };
    let found = opened(home).read(&key).unwrap()?;
    (found.method != Method::Delete).then_some(found.text)
}

/// Files below a folder that hold a text, whatever its case. They may go meanwhile.
pub fn holding(folder: &str, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let Ok(entry) = entry else { continue };
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read(&path)
                .unwrap_or_default()
                .windows(text.len())
                .any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
            {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn no_file_of_a_node_or_its_backup_tells_a_name_or_a_key() {
    let place = Place::new();
    place.import(1);
    let (home, backups) = (place.home(), place.path("backups"));
    works(&["backup", "--dir", &home, &backups]);
    place.import(2);
    works(&["backup", "--dir", &home, &backups]);
    works(&["backup", "--dir", &home, &place.path("whole.backup")]);
    // While the store is open, with all that is in its log.
    let held = Config::read(Path::new(&home)).unwrap().location(Path::new(&home)).unwrap();
    let held = held.open(consilium_node::wiring::system_clock(), None).unwrap();
    for text in [
        "quillfeather",
        "ottilie",
        "mrn-77",
        "zwiebelwert",
        "PRIVATE KEY",
        "create table",
        "auditevent",
    ] {
        assert_eq!(
            holding(place.folder.path().to_str().unwrap(), text),
            [""; 0].map(PathBuf::from),
            "{text}"
        );
    }
    drop(held);
    assert!(
        read(&home, "Patient", "a").unwrap().contains("Quillfeathera"),
        "looking would find it"
    );
    works(&["store", "check", "--dir", &home, "--all"]);
    let text = works(&["keys", "status", "--dir", &home]);
    assert!(text.contains("encrypted under the newest key"), "{text}");
    assert!(text.contains("there is no recovery file"), "{text}");
}

#[test]
fn a_passphrase_opens_the_keys_and_a_wrong_one_harms_nothing() {
    let place = Place::new();
    place.import(1);
    let home = place.home();
    let right = place.file("right", "correct horse battery\n");
    let wrong = place.file("wrong", "correct horse batterie\n");
    let short = place.file("short", "short\n");
    let seal = ["keys", "seal", "--dir", &home, "--passphrase", "--only", "--new-passphrase-file"];
    let refused = fails(&[&seal[..], &[short.as_str()]].concat());
    assert!(refused.contains("at least 12 characters"), "{refused}");
    let text = works(&[&seal[..], &[right.as_str()]].concat());
    assert!(text.contains("has lost all data"), "{text}");
    assert!(!Path::new(&home).join("keys/node.key").exists());
    let before = fs::read(Path::new(&home).join("keys/sealed.json")).unwrap();

    let check = ["store", "check", "--dir", &home];
    let refused = fails(&check);
    assert!(
        refused.contains("there is no terminal") && refused.contains("--passphrase-file"),
        "{refused}"
    );
    let refused = fails(&[&["--passphrase-file", wrong.as_str()], &check[..]].concat());
    assert!(refused.contains("the passphrase is not the right one"), "{refused}");
    works(&[&["--passphrase-file", right.as_str()], &check[..]].concat());
    assert_eq!(before, fs::read(Path::new(&home).join("keys/sealed.json")).unwrap());

    // A recovery file, a new passphrase, a new node key.
    let recovery = place.path("recovery");
    let change = |passphrase: &str, new: &str| {
        let arguments =
            ["--passphrase-file", passphrase, "keys", "change-passphrase", "--dir", &home];
        consilium(&[&arguments[..], &["--new-passphrase-file", new]].concat())
    };
    works(&["--passphrase-file", &right, "keys", "escrow", "--dir", &home, &recovery]);
    assert!(!change(&wrong, &wrong).0);
    assert!(change(&right, &wrong).0);
    fails(&[&["--passphrase-file", right.as_str()], &check[..]].concat());
    works(&[&["--passphrase-file", wrong.as_str()], &check[..]].concat());
    works(&[&["--recovery-file", recovery.as_str()], &check[..]].concat());
    let rotate = ["keys", "rotate", "--dir", &home];
    let text = works(&[&["--passphrase-file", wrong.as_str()], &rotate[..]].concat());
    assert!(text.contains("generation 2") && text.contains("THE RECOVERY FILE"), "{text}");
    works(&[&["--passphrase-file", wrong.as_str()], &check[..]].concat());
    fails(&[&["--recovery-file", recovery.as_str()], &check[..]].concat());
}

#[test]
fn a_folder_of_an_earlier_release_is_sealed_with_its_store() {
    let place = Place::new();
    let home = place.home();
    // As it was: a file for each secret, and a store that is not encrypted.
    let keys = Path::new(&home).join("keys");
    let before = Keys::read(&keys).unwrap();
    fs::remove_dir_all(&keys).unwrap();
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("assertion.pem"), before.assertion.to_pem().as_bytes()).unwrap();
    fs::write(keys.join("tls.pem"), before.tls.to_pem().as_bytes()).unwrap();
    fs::write(keys.join("vault.secret"), "a secret").unwrap();
    place.import(1);
    assert!(!holding(&home, "quillfeather").is_empty());
    assert!(fails(&["store", "seal", "--dir", &home]).contains("consilium keys seal"));
    works(&["keys", "seal", "--dir", &home]);
    let same = |a: &SigningKey, b: &SigningKey| a.public_key() == b.public_key();
    assert!(same(&Keys::read(&keys).unwrap().tls, &before.tls));
    assert!(works(&["keys", "status", "--dir", &home]).contains("NOT encrypted"));
    // What is there is served as it is until it is sealed.
    place.import(2);
    let seqs = opened(&home).seq();
    works(&["store", "seal", "--dir", &home, "--quiet"]);
    assert_eq!(opened(&home).seq(), seqs);
    for text in ["quillfeather", "PRIVATE KEY"] {
        assert!(holding(&home, text).is_empty(), "{text}");
    }
    place.import(3);
    works(&["store", "check", "--dir", &home, "--all"]);
    works(&["audit", "verify", "--dir", &home]);
    assert!(
        works(&["store", "seal", "--dir", &home]).contains("is encrypted under the newest key")
    );
}

#[test]
fn the_store_is_encrypted_anew_at_once_or_by_the_program_that_has_it() {
    let place = Place::new();
    place.import(1);
    let home = place.home();
    let seq = opened(&home).seq();
    let text = works(&["keys", "rotate", "--dir", &home, "--store"]);
    assert!(text.contains("as much more of the disk is needed"), "{text}");
    assert!(text.contains("the old file is removed"), "{text}");
    assert!(works(&["keys", "status", "--dir", &home]).contains("under the newest key"));
    assert_eq!(opened(&home).seq(), seq);
    place.import(2);
    // A program that has the store open and does not take up the new key: it is said so.
    let location = Config::read(Path::new(&home)).unwrap().location(Path::new(&home)).unwrap();
    let held = location.open(consilium_node::wiring::system_clock(), None).unwrap();
    let text = fails(&["keys", "rotate", "--dir", &home, "--store"]);
    assert!(text.contains("does not take up the new key"), "{text}");
    drop(held);
    assert!(works(&["keys", "status", "--dir", &home]).contains("under an older key"));
    place.import(3);
    let seq = opened(&home).seq();
    let text = works(&["store", "seal", "--dir", &home, "--quiet"]);
    assert!(text.contains("is encrypted under the newest key"), "{text}");
    assert_eq!(opened(&home).seq(), seq);
    works(&["store", "check", "--dir", &home, "--all"]);
}

#[test]
fn an_exchange_of_folders_that_was_cut_off_is_ended() {
    let place = Place::new();
    place.import(1);
    let home = place.home();
    let seq = opened(&home).seq();
    // Killed between the two steps by which a store that was not encrypted is exchanged for its copy.
    let at = |name: &str| Path::new(&home).join(name);
    fs::rename(at("store"), at("store.before")).unwrap();
    fs::create_dir(at("store.sealing")).unwrap();
    fs::copy(at("store.before/store.db"), at("store.sealing/store.db")).unwrap();
    assert_eq!(opened(&home).seq(), seq);
    works(&["store", "check", "--dir", &home, "--all"]);
    works(&["store", "seal", "--dir", &home, "--quiet"]);
    assert!(!at("store.before").exists() && !at("store.sealing").exists());
    assert_eq!(opened(&home).seq(), seq);
}

#[test]
fn a_postgresql_is_said_not_to_be_encrypted_until_the_operator_states_that_its_disk_is() {
    let place = Place::new();
    let config = Path::new(&place.home()).join("node.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("store = \"store\"", "store = \"postgres://u:p@127.0.0.1:1/x\"");
    fs::write(&config, &text).unwrap();
    let status = ["keys", "status", "--dir", &place.home()];
    assert!(works(&status).contains("not encrypted by this node: put the server's disk"));
    // A node says so when it starts, before anything else can go wrong.
    let serve = fails(&["serve", "--dir", &place.home()]);
    assert!(serve.contains("WARN") && serve.contains("store_disk_encrypted = true"), "{serve}");
    let stated = text.replace("store_disk_encrypted = false", "store_disk_encrypted = true");
    fs::write(&config, stated).unwrap();
    assert!(works(&status).contains("its disk is, as you state"));
    assert!(!fails(&["serve", "--dir", &place.home()]).contains("store_disk_encrypted"));
}

#[test]
fn an_erased_patient_stays_closed_in_backups_that_were_made_before() {
    let place = Place::new();
    let (home, backups, keys) = (place.home(), place.path("backups"), place.path("north/keys"));
    place.import(1);
    works(&["backup", "--dir", &home, &backups]);
    place.import(2);
    works(&["backup", "--dir", &home, &backups]);
    let bytes = |folder: &str| -> Vec<Vec<u8>> {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| fs::read(file).unwrap()).collect()
    };
    let before = bytes(&backups);
    // Before the erasure everything comes back.
    let whole = place.init("whole");
    works(&["restore", "--dir", &whole, "--keys", &keys, "--quiet", &backups]);
    assert!(read(&whole, "Patient", "a").unwrap().contains("Ottilie2"));
    let refused = fails(&["restore", "--dir", &place.init("stranger"), "--quiet", &backups]);
    assert!(refused.contains("does not open with these keys"), "{refused}");

    let basis = "GDPR Art. 17(1)(b)";
    let text = works(&["purge", "--dir", &home, "--patient", "a", "--basis", basis]);
    assert!(text.contains("the key of the patient's data is destroyed"), "{text}");
    assert!(fails(&["purge", "--dir", &home, "--patient", "a"]).contains("nothing of a Patient"));
    assert_eq!(before, bytes(&backups), "the backups are as they were");

    let restored = place.init("restored");
    let text = works(&["restore", "--dir", &restored, "--keys", &keys, "--quiet", &backups]);
    assert!(text.contains("6 versions stay closed"), "{text}");
    for (kind, id) in [("Patient", "a"), ("Observation", "oa"), ("Appointment", "both")] {
        assert_eq!(read(&restored, kind, id), None, "{kind}/{id}");
        let resource_type = fhir::definitions::resource_type(kind).unwrap();
        let key = Key { resource_type, id: fhir::Id::new(id).unwrap() };
        let all = store::HistoryOf::Instance(key);
        let snapshot = opened(&restored);
        let history = snapshot.history(&all, store::Seq::MAX, i64::MIN, 99).unwrap();
        assert!(history.iter().all(|version| version.text.is_empty()), "{kind}/{id}");
    }
    for id in ["b", "c"] {
        assert_eq!(read(&restored, "Patient", id), read(&home, "Patient", id));
        assert!(
            read(&restored, "Observation", &format!("o{id}")).unwrap().contains("Zwiebelwert2")
        );
    }
    works(&["store", "check", "--dir", &restored, "--all"]);
    works(&["audit", "verify", "--dir", &restored]);
    works(&["audit", "verify", "--dir", &home]);

    // The patient comes back under the same id: a new life with a key of its own.
    place.import(3);
    works(&["backup", "--dir", &home, &backups]);
    let later = place.init("later");
    works(&["restore", "--dir", &later, "--keys", &keys, "--quiet", &backups]);
    assert!(read(&later, "Patient", "a").unwrap().contains("Ottilie3"));
    let ring = Ring::open(Path::new(&keys)).unwrap().unwrap();
    assert_eq!(ring.unit(&fhir::Id::new("a").unwrap()).unwrap(), "a#1");
}

/// Starts the program and kills it (SIGKILL) as soon as `when` holds; whether it had ended by itself.
fn killed(arguments: &[&str], when: impl Fn() -> bool) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consilium"));
    let command = command.args(arguments).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        if when() {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        std::thread::yield_now();
    }
}

#[test]
fn killed_at_any_moment_keys_and_store_are_as_before_or_as_after() {
    let place = Place::new();
    let home = place.home();
    for round in 0..20 {
        place.import(round);
    }
    let (seq, text) = (opened(&home).seq(), read(&home, "Patient", "b"));
    // The node key: killed before, while and after the box is replaced.
    let generation = || {
        let text = works(&["keys", "status", "--dir", &home]);
        let line = text.lines().find(|line| line.starts_with("node key")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let part = Path::new(&home).join("keys/sealed.part");
    let mut last = generation();
    for round in 0..12 {
        let looks = std::cell::Cell::new(0u32);
        killed(&["keys", "rotate", "--dir", &home], || {
            looks.set(looks.get() + 1);
            if round % 2 == 0 { part.exists() } else { looks.get() > round * 400 }
        });
        let now = generation();
        assert!(now == last || now == last + 1, "{last} then {now}");
        last = now;
        assert_eq!(read(&home, "Patient", "b"), text);
    }
    // The store: killed when the copy has grown, and before and after it has its number.
    let files = || -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(Path::new(&home).join("store")).unwrap().flatten();
        entries.map(|e| (e.path(), e.metadata().map_or(0, |data| data.len()))).collect()
    };
    let ends = |end: &str| -> Vec<u64> {
        let found =
            files().into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == end));
        found.map(|(_, size)| size).collect()
    };
    let mut kills = 0;
    for round in 0..24u64 {
        let when = || match round % 3 {
            0 => ends("part").first().is_some_and(|size| *size > round * 20_000),
            1 => ends("db").len() > 1,
            _ => {
                ends("part").is_empty()
                    && files().iter().any(|(file, _)| {
                        file.to_string_lossy().ends_with("-wal") && ends("db").len() > 1
                    })
            }
        };
        kills +=
            u32::from(!killed(&["keys", "rotate", "--dir", &home, "--store", "--quiet"], when));
        assert_eq!(
            (opened(&home).seq(), read(&home, "Patient", "b")),
            (seq, text.clone()),
            "{round}"
        );
    }
    eprintln!("the sealing of the store was killed {kills} times");
    assert!(kills > 0);
    works(&["store", "seal", "--dir", &home, "--quiet"]);
    assert!(works(&["keys", "status", "--dir", &home]).contains("under the newest key"));
    assert_eq!((opened(&home).seq(), read(&home, "Patient", "b")), (seq, text));
    works(&["store", "check", "--dir", &home, "--all"]);
    works(&["audit", "verify", "--dir", &home]);
}

#[test]
fn a_node_serves_on_while_its_keys_are_made_anew_and_erases_under_them() {
    run(async {
        let hospitals =
            Hospitals::start(Setup { hospitals: 1, patients: 4, ..Setup::default() }).await;
        let hospital = &hospitals.all[0];
        let home = hospitals.home(hospital);
        let (home, officer) =
            (home.to_str().unwrap().to_owned(), hospital.signed_in(Role::PrivacyOfficer).await);
        let clinician = hospital.signed_in(Role::Clinician).await;
        let patients = clinician.found("Patient?_count=100").await;
        let ring = || Ring::open(&Path::new(&home).join("keys")).unwrap().unwrap();
        let id = fhir::Id::new(&patients[0]).unwrap();
        let life = ring().unit(&id).unwrap();
        let task = {
            let home = home.clone();
            tokio::task::spawn_blocking(move || {
                for _ in 0..5 {
                    works(&["keys", "rotate", "--dir", &home]);
                    works(&["keys", "rotate", "--dir", &home, "--backups"]);
                }
            })
        };
        let mut reads = 0;
        while !task.is_finished() {
            clinician
                .get(&format!("/fhir/Patient/{}", patients[reads % patients.len()]))
                .await
                .expect(200);
            reads += 1;
        }
        task.await.unwrap();
        assert!(reads > 10, "{reads}");
        // The node, which opened its keys before all that, destroys one of them.
        let path = format!("/fhir/Patient/{id}/$purge?basis=GDPR%20Art.%2017(1)(b)");
        let done = officer.send(Verb::POST, &path, None, &[]).await.expect(200).json();
        let text = done["issue"][0]["diagnostics"].as_str().unwrap();
        assert!(text.ends_with("sealed backups is destroyed"), "{text}");
        assert_ne!(ring().unit(&id).unwrap(), life);
        assert!(ring().unit_key(&[life]).is_none());
        let audit =
            officer.get(&format!("/fhir/AuditEvent?patient={id}&_sort=-date&_count=20")).await;
        let audit = audit.expect(200).json().to_string();
        assert!(audit.contains("legal basis: GDPR Art. 17(1)(b)"), "the audit says on what basis");
        let text = works(&["keys", "status", "--dir", &home]);
        assert!(
            text.contains("generation 6") && text.contains("backups    1, 2, 3, 4, 5, 6"),
            "{text}"
        );
    });
}

#[test]
fn a_node_that_serves_takes_up_a_new_page_key_and_survives_being_killed_at_it() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 6, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Clinician, None);
        let (base, org) = (hospital.base.clone(), hospital.org.clone());
        let folder = hospitals.stop().await;
        let home = folder.path().join(&org);
        let dir = home.to_str().unwrap().to_owned();
        let mut node = Serving::start(&home, &base).await;
        let client = Client::with_second_factor(&base, &account).await;
        for round in 0..4 {
            let patients = client.found("Patient?_count=100").await;
            let rotation = {
                let dir = dir.clone();
                tokio::task::spawn_blocking(move || {
                    consilium(&["keys", "rotate", "--dir", &dir, "--store"])
                })
            };
            let part = || {
                let files = fs::read_dir(home.join("store")).into_iter().flatten().flatten();
                files.into_iter().any(|e| e.path().extension().is_some_and(|end| end == "part"))
            };
            let mut asked = 0;
            while !rotation.is_finished() {
                let note =
                    serde_json::json!({"resourceType": "Basic", "code": {"text": "meanwhile"}});
                client.create(&note).await;
                let id = &patients[asked % patients.len()];
                client.get(&format!("/fhir/Patient/{id}")).await.expect(200);
                asked += 1;
                if round % 2 == 1 && part() {
                    node.kill();
                    node = Serving::start(&home, &base).await;
                    break;
                }
            }
            // The terminal sees the end also where the node was killed: it goes on after its start.
            let (done, text) = rotation.await.unwrap();
            assert!(done && text.contains("under the newest key"), "{text}");
            assert!(asked > 0);
            let status = works(&["keys", "status", "--dir", &dir]);
            assert!(status.contains("encrypted under the newest key"), "{status}");
        }
        assert_eq!(client.found("Patient?_count=100").await.len(), 6);
        drop(node);
        works(&["store", "check", "--dir", &dir, "--all"]);
    });
}

#[test]
fn a_token_opens_the_keys() {
    let module = "/usr/lib/softhsm/libsofthsm2.so";
    if !Path::new(module).exists() {
        eprintln!("SKIPPED: SoftHSM is not installed (`apt-get install softhsm2`)");
        return;
    }
    let place = Place::new();
    let home = place.home();
    let tokens = place.path("tokens");
    fs::create_dir(&tokens).unwrap();
    let settings = place.file("softhsm2.conf", &format!("directories.tokendir = {tokens}\n"));
    let with = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let output =
            command.args(arguments).env("SOFTHSM2_CONF", &settings).stdin(Stdio::null()).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), text)
    };
    let init =
        ["--init-token", "--free", "--label", "hospital", "--pin", "4711", "--so-pin", "0815"];
    assert!(with("softhsm2-util", &init).0);
    let (pin, wrong) = (place.file("pin", "4711\n"), place.file("wrong", "4712\n"));
    let program = env!("CARGO_BIN_EXE_consilium");
    let open = |pin: &str, arguments: &[&str]| {
        with(program, &[&["--passphrase-file", pin], arguments].concat())
    };
    let seal =
        ["keys", "seal", "--dir", &home, "--token", "hospital", "--module", module, "--only"];
    let (sealed, text) = open(&pin, &seal);
    assert!(sealed, "{text}");
    assert!(!Path::new(&home).join("keys/node.key").exists());
    let status = ["keys", "status", "--dir", &home];
    let (shown, text) = open(&pin, &status);
    assert!(shown && text.contains("token `hospital`"), "{text}");
    let (shown, text) = open(&wrong, &status);
    assert!(!shown && text.contains("does not take the PIN"), "{text}");
    let (rotated, text) = open(&pin, &["keys", "rotate", "--dir", &home]);
    assert!(rotated && text.contains("generation 2"), "{text}");
    assert!(open(&pin, &status).0);
    // Without the token there is no way.
    fs::remove_dir_all(&tokens).unwrap();
    fs::create_dir(&tokens).unwrap();
    let (shown, text) = open(&pin, &status);
    assert!(!shown && text.contains("no token with the label"), "{text}");
}

//! Jobs of a node whose process is killed by SIGKILL: the program itself as a child, started again
//! on the same folder.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use app::jobs::folder::{Folder, Keys};
use consilium_node::keys::ring::Ring;
use consilium_node::wiring::{open, system_clock};
use crypto::SystemRandom;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::client::{Client, text};
use crate::hospitals::{Hospitals, Setup, run};

/// One row a page, so that there are many places to be killed at.
const SMALL: &[(&str, &str)] = &[("jobs_file_rows = 100000", "jobs_file_rows = 2")];
const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];
/// How often the node is killed while it exports.
const KILLS: usize = 4;

/// How often a node is started until it serves.
const STARTS: usize = 20;

/// A serving node; killed when dropped.
pub struct Serving(Child);

impl Serving {
    pub async fn start(home: &Path, base: &str) -> Self {
        let spawn = || {
            let mut child = Command::new(env!("CARGO_BIN_EXE_consilium"));
            child.args(["serve", "--dir"]).arg(home).stdin(Stdio::null());
            child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let (mut child, mut tries) = (spawn(), 1);
        let http = reqwest::Client::new();
        while http.get(format!("{base}/healthz")).send().await.is_err() {
            // A command at the terminal may have the store open for a moment after a kill; what looks after
            // a node starts it again.
            if child.try_wait().unwrap().is_some() {
                tries += 1;
                assert!(tries <= STARTS, "the node starts");
                child = spawn();
            }
            tokio::task::yield_now().await;
        }
        Self(child)
    }

    /// Kills the process where it stands (SIGKILL).
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the checkpoint of a job says, which opens with the node's keys only.
fn checkpoint(home: &Path, job: &str) -> Option<u64> {
    let ring = Ring::open(&home.join("keys")).unwrap().unwrap();
    let keys = Keys::new(ring.file_keys(), Arc::new(SystemRandom));
    let path = home.join("jobs").join(job);
    if !path.join("checkpoint.json").exists() {
        return None;
    }
    let text = Folder::make(&path, job, Some(&keys)).ok()?.read("checkpoint.json").ok()?;
    serde_json::from_slice::<Value>(&text).ok()?["after"].as_u64()
}

#[test]
fn an_export_whose_node_is_killed_again_and_again_ends_with_the_right_files() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 4, config: SMALL, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Clinician, None);
        let (base, org) = (hospital.base.clone(), hospital.org.clone());
        let folder = hospitals.stop().await;
        let home = folder.path().join(&org);

        let mut node = Serving::start(&home, &base).await;
        let client = Client::with_second_factor(&base, &account).await;
        let kinds = ["Patient", "Encounter", "Observation", "Condition"];
        let mut expected = Vec::new();
        for kind in kinds {
            let mut ids = client.found(&format!("{kind}?_count=1000&_elements=id")).await;
            assert!(ids.len() < 1000, "all stand on one page");
            ids.sort();
            expected.push(ids);
        }
        let path = format!("/fhir/$export?_type={}", kinds.join(","));
        let accepted = client.send(Method::GET, &path, None, &ASYNC).await.expect(202);
        let url = accepted.header("content-location").to_owned();
        let job = url.rsplit('/').next().unwrap().to_owned();

        let (mut kills, mut reached) = (0, 0);
        while kills < KILLS {
            // Once something more stands on the disk, the process goes.
            let ended = loop {
                let status = client.get(&url).await.status;
                let now = checkpoint(&home, &job).unwrap_or_default();
                if status != 202 {
                    break true;
                }
                if now > reached {
                    reached = now;
                    break false;
                }
                tokio::task::yield_now().await;
            };
            if ended {
                break;
            }
            node.kill();
            kills += 1;
            // Written between two runs, and not a part of what is exported.
            block_in_place(|| {
                let between = open(&home, system_clock()).unwrap();
                let line = json!({"resourceType": "Patient", "id": format!("late-{kills}")});
                let lines = vec![line.to_string().into_bytes()];
                let report = app::records::import::Import::new(&between.app)
                    .take_lines("test", lines)
                    .unwrap();
                assert_eq!(report.refused, []);
            });
            node = Serving::start(&home, &base).await;
        }
        assert!(kills > 0, "the node was killed while it exported");
        let done = loop {
            let answer = client.get(&url).await;
            if answer.status != 202 {
                break answer.expect(200).json();
            }
            tokio::task::yield_now().await;
        };
        for (kind, expected) in kinds.iter().zip(expected) {
            let mut ids = Vec::new();
            for file in done["output"].as_array().unwrap() {
                if file["type"] != *kind {
                    continue;
                }
                let body = client.get(file["url"].as_str().unwrap()).await.expect(200).text;
                assert_eq!(json!(body.lines().count()), file["count"]);
                assert_eq!(json!(body.len()), file["fileSize"]);
                ids.extend(body.lines().map(|line| {
                    let line: Value = serde_json::from_str(line).unwrap();
                    text(&line["id"])
                }));
            }
            ids.sort();
            assert_eq!(ids, expected, "{kind}: each once, and nothing that came later");
        }
        node.kill();
    });
}

//! `consilium consent verify`: whether the receipt of a consent that was given at the point of care
//! holds, checked by anybody who has it.

use std::path::{Path, PathBuf};

use app::consent::point_of_care::receipt::{self, Verified};
use clap::Subcommand;
use crypto::PublicKey;
use fhir::Resource;
use wire::SignedMembership;

use crate::command::say;
use crate::wiring::Fault;

/// Most bytes of a file that is read.
const MAX_FILE: u64 = 1024 * 1024;

/// What to do with consents.
#[derive(Subcommand)]
pub enum Task {
    /// Check the receipt of a consent: a file with the Consent, JSON, or with the receipt alone
    Verify {
        /// The file
        file: PathBuf,
        /// The network's membership list, with the key of the institution that vouches
        #[arg(long, requires = "council")]
        membership: Option<PathBuf>,
        /// The council's public key, which has signed the list
        #[arg(long, requires = "membership", allow_hyphen_values = true)]
        council: Option<String>,
    },
}

/// Runs the task. Prints what was granted; errors where the receipt does not hold.
pub fn run(task: Task, now_ms: i64) -> Result<(), Fault> {
    let Task::Verify { file, membership, council } = task;
    let keys = match membership.zip(council) {
        None => Vec::new(),
        Some((list, council)) => keys(&list, &council, now_ms)?,
    };
    let text = read(&file)?;
    let key_of = |org: &str| keys.iter().find(|(id, _)| id == org).map(|(_, key)| *key);
    let verified = match text.trim_start().starts_with('{') {
        true => {
            let consent = Resource::parse(text)
                .map_err(|e| format!("`{}` is no resource: {e}", file.display()))?;
            receipt::of_consent(&consent, key_of)
        }
        false => receipt::verify(&text, key_of),
    };
    say(&told(&verified.map_err(|fault| fault.to_string())?));
    Ok(())
}

fn read(file: &Path) -> Result<String, Fault> {
    let fault = |e: std::io::Error| format!("cannot read `{}`: {e}", file.display());
    if std::fs::metadata(file).map_err(fault)?.len() > MAX_FILE {
        return Err(format!("`{}` is larger than {MAX_FILE} bytes", file.display()).into());
    }
    Ok(std::fs::read_to_string(file).map_err(fault)?)
}

fn keys(list: &Path, council: &str, now_ms: i64) -> Result<Vec<(String, PublicKey)>, Fault> {
    let council: PublicKey = council.parse()?;
    let list = SignedMembership::parse(read(list)?.as_bytes())?.verify(&council, now_ms, None)?;
    let key = |member: wire::Member| (member.id.as_str().to_owned(), member.assertion_key);
    Ok(list.members.into_iter().map(key).collect())
}

fn told(verified: &Verified) -> String {
    let Verified { receipt, grant, is_known_issuer } = verified;
    let holders: Vec<&str> = grant.holders.iter().map(|holder| holder.name.as_str()).collect();
    let kinds = match grant.kinds.is_empty() {
        true => "everything that is not sensitive".to_owned(),
        false => grant.kinds.join(", "),
    };
    let issuer = match is_known_issuer {
        true => "by the key in the membership list".to_owned(),
        false => format!(
            "by the key that it states, `{}`; compare it with the membership list",
            receipt.key
        ),
    };
    format!(
        "the receipt holds\n  at:       {}\n  patient:  {}\n  who:      clinicians of {}\n  what:     {kinds}\n  \
         from:     {}{}\n  purpose:  {}\n  until:    {}\n  approved: {} by {}\n  sha-256:  {}\n  signed:   {issuer}",
        grant.at.name,
        grant.patient,
        grant.recipient.name,
        holders.join(", "),
        if grant.only { ", and nobody else" } else { "" },
        grant.purpose,
        grant.until,
        receipt.approved,
        receipt.method.word(),
        receipt.digest,
    )
}

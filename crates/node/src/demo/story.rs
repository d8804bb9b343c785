//! What the demo prints: addresses, accounts, and five lines to follow.

use std::path::Path;
use std::time::Duration;

use synthetic::Site;

use super::Arguments;
use super::accounts::Account;
use crate::command::say;

/// Prints everything a newcomer needs.
pub fn tell(
    arguments: &Arguments,
    folder: &Path,
    sites: &[Site],
    accounts: &[Account],
    took: Duration,
) {
    say(&format!("{} hospitals are ready after {:.1} s", sites.len(), took.as_secs_f64()));
    for site in sites {
        let of = |account: &&Account| account.hospital == site.org;
        let base = accounts.iter().find(of).map_or("", |account| &account.base);
        say(&format!("\n{}  {base}", site.name));
        for account in accounts.iter().filter(of) {
            say(&format!(
                "  {:<16} username {:<10} password {:<18} one-time code secret {}",
                account.role, account.username, account.password, account.totp_secret
            ));
        }
    }
    say(&format!("\nThe accounts are also in {}", folder.join("accounts.json").display()));
    if !arguments.headless {
        story(sites, accounts);
        say("\nCtrl-C ends the demo.");
    }
}

fn story(sites: &[Site], accounts: &[Account]) {
    let find = |org: usize, role: &str| {
        let org = sites.get(org).map(|site| &site.org);
        accounts.iter().find(|account| Some(&account.hospital) == org && account.role == role)
    };
    let (Some(clinician), Some(patient)) = (find(0, "clinician"), find(0, "patient")) else {
        return;
    };
    let last = find(sites.len().saturating_sub(1), "privacy-officer").unwrap_or(clinician);
    let id = patient.patient.as_deref().unwrap_or_default();
    say("\nA story to follow (codes: any authenticator app, or `consilium code SECRET`):");
    say(&format!(
        "1. Open {} and sign in as `{}` with password and code.",
        clinician.base, clinician.username
    ));
    say(&format!("2. Open {}/patients/{id}/record and watch the sources fill in.", clinician.base));
    say("3. Look at the bar of sources, the conflicts at the top, and where each row came from.");
    say(&format!(
        "4. In another browser sign in as `{}` at {}, open \"Who may see it\" and withdraw a hospital; \
         reload the record: its rows are gone.",
        patient.username, patient.base
    ));
    say(&format!(
        "5. Open \"Who saw it\" as the patient; break the glass as the clinician, and see the review \
         as `{}` at {}.",
        last.username, last.base
    ));
}

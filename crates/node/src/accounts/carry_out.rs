//! Does what is asked about accounts, and says what came of it in lines.

use app::App;
use app::accounts::add::New;
use app::accounts::change::Change;
use app::accounts::list::{PAGE, Row, Wanted};
use app::accounts::{add, change, list};
use app::session::{outside, recover};
use identity::{Role, base32};

use super::Asked;

/// Does what is asked, for whoever holds the node's folder. Returns the lines to print.
///
/// Errors: what to tell.
pub fn carry_out(app: &App, asked: Asked) -> Result<String, String> {
    let done = match asked {
        Asked::Add { username, name, role, patient, practitioner, specialty } => {
            let role = self::role(&role)?;
            let patient = patient.map(patient_id).transpose()?;
            let (specialty, password) = (specialty.filter(|text| !text.is_empty()), None);
            let new = New { username, name, role, patient, practitioner, specialty, password };
            add::add(app, None, new).map(|added| {
                format!(
                    "username              {}\npassword              {}\none-time code secret  {}",
                    added.account.username,
                    added.password.reveal(),
                    base32(added.totp_secret.reveal())
                )
            })
        }
        Asked::List { search, role } => {
            let role = role.as_deref().map(self::role).transpose()?;
            return listed(app, search, role);
        }
        Asked::Show { username } => list::show(app, None, &username).map(|row| shown(&row)),
        Asked::Change { username, role, patient, practitioner, specialty, disabled } => {
            let asked = Change {
                name: None,
                role: role.as_deref().map(self::role).transpose()?,
                patient: patient.map(patient_id).transpose()?,
                practitioner: practitioner.map(Some),
                specialty: specialty.map(|text| Some(text).filter(|text| !text.is_empty())),
                disabled,
            };
            change::change(app, None, &username, &asked)
                .and_then(|_| list::show(app, None, &username))
                .map(|row| shown(&row))
        }
        Asked::Recover { username, one_time_codes } => {
            recover::recover(app, None, &username, one_time_codes)
                .map(|recovered| given_back(&username, &recovered))
        }
        Asked::Link { username, provider, subject } => {
            outside::link_by_operator(app, &username, &provider, &subject)
                .map(|()| format!("`{username}` may sign in through `{provider}` as `{subject}`"))
        }
        Asked::Unlink { username, provider } => {
            outside::unlink_by_operator(app, &username, &provider)
                .map(|removed| format!("{removed} links of `{username}` to `{provider}` removed"))
        }
    };
    done.map_err(|error| error.message)
}

fn role(code: &str) -> Result<Role, String> {
    Role::from_code(code).ok_or_else(|| {
        let codes: Vec<_> = Role::ALL.iter().map(|role| role.code()).collect();
        format!("the role is one of {}", codes.join(", "))
    })
}

fn patient_id(id: String) -> Result<fhir::Id, String> {
    fhir::Id::new(id.strip_prefix("Patient/").unwrap_or(&id)).map_err(|e| e.to_string())
}

fn listed(app: &App, search: String, role: Option<Role>) -> Result<String, String> {
    let mut wanted = Wanted { text: search, role, disabled: None, offset: 0 };
    let mut lines = Vec::new();
    loop {
        let found = list::list(app, None, &wanted).map_err(|e| e.message)?;
        for row in &found.rows {
            let account = &row.account;
            lines.push(format!(
                "{:<24} {:<16} {:<9} {}",
                account.username.as_str(),
                account.role.code(),
                if account.disabled { "disabled" } else { "open" },
                account.display_name
            ));
        }
        wanted.offset += PAGE;
        if found.rows.is_empty() || wanted.offset >= found.total {
            return Ok(lines.join("\n"));
        }
    }
}

fn shown(row: &Row) -> String {
    let account = &row.account;
    let patient = account.patient.as_ref().map(|id| format!("Patient/{id}"));
    let since = fhir::time::instant(account.role_since_ms);
    let mut lines = vec![
        format!("username        {}", account.username),
        format!("name            {}", account.display_name),
        format!("role            {} since {since}", account.role.code()),
        format!("state           {}", if account.disabled { "disabled" } else { "open" }),
        format!("resource        {}", row.resource),
    ];
    lines.extend(account.practitioner.iter().map(|who| format!("practitioner    {who}")));
    lines.extend(patient.iter().map(|who| format!("patient         {who}")));
    lines.extend(row.specialty.iter().map(|text| format!("specialty       {text}")));
    let codes = if account.has_totp { "one-time codes" } else { "no one-time codes" };
    let (passkeys, recovery) = (account.passkeys.len(), account.recovery_codes);
    lines.push(format!("second factors  {passkeys} passkeys, {codes}, {recovery} recovery codes"));
    lines.extend(row.signed_in_ms.map(|ms| format!("signed in       {}", fhir::time::instant(ms))));
    lines.join("\n")
}

fn given_back(username: &str, recovered: &recover::Recovered) -> String {
    let mut lines = vec![
        format!("username              {username}"),
        format!("password              {}", recovered.password.reveal()),
        format!("recovery code         {}", recovered.code.reveal()),
    ];
    let secret = recovered.totp_secret.iter();
    lines.extend(secret.map(|secret| format!("one-time code secret  {}", base32(secret.reveal()))));
    lines.push(
        "the code is good once and for a day; sign in with both and set up a second factor".into(),
    );
    lines.join("\n")
}

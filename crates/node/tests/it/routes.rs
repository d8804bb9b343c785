//! Every route and page of the node, read off the sources, asked by nobody and by every role: what
//! each is answered stands in `policies/routes.txt`, which people review as they review
//! `decisions.txt`. A route without a line there fails this test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use identity::Role;
use reqwest::Method;
use reqwest::redirect::Policy;

use crate::hospitals::{run, shared};

const HEAD: &str = "\
# What nobody and everybody is answered at every route, with an id that leads nowhere and an empty
# body. Made by `CONSILIUM_BLESS=1 cargo test -p consilium-node --test it -- routes::`; not edited by
# hand. A new route is a new line: review it. 303 to the sign-in is `in`; other redirects are `on`.
#
# no: nobody, cl: clinician, pa: patient, pr: privacy officer, op: operator, re: registrar,
# st: steward, co: council member, se: service, px: somebody who may act for patients and has not said
# for whom, rp: representative of patients
";

/// Where routes of a file are nested.
fn prefix(file: &str) -> &'static str {
    match file {
        _ if file.contains("api/src/auth") => "/auth",
        _ if file.contains("api/src/operate") => "/operate",
        _ if file.contains("api/src/agreements") => "/steward/agreements",
        _ if file.contains("api/src/research") => "/research",
        _ => "",
    }
}

/// Routes that end the session with which this test asks, or stand behind the door for nodes.
fn is_left_out(path: &str) -> bool {
    ["/auth/session", "/sign-out"].contains(&path) || path.starts_with("/network/")
}

/// Method and path of every route that is written out in the sources.
pub fn routes() -> BTreeSet<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = pages(&std::fs::read_to_string(root.join("web/src/paths.rs")).unwrap());
    let mut files = Vec::new();
    for folder in ["api/src", "web/src"] {
        walk(&root.join(folder), &mut files);
    }
    let (mut found, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let name = file.to_string_lossy().replace('\\', "/");
        for call in text.split("route(").skip(1) {
            let call = arguments(call);
            let [first, rest @ ..] = call.as_slice() else { continue };
            // The table of the interactions states the method first.
            let method = first.trim_matches('"');
            let (path, methods): (&str, Vec<&str>) = match method {
                "GET" | "POST" | "PUT" | "PATCH" | "DELETE" => (rest[0].as_str(), vec![method]),
                _ => (first.as_str(), rest.iter().flat_map(|rest| methods(rest)).collect()),
            };
            let path = match path.strip_prefix('"') {
                Some(path) => Some(path.trim_end_matches('"').to_owned()),
                None => path.strip_suffix("::ROUTE").and_then(|name| {
                    pages.get(name.rsplit("::").next().unwrap_or_default()).cloned()
                }),
            };
            match path.filter(|path| path.starts_with('/')) {
                Some(path) => {
                    let path = format!("{}{path}", prefix(&name));
                    found.extend(methods.iter().map(|m| ((*m).to_owned(), path.clone())));
                }
                None if methods.is_empty() => {}
                None => {
                    unknown.insert(first.clone());
                }
            }
        }
    }
    // Paths that are made of others: compartments, the operations of terminology, assets, the
    // websocket, and what the door for nodes takes.
    let known = |one: &String| {
        ["&path", "path", "PATH", "route.path"].contains(&one.as_str())
            || one.starts_with("&format!")
            || one.starts_with("path::")
            || one.starts_with("wire::path::")
    };
    unknown.retain(|one| !known(one));
    assert_eq!(unknown, BTreeSet::new(), "paths that this test cannot read");
    found
}

/// Every source file below a folder.
pub fn walk(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        match path.is_dir() {
            true => walk(&path, files),
            false if path.extension().is_some_and(|end| end == "rs") => files.push(path),
            false => {}
        }
    }
}

/// The addresses of the pages by their names.
fn pages(text: &str) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for line in text.lines() {
        let Some((name, rest)) = line.trim().split_once(" = \"") else { continue };
        let rest = format!("\"{}", rest.trim_end_matches(';'));
        let parts: Vec<&str> = rest.split(", ").map(|part| part.trim_matches('"')).collect();
        let path = match parts.as_slice() {
            [whole] | [whole, _] => (*whole).to_owned(),
            [before, id, after] => format!("{before}{{{id}}}{after}"),
            _ => continue,
        };
        pages.insert(name.to_owned(), path);
    }
    for name in ["ChangeAgreement", "AgreementChallenge"] {
        let Some(end) = pages.get(name).cloned() else { continue };
        pages.insert(name.to_owned(), format!("/agreements/{{id}}/versions/{{text}}{end}"));
    }
    // Those that are written out.
    let texts = [("Record", "/patients/{id}/record"), ("OpenApp", "/patients/{id}/apps/{app}")];
    pages.extend(texts.map(|(name, path)| (name.to_owned(), path.to_owned())));
    pages
}

/// The arguments of a call, of which the text begins behind the bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut list) = (0, false, vec![String::new()]);
    for c in text.chars() {
        quoted ^= c == '"';
        match c {
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                list.push(String::new());
                continue;
            }
            _ => {}
        }
        list.last_mut().unwrap().push(c);
    }
    list.into_iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

/// The methods of a method router.
fn methods(router: &str) -> Vec<&'static str> {
    let pairs = [
        ("get(", "GET"),
        ("post(", "POST"),
        ("put(", "PUT"),
        ("patch(", "PATCH"),
        ("delete(", "DELETE"),
    ];
    let is_call = |call: &str| {
        router.match_indices(call).any(|(at, _)| {
            let before = router[..at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        })
    };
    pairs.into_iter().filter(|(call, _)| is_call(call)).map(|(_, method)| method).collect()
}

#[test]
fn every_route_answers_everybody_as_the_table_says() {
    run(async {
        let hospital = &shared().await.all[0];
        let own = hospital.app.store().snapshot().unwrap();
        let patients = store::query::parse(fhirpath::search::Registry::r4(), "Patient", &[]);
        let first = own.find(&patients.unwrap().query, 1, false).unwrap();
        let patient = own.load(&first).unwrap()[0].key.id.to_string();
        drop(own);
        let mut tokens = vec![String::new()];
        for role in [
            Role::Clinician,
            Role::Patient,
            Role::PrivacyOfficer,
            Role::Operator,
            Role::Registrar,
            Role::Steward,
            Role::CouncilMember,
            Role::Service,
            Role::Proxy,
            Role::Representative,
        ] {
            let client = match role {
                Role::Patient => hospital.patient(&patient).await,
                role => hospital.signed_in(role).await,
            };
            tokens.push(client.token().to_owned());
        }
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let columns = ["no", "cl", "pa", "pr", "op", "re", "st", "co", "se", "px", "rp"];
        let mut table = String::from(HEAD);
        writeln!(table, "\n{:<7}{:<62}{}", "", "", columns.map(|c| format!("{c:<4}")).concat())
            .unwrap();
        let mut open = Vec::new();
        for (method, path) in routes().into_iter().filter(|(_, path)| !is_left_out(path)) {
            let address = path
                .split('/')
                .map(|part| match part {
                    "{type}" => "Observation",
                    "{version}" => "1",
                    part if part.starts_with('{') => "nowhere",
                    part => part,
                })
                .collect::<Vec<_>>()
                .join("/");
            let mut line = format!("{method:<7}{path:<62}");
            for token in &tokens {
                let method: Method = method.parse().unwrap();
                let mut request =
                    http.request(method.clone(), format!("{}{address}", hospital.base));
                if !token.is_empty() {
                    let cookie = format!("consilium_session={token}");
                    request = request.bearer_auth(token).header("cookie", cookie);
                }
                if method != Method::GET {
                    let kind = match address.starts_with("/fhir") {
                        true => "application/fhir+json",
                        false => "application/x-www-form-urlencoded",
                    };
                    request = request.header("content-type", kind);
                }
                let answer = request.send().await.unwrap();
                let status = answer.status();
                let leads = answer.headers().get("location").and_then(|to| to.to_str().ok());
                let word = match leads {
                    Some(to) if to.starts_with("/sign-in") => "in".to_owned(),
                    Some(_) if status.is_redirection() => "on".to_owned(),
                    _ => status.as_u16().to_string(),
                };
                assert!(!status.is_server_error(), "{method} {path}: {status}");
                if token.is_empty() && status.is_success() {
                    open.push(format!("{method} {path}"));
                }
                write!(line, "{word:<4}").unwrap();
            }
            writeln!(table, "{}", line.trim_end()).unwrap();
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/routes.txt");
        if std::env::var_os("CONSILIUM_BLESS").is_some() {
            std::fs::write(&file, &table).unwrap();
        }
        assert_eq!(open, OPEN, "what nobody in particular is shown");
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        for (line, expected) in table.lines().zip(committed.lines()) {
            assert_eq!(line, expected, "policies/routes.txt is not what the routes answer");
        }
        assert_eq!(table.lines().count(), committed.lines().count());
    });
}

/// What is shown to nobody in particular.
const OPEN: &[&str] = &[
    "GET /.well-known/openid-configuration",
    "GET /fhir/.well-known/smart-configuration",
    "GET /fhir/metadata",
    "GET /fhir/openapi.json",
    "GET /healthz",
    "GET /oauth/keys",
    "GET /oauth/style.json",
    "GET /sign-in",
    // The page that brings an answer of a provider on, whatever it is; it is judged at the next.
    "GET /sign-in/outside/{id}/callback",
    "POST /passkey-challenge",
];

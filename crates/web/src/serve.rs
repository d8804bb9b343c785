//! The pages over HTTP: each address of [`crate::paths`] bound to the use cases behind it.
//!
//! A handler reads the form, runs a use case of [`app`], and renders a view; what it may show is
//! decided there. Whoever is not signed in is led to sign-in, whoever needs a second factor to
//! step-up, and both come back to the page they wanted.

mod account;
mod accounts;
mod agreements;
mod amend;
mod apply;
mod apps;
mod assets;
mod catalog;
mod clinician;
mod cohorts;
mod council;
mod drafts;
mod entry;
mod frame;
mod grants;
mod grounds;
mod live;
mod operator;
mod outside;
mod papers;
mod patient;
mod patient_council;
mod person;
mod privacy;
mod proxies;
mod recalls;
mod registrar;
mod research;
mod session;
mod simulation;
mod typed;
mod workspace;

use std::sync::Arc;

use app::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use parking_lot::Mutex;

use crate::operator::network::Verification;
use crate::paths::{self, Path};

use self::grounds::AllGrounds;

/// Longest form that is read, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// Who may be asked for anything: scripts, styles and pictures come from here and from nowhere
/// else, no other site may frame a page, and forms send here only. Where forms send stands last, so
/// that the page of an app's request can add the app.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// What the pages keep beside the node itself.
#[derive(Clone)]
pub(crate) struct Web {
    pub app: App,
    pub grounds: Arc<AllGrounds>,
    /// The last verification of the audit log.
    pub verified: Arc<Mutex<Option<Verification>>>,
}

/// The routes of all pages and their static files.
pub fn router(app: App) -> Router {
    let web = Web { app, grounds: Arc::default(), verified: Arc::default() };
    let pages = Router::new()
        .merge(entry_routes())
        .merge(account_routes())
        .merge(clinician_routes())
        .merge(patient_routes())
        .merge(proxy_routes())
        .merge(office_routes())
        .merge(app_routes())
        .merge(agreement_routes())
        .merge(research_routes())
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(map_response(protected))
        .with_state(web);
    pages.merge(
        Router::new()
            .route(paths::Static::ROUTE, get(assets::asset))
            .layer(map_response(protected)),
    )
}

fn entry_routes() -> Router<Web> {
    Router::new()
        .route(paths::Home::ROUTE, get(entry::home))
        .route(paths::SignIn::ROUTE, get(entry::sign_in_page).post(entry::sign_in))
        .route(paths::StepUp::ROUTE, get(entry::step_up_page).post(entry::step_up))
        .route(paths::PasskeySignIn::ROUTE, post(entry::passkey_sign_in))
        .route(paths::PasskeyStepUp::ROUTE, post(entry::passkey_step_up))
        .route(paths::OutsideSignIn::ROUTE, post(outside::sign_in))
        .route(paths::OutsideCallback::ROUTE, get(outside::callback))
        .route(paths::OutsideReturn::ROUTE, get(outside::returned))
        .route(paths::OutsideEnded::ROUTE, post(outside::ended))
        .route(paths::OutsideStepUp::ROUTE, post(outside::step_up))
        .route(paths::SignOut::ROUTE, post(entry::sign_out))
        .route(paths::Preferences::ROUTE, post(entry::preferences))
}

fn account_routes() -> Router<Web> {
    Router::new()
        .route(paths::PasskeyChallenge::ROUTE, post(account::challenge))
        .route(paths::Account::ROUTE, get(account::factors))
        .route(paths::AddPasskey::ROUTE, post(account::add))
        .route(paths::RemovePasskey::ROUTE, post(account::remove))
        .route(paths::LinkProvider::ROUTE, post(outside::link))
        .route(paths::RemoveLink::ROUTE, post(outside::unlink))
        .route(paths::OneTimeCodes::ROUTE, post(account::set_up_one_time_codes))
        .route(paths::ConfirmOneTimeCodes::ROUTE, post(account::confirm_one_time_codes))
        .route(paths::RemoveOneTimeCodes::ROUTE, post(account::remove_one_time_codes))
        .route(paths::RecoveryCodes::ROUTE, post(account::renew_recovery_codes))
}

fn clinician_routes() -> Router<Web> {
    Router::new()
        .route(paths::Find::ROUTE, get(clinician::find))
        .route(paths::Record::ROUTE, get(clinician::record))
        .route(paths::RecordEvents::ROUTE, get(clinician::events))
        .route(paths::Propose::ROUTE, get(grants::propose_page).post(grants::propose))
        .route(paths::Proposal::ROUTE, get(grants::proposal).post(grants::code))
        .route(paths::Ask::ROUTE, get(clinician::ask_page).post(clinician::ask))
        .route(
            paths::BreakGlass::ROUTE,
            get(clinician::break_glass_page).post(clinician::break_glass),
        )
        .route(paths::Notices::ROUTE, get(recalls::notices))
}

fn patient_routes() -> Router<Web> {
    Router::new()
        .route(paths::MyRecord::ROUTE, get(patient::record))
        .route(paths::MyRecordEvents::ROUTE, get(patient::events))
        .route(paths::MyAccesses::ROUTE, get(patient::accesses))
        .route(paths::MyProof::ROUTE, get(patient::proof))
        .route(paths::MyObjections::ROUTE, get(patient::objections).post(patient::object))
        .route(paths::MyObjection::ROUTE, get(patient::object_form))
        .route(paths::MyPermissions::ROUTE, get(patient::permissions).post(patient::decide))
        .route(paths::MySimulation::ROUTE, get(simulation::simulation))
        .route(paths::MyGrants::ROUTE, get(grants::find))
        .route(paths::MyGrant::ROUTE, get(grants::grant))
        .route(paths::MyGrantChallenge::ROUTE, post(grants::challenge))
        .route(paths::MyGrantApprove::ROUTE, post(grants::approve))
        .route(paths::MyGrantCode::ROUTE, post(grants::show_code))
        .route(paths::MyGrantRefuse::ROUTE, post(grants::refuse))
}

fn proxy_routes() -> Router<Web> {
    Router::new()
        .route(paths::MyProxies::ROUTE, get(proxies::mine).post(proxies::invite))
        .route(paths::MyProxy::ROUTE, post(proxies::change))
        .route(paths::Acting::ROUTE, get(proxies::acting).post(proxies::choose))
        .route(paths::AcceptProxy::ROUTE, post(proxies::accept))
        .route(paths::Proxies::ROUTE, get(proxies::office).post(proxies::appoint))
        .route(paths::FindProxies::ROUTE, post(proxies::find))
        .route(paths::EndProxy::ROUTE, post(proxies::end))
}

fn app_routes() -> Router<Web> {
    Router::new()
        .route(paths::AppAuthorize::ROUTE, get(apps::authorize).post(apps::authorize))
        .route(paths::AppConsent::ROUTE, get(apps::consent).post(apps::decide))
        .route(paths::AppPatient::ROUTE, post(apps::choose))
        .route(paths::MyApps::ROUTE, get(apps::mine).post(apps::end))
        .route(paths::PatientApps::ROUTE, get(apps::offer))
        .route(paths::OpenApp::ROUTE, get(apps::open))
        .route(paths::AppRegistry::ROUTE, get(apps::registry).post(apps::register_app))
        .route(paths::RemoveApp::ROUTE, post(apps::remove))
}

fn agreement_routes() -> Router<Web> {
    Router::new()
        .route(paths::Agreements::ROUTE, get(agreements::list))
        .route(paths::NewAgreement::ROUTE, get(drafts::draft_page).post(drafts::draft))
        .route(paths::Agreement::ROUTE, get(agreements::one))
        .route(paths::ChangeAgreement::ROUTE, get(drafts::change_page).post(drafts::change))
        .route(paths::AgreementChallenge::ROUTE, post(agreements::challenge))
        .route(paths::SignAgreement::ROUTE, post(agreements::sign))
        .route(paths::EndAgreement::ROUTE, post(agreements::end))
        .route(paths::BreachAgreement::ROUTE, post(agreements::breach))
        .route(paths::SettleAgreement::ROUTE, post(agreements::settle))
        .route(paths::MyAgreements::ROUTE, get(agreements::mine))
}

fn research_routes() -> Router<Web> {
    Router::new()
        .route(paths::Research::ROUTE, get(research::home))
        .route(paths::Catalog::ROUTE, get(catalog::find).post(catalog::refresh))
        .route(paths::CatalogSet::ROUTE, get(catalog::one))
        .route(paths::NewProject::ROUTE, get(apply::apply_page).post(apply::apply))
        .route(paths::Project::ROUTE, get(research::project::one))
        .route(paths::DecideProject::ROUTE, post(research::project::decide))
        .route(paths::EndProject::ROUTE, post(amend::end))
        .route(paths::PatientCouncil::ROUTE, get(patient_council::list))
        .route(paths::CouncilProject::ROUTE, get(patient_council::one))
        .route(paths::CouncilWord::ROUTE, post(patient_council::say))
        .route(paths::AskQuestion::ROUTE, post(research::ask::ask))
        .route(paths::Question::ROUTE, get(research::question::question))
        .route(paths::DecideAnswer::ROUTE, post(research::question::decide_answer))
        .route(paths::PublishAnswer::ROUTE, post(research::question::publish))
        .route(paths::MyResearch::ROUTE, get(research::mine::mine))
        .route(paths::Workspace::ROUTE, get(workspace::home))
        .route(paths::ProjectWorkspace::ROUTE, get(workspace::one).post(workspace::ask))
        .route(paths::Cohorts::ROUTE, get(cohorts::home).post(cohorts::act))
}

fn office_routes() -> Router<Web> {
    Router::new()
        .route(paths::Council::ROUTE, get(council::affairs))
        .route(paths::NewProposal::ROUTE, get(council::new_page).post(council::propose))
        .route(paths::CouncilProposal::ROUTE, get(council::proposal).post(council::cast))
        .route(paths::PutAside::ROUTE, post(council::put_aside))
        .route(paths::Cuts::ROUTE, post(council::cut))
        .route(paths::BreakGlassReviews::ROUTE, get(privacy::reviews))
        .route(paths::BreakGlassReview::ROUTE, post(privacy::review))
        .route(paths::Denials::ROUTE, get(privacy::denials))
        .route(paths::Witnesses::ROUTE, get(privacy::witnesses))
        .route(paths::AcceptLog::ROUTE, post(privacy::accept))
        .route(paths::Objections::ROUTE, get(privacy::objections))
        .route(paths::AnswerObjection::ROUTE, post(privacy::answer))
        .route(
            paths::Papers::ROUTE,
            get(papers::papers)
                .post(papers::record)
                .layer(DefaultBodyLimit::max(papers::MAX_UPLOAD)),
        )
        .route(paths::PaperPreview::ROUTE, post(papers::preview))
        .route(paths::EndPaper::ROUTE, post(papers::end))
        .route(paths::Reconciliation::ROUTE, get(privacy::reconciliation))
        .route(paths::CloseGaps::ROUTE, post(privacy::close))
        .route(paths::Recalls::ROUTE, get(recalls::list).post(recalls::declare))
        .route(paths::Network::ROUTE, get(operator::network))
        .route(paths::VerifyAudit::ROUTE, post(operator::verify))
        .route(paths::Answering::ROUTE, post(operator::answering))
        .route(paths::Redeliver::ROUTE, post(operator::redeliver))
        .route(paths::Accounts::ROUTE, get(accounts::all).post(accounts::add))
        .route(paths::OneAccount::ROUTE, get(accounts::one).post(accounts::change))
        .route(paths::AccountState::ROUTE, post(accounts::state))
        .route(paths::RecoverAccount::ROUTE, post(accounts::recover))
        .route(paths::Links::ROUTE, get(registrar::links))
        .route(paths::LinkDecision::ROUTE, post(registrar::decide))
        .route(paths::LinkUndo::ROUTE, post(registrar::undo))
}

/// Adds what every answer carries. Only static files may be kept by a browser.
async fn protected(mut response: Response) -> Response {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

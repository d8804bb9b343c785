//! The Task that shows a job to everybody who reads resources.

use fhir::Resource;
use serde_json::json;
use store::{Expect, Key, Method, Write};

use super::{Job, State};
use crate::{App, Error, Result};

/// Code system of the kinds of jobs.
pub const SYSTEM: &str = "https://consilium.health/fhir/CodeSystem/job";
const PROGRESS: &str = "https://consilium.health/fhir/StructureDefinition/job-progress";

/// The write that brings the Task of a job up to date.
pub(super) fn write(app: &App, job: &Job) -> Result<Write> {
    let instant = fhir::time::instant;
    let status = match job.state {
        State::Waiting => "requested",
        State::Running => "in-progress",
        State::Done => "completed",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
    };
    let mut task = json!({
        "resourceType": "Task",
        "id": job.id.as_str(),
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": SYSTEM, "code": job.kind}], "text": job.title},
        "authoredOn": instant(job.created_ms),
        "lastModified": instant(app.now_ms()),
        "requester": {"identifier": {"value": job.owner()}, "display": job.owner_name()},
        "owner": app.organisation_reference(),
        "input": [{"type": {"text": "request"}, "valueString": job.title}],
    });
    if job.progress.total > 0 {
        let done = if job.state == State::Done { job.progress.total } else { job.progress.done };
        task["extension"] = json!([{"url": PROGRESS, "extension": [
            {"url": "done", "valueDecimal": done},
            {"url": "total", "valueDecimal": job.progress.total},
        ]}]);
    }
    if let Some(ended) = job.ended_ms {
        task["executionPeriod"] = json!({"start": instant(job.created_ms), "end": instant(ended)});
    }
    if let Some(failure) = &job.failure {
        task["statusReason"] = json!({"text": failure.message});
    }
    if job.state == State::Done {
        let url = format!("{}/fhir/_jobs/{}", app.org().base_url, job.id);
        task["output"] = json!([{"type": {"text": "result"}, "valueUrl": url}]);
    }
    let resource = Resource::parse(task.to_string())
        .map_err(|e| Error::internal(format!("the task of a job is not valid: {e}")))?;
    let key = Key { resource_type: "Task", id: job.id.clone() };
    Ok(Write::Put { key, resource, expect: Expect::Any, method: Method::Put })
}

//! The `Task` that shows a question to those who read FHIR.

use fhir::{Id, Resource};
use serde_json::json;
use store::{Expect, Key, Method, Write};

use super::ask::{End, Standing};
use crate::records::kept::{GOVERNANCE, KIND_SYSTEM, TASK_SYSTEM};
use crate::{Error, Result};

/// The question as a resource, without its answer, which is released apart.
pub(super) fn put(id: &str, project: &str, standing: &Standing) -> Result<Write> {
    let status = match &standing.end {
        None => "in-progress",
        Some(End::Failed(_)) => "failed",
        Some(_) => "completed",
    };
    let mut task = json!({
        "resourceType": "Task",
        "id": id,
        "meta": {"tag": [{"system": KIND_SYSTEM, "code": GOVERNANCE}]},
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": TASK_SYSTEM, "code": "research-question"}]},
        "focus": {"reference": format!("ResearchStudy/{project}")},
        "output": [{"type": {"text": "rounds"}, "valueUnsignedInt": standing.rounds}],
    });
    if let Some(End::Failed(reason)) = &standing.end {
        task["statusReason"] = json!({"text": reason});
    }
    let resource = Resource::parse(task.to_string()).map_err(|e| Error::internal(e.to_string()))?;
    let id = Id::new(id).map_err(|e| Error::internal(e.to_string()))?;
    let key = Key { resource_type: "Task", id };
    Ok(Write::Put { key, resource, expect: Expect::Any, method: Method::Put })
}

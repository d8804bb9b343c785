//! Sealing a report's shares, each to the aggregator it is for, so that the node that carries them
//! cannot add them up itself.
//!
//! As in DAP (draft-ietf-ppm-dap-18, section 4.4.2): HPKE in base mode; `info` names the kind of
//! message and the role, the associated data the task's context, the report's id, its public share and
//! its commitment. A share moved to another report, role or task does not open.

use crypto::hpke::{OpeningKey, SealingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::commitment::Commitment;
use super::{Report, ReportId, Role, SumError, Summation, bytes};

const INFO: &[u8] = b"consilium sum 1 input share";

/// A report that may travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedReport {
    /// Its name.
    pub id: ReportId,
    /// What both aggregators get.
    #[serde(with = "bytes")]
    pub public_share: Vec<u8>,
    /// What only the leader can open.
    #[serde(with = "bytes")]
    pub leader: Vec<u8>,
    /// What only the helper can open.
    #[serde(with = "bytes")]
    pub helper: Vec<u8>,
    /// What whoever asks checks the sums against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Commitment>,
}

impl Summation {
    /// Seals both shares of a report.
    ///
    /// Errors: [`SumError::Sealed`] for a key that is none.
    pub fn seal(
        &self,
        report: &Report,
        leader: &SealingKey,
        helper: &SealingKey,
    ) -> Result<SealedReport, SumError> {
        let associated =
            self.associated(report.id, &report.public_share, report.commitment.as_ref());
        let seal = |key: &SealingKey, role, share: &[u8]| {
            key.seal(&info(role), &associated, share).map_err(|_| SumError::Sealed)
        };
        Ok(SealedReport {
            id: report.id,
            public_share: report.public_share.clone(),
            leader: seal(leader, Role::Leader, &report.leader)?,
            helper: seal(helper, Role::Helper, &report.helper)?,
            commitment: report.commitment,
        })
    }

    /// Opens the share of this role: what [`super::Aggregator::init`] takes.
    ///
    /// Errors: [`SumError::Sealed`] for another key, task, role or report.
    pub fn open(
        &self,
        report: &SealedReport,
        role: Role,
        key: &OpeningKey,
    ) -> Result<Zeroizing<Vec<u8>>, SumError> {
        let associated =
            self.associated(report.id, &report.public_share, report.commitment.as_ref());
        let sealed = match role {
            Role::Leader => &report.leader,
            Role::Helper => &report.helper,
        };
        key.open(&info(role), &associated, sealed).map_err(|_| SumError::Sealed)
    }

    fn associated(&self, id: ReportId, public: &[u8], commitment: Option<&Commitment>) -> Vec<u8> {
        let commitment = commitment.map_or(&[][..], |commitment| &commitment.0);
        let mut out = Vec::new();
        for part in [self.context(), &id.0, public, commitment] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

fn info(role: Role) -> Vec<u8> {
    [INFO, &[1, role.number()]].concat()
}

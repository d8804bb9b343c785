//! On which cores a process runs.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Fault;

/// The cores that this process may use.
pub fn cores() -> Result<Vec<usize>, Fault> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Has this thread, and every thread that it starts from now on, run on these cores alone. To be called
/// before there are others.
pub fn stay_on(cores: &[usize]) -> Result<(), Fault> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

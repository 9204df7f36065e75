//! What is counted, and where that is served.

use super::{Reader, values};
use crate::config::{Metrics, keys::key};

pub(super) fn metrics(reader: &mut Reader) -> Metrics {
    let metrics = Metrics {
        listen: reader.optional("metrics.listen", values::listen),
        anywhere: reader.value("metrics.anywhere", values::switch),
        operations: reader.value("metrics.operations", values::names),
    };
    if metrics.listen.is_some_and(|address| !address.ip().is_loopback()) && !metrics.anywhere {
        let problem = "nobody is asked who it is there, so it is a loopback address; METRICS_ANYWHERE=true lifts that";
        reader.fault_at(key("metrics.listen"), problem);
    }
    metrics
}

//! What lists bring along (`include[]`): how many records relations were seen to hold, and what a server refused. Does not
//! know what anybody wants to have.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{BrainStem, Fault, Model};
use crate::sources::Credential;

/// How long a server that refused to bring something along is not asked for it again.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Sizes count of about so many records, so that they follow a server that changes.
const REMEMBERED: f64 = 1_000.0;

/// Refused paths by model and path, and mean sizes by model and field.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    refused: Mutex<HashMap<(&'static str, String), Instant>>,
    sizes: Mutex<HashMap<(&'static str, &'static str), Mean>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    records: f64,
    related: f64,
}

impl Learnt {
    /// Those of the paths that the server was not seen to refuse. What lies behind a refused one is refused with it.
    pub(super) fn accepted(&self, model: &'static str, include: &[String], now: Instant) -> Vec<String> {
        let refused = lock(&self.refused);
        let is_refused = |path: &String| {
            let at = refused.get(&(model, path.clone()));
            at.is_some_and(|at| now.saturating_duration_since(*at) < REFUSED_FOR)
        };
        let roots: Vec<_> =
            include.iter().filter(|path| is_refused(path)).map(|path| path.trim_end_matches('*')).collect();
        let behind = |path: &String| roots.iter().any(|root| path.starts_with(root));
        include.iter().filter(|path| !behind(path)).cloned().collect()
    }

    /// The server answered only without these. Which of them it was is not told.
    pub(super) fn refuse(&self, model: &'static str, include: &[String], now: Instant) {
        tracing::warn!(
            source = "BRAINSTEM",
            model,
            "the server did not bring related records along; they are asked for by themselves for a while"
        );
        lock(&self.refused).extend(include.iter().map(|path| ((model, path.clone()), now)));
    }

    /// Takes the sizes of these records' relations into account.
    pub(super) fn measure<'a, T: Model>(&self, records: impl Iterator<Item = &'a T>) {
        let mut seen: HashMap<&'static str, Mean> = HashMap::new();
        for record in records {
            for (field, related) in record.sizes() {
                let mean = seen.entry(field).or_default();
                mean.records += 1.0;
                mean.related += f64::from(u32::try_from(related).unwrap_or(u32::MAX));
            }
        }
        let mut sizes = lock(&self.sizes);
        for (field, seen) in seen {
            let mean = sizes.entry((T::NAME, field)).or_default();
            let kept = (REMEMBERED / (mean.records + seen.records)).min(1.0);
            mean.records = (mean.records + seen.records) * kept;
            mean.related = (mean.related + seen.related) * kept;
        }
    }
}

impl BrainStem {
    /// How many records one of `model` refers to in `field`, on average of those that were shown lately to this one who asks.
    /// `None`: none were yet.
    pub fn mean_size(&self, credential: &Credential, model: &'static str, field: &'static str) -> Option<f64> {
        lock(&self.hints.of(credential.id).learnt.sizes).get(&(model, field)).map(|mean| mean.related / mean.records)
    }
}

/// Whether a failure may be due to what was to come along: a relation that the server does not know, or an answer that
/// has become too large for either side.
pub(super) fn may_be_of_the_include(fault: &Fault) -> bool {
    matches!(fault, Fault::Status(400 | 413 | 414 | 500) | Fault::Invalid(_))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing can panic while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_remembered_for_ten_minutes() {
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let all = paths(&["projects.*", "procedures.*", "procedures.brain_region.*", "proceduresets.*"]);
        let (learnt, at) = (Learnt::default(), Instant::now());
        let accepted = |model, after| learnt.accepted(model, &all, at + after);
        assert_eq!(accepted("subject", Duration::ZERO), all);
        learnt.refuse("subject", &paths(&["procedures.*"]), at);
        let just_before = Duration::from_secs(600) - Duration::from_nanos(1);
        for after in [Duration::ZERO, just_before] {
            assert_eq!(accepted("subject", after), paths(&["projects.*", "proceduresets.*"]), "{after:?}");
            assert_eq!(accepted("project", after), all, "of another model");
        }
        assert_eq!(accepted("subject", Duration::from_secs(600)), all);
        // Refused once more, it counts from then on.
        learnt.refuse("subject", &paths(&["procedures.*"]), at + just_before);
        assert_eq!(accepted("subject", 2 * just_before), paths(&["projects.*", "proceduresets.*"]));
    }
}

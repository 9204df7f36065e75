//! Looks at a file again and again, and hands its text on. Knows nothing of what is in it.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::{error, info};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Hands the file's text to `take`, which gives how many keys it has, or `None` where it is the text from before. A file that is
/// missing or faulty is passed over: the log tells, once. Does not end.
pub(super) async fn follow(variable: &str, path: &Path, take: impl Fn(&str) -> anyhow::Result<Option<usize>>) {
    let mut faulty: Option<String> = None;
    loop {
        sleep(LOOK).await;
        let path = path.to_owned();
        let Ok(text) = spawn_blocking(move || std::fs::read_to_string(path)).await else {
            // The process ends.
            return;
        };
        match text.context("the file cannot be read").and_then(|text| take(&text)) {
            Ok(None) => faulty = None,
            Ok(Some(keys)) => {
                faulty = None;
                tell(variable, keys);
            }
            Err(fault) => {
                let fault = format!("{fault:#}");
                if faulty.as_ref() != Some(&fault) {
                    error!(%fault, "{variable} can't be used: the keys stay as they were");
                    faulty = Some(fault);
                }
            }
        }
    }
}

/// Says that the file has so many keys from now on.
pub(super) fn tell(variable: &str, keys: usize) {
    info!(keys, "the keys of {variable} were read anew");
}

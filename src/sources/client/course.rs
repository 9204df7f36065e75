//! How one request fares, try by try, and what its spans say of that. Nothing of what is asked or answered.

use super::{Answer, Request};
use crate::{sources::SourceError, spans::Place};

/// How a request fared so far.
#[derive(Default)]
pub(super) struct Course {
    /// Tries that were sent.
    pub(super) sent: u32,
    /// Once a connection broke, the next try has one of its own.
    pub(super) is_doubtful: bool,
}

impl Course {
    /// Says of a try's span where it goes to. Paths and queries hold ids and what callers look for.
    pub(super) fn describe(&self, request: &Request, place: &Place) {
        if !place.is_kept() {
            return;
        }
        place.set("http.request.method", request.method.as_str().to_owned());
        place.set_any("server.address", request.url.host_str());
        place.set("server.port", request.url.port_or_known_default().map_or(0, i64::from));
        if self.sent > 0 {
            place.set("http.request.resend_count", i64::from(self.sent));
        }
    }
}

/// Says how it ended.
pub(super) fn describe_end(outcome: &Result<Answer, SourceError>, place: &Place) {
    match outcome {
        Ok(answer) => {
            place.set("http.response.status_code", i64::from(answer.status.as_u16()));
            if answer.status.is_client_error() || answer.status.is_server_error() {
                place.fail();
            }
        }
        Err(error) => {
            place.set_any("error.type", Some(&error.fault));
            place.fail();
        }
    }
}

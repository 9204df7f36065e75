//! Errors as clients see them: a code, a safe message, and what to do next.
//!
//! [`Error`] has no `Display` on purpose: async-graphql publishes the text of anything that has one.

use std::time::Duration;

use async_graphql::ErrorExtensions as _;

use crate::{
    access::Scope,
    cache::writes::WriteError,
    domain::Source,
    loaders::LoadError,
    sources::{Denied, Fault, SourceError, header_of},
};

/// `extensions.code`: every code that a client can meet.
pub mod code {
    pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
    pub const CONFLICT: &str = "CONFLICT";
    pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    pub const FORBIDDEN: &str = "FORBIDDEN";
    pub const RATE_LIMITED: &str = "RATE_LIMITED";
    pub const UPSTREAM_ERROR: &str = "UPSTREAM_ERROR";
    pub const UPSTREAM_TIMEOUT: &str = "UPSTREAM_TIMEOUT";
    pub const UPSTREAM_UNAVAILABLE: &str = "UPSTREAM_UNAVAILABLE";
    pub const UPSTREAM_INVALID_RESPONSE: &str = "UPSTREAM_INVALID_RESPONSE";
    pub const WRITE_OUTCOME_UNKNOWN: &str = "WRITE_OUTCOME_UNKNOWN";
    pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
    pub const QUERY_TOO_DEEP: &str = "QUERY_TOO_DEEP";
    pub const QUERY_TOO_COMPLEX: &str = "QUERY_TOO_COMPLEX";
    pub const GRAPHQL_PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
    pub const GRAPHQL_VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
    pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
    pub const PERSISTED_QUERY_REQUIRED: &str = "PERSISTED_QUERY_REQUIRED";
    pub const PERSISTED_QUERY_NOT_SUPPORTED: &str = "PERSISTED_QUERY_NOT_SUPPORTED";
    pub const OVERLOADED: &str = "OVERLOADED";
    pub const RESULT_TOO_LARGE: &str = "RESULT_TOO_LARGE";
    pub const INTERNAL: &str = "INTERNAL";

    /// All of them.
    pub const ALL: [&str; 21] = [
        BAD_USER_INPUT,
        CONFLICT,
        UNAUTHENTICATED,
        FORBIDDEN,
        RATE_LIMITED,
        UPSTREAM_ERROR,
        UPSTREAM_TIMEOUT,
        UPSTREAM_UNAVAILABLE,
        UPSTREAM_INVALID_RESPONSE,
        WRITE_OUTCOME_UNKNOWN,
        DEADLINE_EXCEEDED,
        QUERY_TOO_DEEP,
        QUERY_TOO_COMPLEX,
        GRAPHQL_PARSE_FAILED,
        GRAPHQL_VALIDATION_FAILED,
        PERSISTED_QUERY_NOT_FOUND,
        PERSISTED_QUERY_REQUIRED,
        PERSISTED_QUERY_NOT_SUPPORTED,
        OVERLOADED,
        RESULT_TOO_LARGE,
        INTERNAL,
    ];
}

/// Why a field has no value.
#[derive(Clone, Debug)]
pub enum Error {
    /// The text names the argument and what was expected.
    BadUserInput(String),
    Load(LoadError),
    /// A source's part of a list is left for later.
    LeftForLater(LoadError),
    /// A write was sent, and nobody knows whether it was carried out.
    OutcomeUnknown(Source),
    /// The caller may not do this.
    NotGranted(Scope),
    /// The source is configured in a way that takes no writes.
    ReadOnly(Source),
    /// A dataset is not there: its subjects are left out.
    PassedOver(LoadError),
    /// So many records of a list could not be read and were left out.
    Unreadable(Source, u64),
}

pub type Result<T> = std::result::Result<T, Error>;

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Failed(error) => Self::Load(LoadError::Source(error)),
            WriteError::Late(source) => Self::Load(LoadError::Deadline(source)),
            WriteError::Unknown(error) => Self::OutcomeUnknown(error.of),
        }
    }
}

/// What a client is told.
struct Told {
    code: &'static str,
    message: String,
    source: Option<Source>,
    retryable: bool,
    retry_after: Option<Duration>,
    http_status: Option<u16>,
}

impl Told {
    fn new(code: &'static str, message: String) -> Self {
        Self { code, message, source: None, retryable: false, retry_after: None, http_status: None }
    }
}

impl Error {
    /// As in `extensions.code`.
    pub(super) fn code(&self) -> &'static str {
        Told::of(self).code
    }

    /// Whose fault it is, where it is a source's.
    pub(super) fn source(&self) -> Option<Source> {
        Told::of(self).source
    }
}

impl Told {
    fn of(error: &Error) -> Self {
        match error {
            Error::BadUserInput(message) => Self::new(code::BAD_USER_INPUT, message.clone()),
            Error::Load(error) => tell_load(error),
            Error::LeftForLater(error) => {
                let told = tell_load(error);
                let retry_after = told.retry_after.or(told.retryable.then_some(COME_BACK_AFTER));
                Self { retry_after, ..told }
            }
            Error::PassedOver(error) => {
                let message = "Haut.AI has not one of the datasets that are served here: its subjects are left out.";
                Self { message: message.to_owned(), ..tell_load(error) }
            }
            Error::OutcomeUnknown(source) => {
                let name = source.title();
                let message = format!(
                    "{name} may or may not have carried out this change: look at what is there before you repeat it."
                );
                Self { source: Some(*source), ..Self::new(code::WRITE_OUTCOME_UNKNOWN, message) }
            }
            Error::NotGranted(scope) => {
                let message = format!("This needs the scope `{}`, which is not granted here.", scope.name());
                Self::new(code::FORBIDDEN, message)
            }
            Error::ReadOnly(source) => {
                let message = format!("{} is served here from a portal that this gateway only reads.", source.title());
                Self { source: Some(*source), ..Self::new(code::FORBIDDEN, message) }
            }
            Error::Unreadable(source, count) => {
                let records = if *count == 1 { "1 record".to_owned() } else { format!("{count} records") };
                let message = format!(
                    "{records} of this list could not be read and left out: {} sent them without a usable id.",
                    source.title()
                );
                Self { source: Some(*source), ..Self::new(code::UPSTREAM_INVALID_RESPONSE, message) }
            }
        }
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        let told = Told::of(&error);
        Self::new(told.message).extend_with(|_, extensions| {
            extensions.set("code", told.code);
            extensions.set("retryable", told.retryable);
            if let Some(source) = told.source {
                extensions.set("source", source.code());
            }
            if let Some(retry_after) = told.retry_after {
                extensions.set("retryAfter", retry_after.as_secs());
            }
            if let Some(status) = told.http_status {
                extensions.set("httpStatus", status);
            }
        })
    }
}

/// When to come back for what a source left for later, where it does not say so itself.
const COME_BACK_AFTER: Duration = Duration::from_secs(5);

fn tell_load(error: &LoadError) -> Told {
    match error {
        LoadError::Source(error) => tell(error),
        LoadError::Deadline(source) => Told {
            source: Some(*source),
            retryable: true,
            ..Told::new(
                code::DEADLINE_EXCEEDED,
                format!("The time for this request was over before {} had answered.", source.title()),
            )
        },
        LoadError::TooMany(source, limit) => Told {
            source: Some(*source),
            ..Told::new(
                code::RESULT_TOO_LARGE,
                format!(
                    "{} has more than {limit} subjects to read before the list can be sorted: narrow it with a `filter` that \
                     {} applies itself, or leave `orderBy` out.",
                    source.title(),
                    source.title()
                ),
            )
        },
        LoadError::Unanswered => {
            tracing::error!("a loader left a key unanswered");
            Told::new(code::INTERNAL, "The gateway failed.".to_owned())
        }
    }
}

/// Neither the answer's text nor the URL, and not why the gateway's own credentials were refused: the log has that.
fn tell(error: &SourceError) -> Told {
    let name = error.of.title();
    let (message, retryable) = match &error.fault {
        Fault::Timeout => (format!("{name} did not answer in time."), true),
        Fault::Unreachable(_) => (format!("{name} could not be reached."), true),
        Fault::Unready { .. } => (format!("{name} is not ready to answer."), true),
        Fault::Paused { .. } => (format!("{name} fails at the moment and is not asked."), true),
        Fault::TooManyRequests { limit } => (
            format!(
                "This operation needs more than {limit} requests to the sources: ask for less at once, or in several \
                 operations."
            ),
            false,
        ),
        Fault::RateLimited { .. } => (format!("{name} is asked too often at the moment."), true),
        Fault::Refused { .. } => (format!("{name} refused the gateway."), false),
        Fault::Denied(denied) => (tell_denied(*denied, error.of), false),
        Fault::Conflict => (format!("{name} is changing the same record at the moment: read it again first."), false),
        Fault::Status(status) => (format!("{name} failed."), *status >= 500),
        Fault::Invalid(_) => (format!("{name} sent an answer that can't be used."), false),
        Fault::Panicked => ("The gateway failed.".to_owned(), false),
    };
    let retry_after = match error.fault {
        Fault::Unready { retry_after, .. } | Fault::RateLimited { retry_after } => retry_after,
        // Told in whole seconds: not one too early.
        Fault::Paused { retry_after } => Some(Duration::from_secs(retry_after.as_secs() + 1)),
        _ => None,
    };
    let http_status = match error.fault {
        Fault::Unready { status, .. } | Fault::Refused { status, .. } | Fault::Status(status) => Some(status),
        Fault::RateLimited { .. } => Some(429),
        Fault::Denied(Denied::Unknown) => Some(401),
        Fault::Denied(Denied::Forbidden) => Some(403),
        Fault::Conflict => Some(409),
        Fault::Timeout
        | Fault::Unreachable(_)
        | Fault::Paused { .. }
        | Fault::TooManyRequests { .. }
        | Fault::Denied(Denied::Missing)
        | Fault::Invalid(_)
        | Fault::Panicked => None,
    };
    Told { code: fault_code(&error.fault), message, source: Some(error.of), retryable, retry_after, http_status }
}

/// What is wrong with the credential that the caller brought.
fn tell_denied(denied: Denied, source: Source) -> String {
    let (name, header) = (source.title(), header_of(source));
    match denied {
        Denied::Missing => format!("Nothing shows {name} who asks: expected your credential for it in `{header}`."),
        Denied::Unknown => {
            format!("{name} does not accept the credential in `{header}`: expected one that has not expired.")
        }
        Denied::Forbidden => format!("{name} does not allow this with the credential in `{header}`."),
    }
}

/// The code of a source's fault.
pub(super) fn fault_code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Timeout => code::UPSTREAM_TIMEOUT,
        Fault::Unreachable(_) | Fault::Unready { .. } | Fault::Paused { .. } => code::UPSTREAM_UNAVAILABLE,
        Fault::TooManyRequests { .. } => code::QUERY_TOO_COMPLEX,
        Fault::RateLimited { .. } => code::RATE_LIMITED,
        Fault::Conflict => code::CONFLICT,
        Fault::Denied(Denied::Missing | Denied::Unknown) => code::UNAUTHENTICATED,
        Fault::Denied(Denied::Forbidden) => code::FORBIDDEN,
        Fault::Refused { .. } | Fault::Status(_) => code::UPSTREAM_ERROR,
        Fault::Invalid(_) => code::UPSTREAM_INVALID_RESPONSE,
        Fault::Panicked => code::INTERNAL,
    }
}

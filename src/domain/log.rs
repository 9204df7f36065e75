//! Logs about a subject.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Dated, Id, Subject};

/// A BrainSTEM subject log. Who keeps it is left out: that is another person.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct SubjectLog {
    pub id: Id<Self>,
    pub kind: Option<String>,
    pub description: Option<String>,
    pub subject: Option<Id<Subject>>,
    pub entries: Vec<LogEntry>,
}

/// One entry: at a moment, or from one to another.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct LogEntry {
    pub date_time: Dated<Timestamp>,
    pub start_date_time: Dated<Timestamp>,
    pub end_date_time: Dated<Timestamp>,
    pub notes: Option<String>,
    pub details: Option<Value>,
}

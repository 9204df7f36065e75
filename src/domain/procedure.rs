//! What was done to a subject.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BrainRegion, Dated, Id, License, Subject};

/// A BrainSTEM procedure; before the renaming, an action.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Procedure {
    pub id: Id<Self>,
    pub kind: Option<String>,
    /// Before the renaming, the description.
    pub notes: Option<String>,
    pub subject: Option<Id<Subject>>,
    pub date_time: Dated<Timestamp>,
    pub brain_region: Option<Id<BrainRegion>>,
    pub licenses: Vec<Id<License>>,
    pub details: Option<Value>,
    pub type_schema_version: Option<String>,
    pub coordinates_system: Option<String>,
    pub coordinates_details: Option<Value>,
    pub coordinates_schema_version: Option<String>,
    /// UUID of a consumable, which the gateway does not serve.
    pub consumable_stock: Option<String>,
    /// UUIDs of equipment, which the gateway does not serve; before the renaming, the hardware device.
    pub equipment: Vec<String>,
    pub created_at: Dated<Timestamp>,
    pub updated_at: Dated<Timestamp>,
}

/// A change of a subject's state (death, slicing, craniotomy), as servers from before the renaming record it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct StateChange {
    pub id: Id<Self>,
    pub kind: Option<String>,
    pub description: Option<String>,
    pub subject: Option<Id<Subject>>,
    pub date_time: Dated<Timestamp>,
    pub brain_region: Option<Id<BrainRegion>>,
    pub details: Option<Value>,
    pub coordinates_system: Option<String>,
    pub coordinates_details: Option<Value>,
}

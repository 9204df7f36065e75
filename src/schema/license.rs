//! `License` and `Supplier`.

use std::sync::Arc;

use async_graphql::{ID, Object};

use super::{context::global_id, scalars::Date, subject::SubjectSource};
use crate::domain::{self, NodeId, Source};

/// A licence that permits work with animals.
pub struct License(pub Arc<domain::License>);

/// A licence that permits work with animals.
#[Object]
impl License {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::License(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the licence.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The type, in BrainSTEM's words.
    #[graphql(name = "type")]
    async fn kind(&self) -> Option<&str> {
        self.0.kind.as_deref()
    }

    /// The status, in BrainSTEM's words.
    async fn status(&self) -> Option<&str> {
        self.0.status.as_deref()
    }

    /// Free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The country that issued it.
    async fn country(&self) -> Option<&str> {
        self.0.country.as_deref()
    }

    /// The number that the authority gave it.
    async fn license_number(&self) -> Option<&str> {
        self.0.license_number.as_deref()
    }

    /// First day of validity. Null: not given, or not readable as a date; `rawValidFrom` has the source's own text.
    async fn valid_from(&self) -> Option<Date> {
        self.0.valid_from.value.map(Date::Day)
    }

    /// First day of validity, as BrainSTEM writes it.
    async fn raw_valid_from(&self) -> Option<&str> {
        self.0.valid_from.raw.as_deref()
    }

    /// Last day of validity. Null: not given, or not readable as a date; `rawValidUntil` has the source's own text.
    async fn valid_until(&self) -> Option<Date> {
        self.0.valid_until.value.map(Date::Day)
    }

    /// Last day of validity, as BrainSTEM writes it.
    async fn raw_valid_until(&self) -> Option<&str> {
        self.0.valid_until.raw.as_deref()
    }

    /// Whether BrainSTEM's public portal shows the licence.
    async fn is_public(&self) -> Option<bool> {
        self.0.is_public
    }
}

/// A supplier of animals.
pub struct Supplier(pub Arc<domain::Supplier>);

/// A supplier of animals.
#[Object]
impl Supplier {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::Supplier(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the supplier.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The address of the supplier's website.
    async fn website(&self) -> Option<&str> {
        self.0.website.as_deref()
    }
}

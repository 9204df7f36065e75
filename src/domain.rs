//! What the gateway speaks of, free of both upstreams' habits: plain types and the rules that normalise values.
//!
//! Knows neither HTTP nor GraphQL and does no I/O.

pub mod age;
pub mod biological_sex;
pub mod breeding;
pub mod cursor;
pub mod dated;
pub mod filter;
pub mod ids;
pub mod license;
pub mod log;
pub mod order;
pub mod procedure;
pub mod project;
pub mod subject;
pub mod taxonomy;
pub mod write;

pub use biological_sex::{BiologicalSex, Company, Dataset};
pub use breeding::{Breeding, Cohort};
pub use dated::Dated;
pub use filter::SubjectFilter;
pub use ids::{DatasetId, HautAiSubjectId, Id, NodeId, SubjectId};
pub use license::{License, Supplier};
pub use log::{LogEntry, SubjectLog};
pub use order::SubjectOrder;
pub use procedure::{Procedure, StateChange};
pub use project::Project;
pub use subject::{Sex, Source, Status, Subject};
pub use taxonomy::{BrainRegion, Species, Strain};

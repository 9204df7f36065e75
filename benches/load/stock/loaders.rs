//! The stock server's loader: one for each type of record, by the upstream's ids.

use std::{collections::HashMap, sync::Arc};

use super::records::{Animal, Failed, Procedure, Project, Upstreams};

pub(super) struct Loader(pub(super) Arc<Upstreams>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AnimalKey(pub(super) String);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ProjectKey(pub(super) String);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ProcedureKey(pub(super) String);

impl async_graphql::dataloader::Loader<AnimalKey> for Loader {
    type Value = Arc<Animal>;
    type Error = Failed;

    async fn load(&self, keys: &[AnimalKey]) -> Result<HashMap<AnimalKey, Arc<Animal>>, Failed> {
        let found = self.0.animals_by_id(keys.iter().map(|key| key.0.as_str())).await?;
        Ok(found.into_iter().map(|animal| (AnimalKey(animal.id.clone()), animal)).collect())
    }
}

impl async_graphql::dataloader::Loader<ProjectKey> for Loader {
    type Value = Arc<Project>;
    type Error = Failed;

    async fn load(&self, keys: &[ProjectKey]) -> Result<HashMap<ProjectKey, Arc<Project>>, Failed> {
        let found = self.0.projects_by_id(keys.iter().map(|key| key.0.as_str())).await?;
        Ok(found.into_iter().map(|project| (ProjectKey(project.id.clone()), project)).collect())
    }
}

impl async_graphql::dataloader::Loader<ProcedureKey> for Loader {
    type Value = Arc<Procedure>;
    type Error = Failed;

    async fn load(&self, keys: &[ProcedureKey]) -> Result<HashMap<ProcedureKey, Arc<Procedure>>, Failed> {
        let found = self.0.procedures_by_id(keys.iter().map(|key| key.0.as_str())).await?;
        Ok(found.into_iter().map(|procedure| (ProcedureKey(procedure.id.clone()), procedure)).collect())
    }
}

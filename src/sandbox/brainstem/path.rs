//! Field paths such as `strain.species.name`, resolved against the models and followed through the records.

use serde_json::Value;

use super::{
    super::store::Store,
    models::{Field, Generation, Kind, Model},
};

/// A path whose every step is a field that exists.
#[derive(Debug)]
pub(super) struct Path {
    /// Relations to follow, each with the plural of the model it leads to.
    steps: Vec<(&'static Field, &'static str)>,
    pub(super) leaf: &'static Field,
}

impl Path {
    /// Resolves the terms of a path; the error is the term that no field answers to.
    pub(super) fn resolve(generation: Generation, model: &'static Model, terms: &[&str]) -> Result<Self, String> {
        let (last, relations) = terms.split_last().ok_or_else(String::new)?;
        let mut steps = Vec::new();
        let mut model = Some(model);
        for term in relations {
            let field = model.and_then(|model| model.field(term)).ok_or(*term)?;
            let related = field.kind.related().ok_or(*term)?;
            steps.push((field, related));
            model = generation.model_of(related);
        }
        // A relation holds its record's id: there is no need to follow it for that.
        if matches!(*last, "id" | "pk")
            && let Some((leaf, _)) = steps.pop()
        {
            return Ok(Self { steps, leaf });
        }
        let leaf = model.and_then(|model| model.field(last)).ok_or(*last)?;
        Ok(Self { steps, leaf })
    }

    /// Whether it is the record's own id.
    pub(super) fn is_id(&self) -> bool {
        self.steps.is_empty() && self.leaf.kind == Kind::Id
    }

    /// The values at the path's end; none where a relation leads nowhere or the value is null.
    pub(super) fn values<'a>(&self, store: &'a Store, record: &'a Value) -> Vec<&'a Value> {
        let mut records = vec![record];
        for (field, list) in &self.steps {
            records = records
                .into_iter()
                .flat_map(|record| items(record.get(field.name)))
                .filter_map(|id| store.get(list, id.as_str()?))
                .collect();
        }
        records
            .into_iter()
            .flat_map(|record| match self.leaf.kind {
                Kind::Many(_) | Kind::Tags => items(record.get(self.leaf.name)),
                _ => record.get(self.leaf.name).into_iter().collect(),
            })
            .filter(|value| !value.is_null())
            .collect()
    }
}

/// A list's items, or the one value that is not a list.
fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        value => value.into_iter().collect(),
    }
}

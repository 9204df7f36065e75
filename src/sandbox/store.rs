//! Records by model, in order of insertion. Knows nothing about what they mean.

use std::collections::HashMap;

use serde_json::Value;

/// The records of one model.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    rows: Vec<Value>,
    /// The position of the first row with an id; rows without an id have none.
    positions: HashMap<String, usize>,
}

impl Table {
    pub(super) fn rows(&self) -> &[Value] {
        &self.rows
    }

    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.positions.get(id).copied()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Value> {
        self.position(id).map(|position| &self.rows[position])
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Value> {
        self.position(id).map(|position| &mut self.rows[position])
    }

    pub(super) fn push(&mut self, record: Value) {
        if let Some(id) = id_of(&record) {
            self.positions.entry(id.to_owned()).or_insert(self.rows.len());
        }
        self.rows.push(record);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Value> {
        let removed = self.rows.remove(self.position(id)?);
        self.index();
        Some(removed)
    }

    fn index(&mut self) {
        self.positions.clear();
        for (position, row) in self.rows.iter().enumerate() {
            if let Some(id) = id_of(row) {
                self.positions.entry(id.to_owned()).or_insert(position);
            }
        }
    }
}

/// All tables of one upstream, by the plural name of their model.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    tables: HashMap<String, Table>,
}

impl Store {
    /// The rows of a model; none where it has no table.
    pub(super) fn rows(&self, model: &str) -> &[Value] {
        self.tables.get(model).map_or(&[], Table::rows)
    }

    pub(super) fn position(&self, model: &str, id: &str) -> Option<usize> {
        self.tables.get(model)?.position(id)
    }

    pub(super) fn get(&self, model: &str, id: &str) -> Option<&Value> {
        self.tables.get(model)?.get(id)
    }

    pub(super) fn get_mut(&mut self, model: &str, id: &str) -> Option<&mut Value> {
        self.tables.get_mut(model)?.get_mut(id)
    }

    pub(super) fn push(&mut self, model: &str, record: Value) {
        self.tables.entry(model.to_owned()).or_default().push(record);
    }

    pub(super) fn extend(&mut self, model: &str, records: impl IntoIterator<Item = Value>) {
        for record in records {
            self.push(model, record);
        }
    }

    pub(super) fn remove(&mut self, model: &str, id: &str) -> Option<Value> {
        self.tables.get_mut(model)?.remove(id)
    }
}

/// A record's id, where it has a readable one.
pub(super) fn id_of(record: &Value) -> Option<&str> {
    record.get("id").and_then(Value::as_str)
}

/// Whether a list of ids holds one; anything that is not a list holds none.
pub(super) fn holds(list: Option<&Value>, id: &str) -> bool {
    let items = list.and_then(Value::as_array);
    items.is_some_and(|items| items.iter().any(|item| item == id))
}

/// The texts of a list; none where it is not a list.
pub(super) fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let items = list.and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str)
}

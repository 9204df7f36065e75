//! `include[]` and `exclude[]`: which fields a record shows, and which related records come beside or inside it.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    super::{exchange::Answer, store::id_of},
    models::{Field, Generation, Kind, Model},
    sight::Sight,
};

/// What a query wants of each record.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Relations to bring, and what to bring of those.
    relations: Vec<(&'static Field, Self)>,
    /// `exclude[]=*` was given: only these fields stay.
    only: Option<HashSet<String>>,
    without: HashSet<String>,
}

impl Selection {
    pub(super) fn parse(
        generation: Generation,
        model: &'static Model,
        pairs: &[(String, String)],
    ) -> Result<Self, Answer> {
        let mut selection = Self::default();
        let mut shown = HashSet::new();
        let given = |name: &'static str| pairs.iter().filter(move |(key, _)| key == name);
        for (_, path) in given("include[]") {
            let terms: Vec<&str> = path.split('.').collect();
            shown.insert(terms[0].to_owned());
            selection.include(generation, model, &terms)?;
        }
        for (_, name) in given("exclude[]") {
            if name == "*" {
                selection.only = Some(shown.clone());
            } else if name == "links" || model.field(name).is_some() {
                selection.without.insert(name.clone());
            } else {
                return Err(invalid(model, name));
            }
        }
        Ok(selection)
    }

    /// Follows one path: all terms but the last are relations to bring.
    fn include(&mut self, generation: Generation, model: &'static Model, terms: &[&str]) -> Result<(), Answer> {
        let [term, rest @ ..] = terms else {
            return Ok(());
        };
        if rest.is_empty() {
            let known = matches!(*term, "*" | "" | "links") || model.field(term).is_some();
            return if known { Ok(()) } else { Err(invalid(model, term)) };
        }
        let field = model.field(term).filter(|field| field.kind.related().is_some());
        let field = field.ok_or_else(|| invalid(model, term))?;
        let known = self.relations.iter().position(|(known, _)| known.name == field.name);
        let position = known.unwrap_or_else(|| {
            self.relations.push((field, Self::default()));
            self.relations.len() - 1
        });
        let related = field.kind.related().and_then(|list| generation.model_of(list));
        match related {
            Some(related) => self.relations[position].1.include(generation, related, rest),
            None => Ok(()),
        }
    }

    fn shows(&self, name: &str) -> bool {
        let chosen = self.only.as_ref().is_none_or(|only| only.contains(name));
        chosen && !self.without.contains(name)
    }
}

fn invalid(model: &Model, name: &str) -> Answer {
    let message = format!("\"{name}\" is not a valid field name for \"{}\"", model.name);
    Answer::detail(400, &message)
}

/// Turns stored records into what goes over the wire.
pub(super) struct Renderer<'a> {
    generation: Generation,
    sight: &'a Sight<'a>,
    /// Related records replace their ids.
    nested: bool,
    /// The plural of the records that were asked for.
    primary: &'a str,
    seen: HashSet<(&'static str, String)>,
    /// Related records by their key, in order of appearance.
    pub(super) sideloaded: Map<String, Value>,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(generation: Generation, sight: &'a Sight<'a>, nested: bool, primary: &'a str) -> Self {
        Self { generation, sight, nested, primary, seen: HashSet::new(), sideloaded: Map::new() }
    }

    /// A record of the primary list.
    pub(super) fn primary(&mut self, model: &'static Model, record: &Value, selection: &Selection) -> Value {
        let rendered = self.render(model, record, selection);
        if let Some(id) = id_of(record) {
            self.seen.insert((model.list, id.to_owned()));
        }
        rendered
    }

    fn render(&mut self, model: &'static Model, record: &Value, selection: &Selection) -> Value {
        let Value::Object(stored) = record else {
            return record.clone();
        };
        let mut shown: Map<String, Value> = stored
            .iter()
            .filter(|(name, _)| selection.shows(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if self.generation == Generation::Legacy && selection.shows("links") {
            shown.insert("links".to_owned(), links(model, record));
        }
        for (field, inner) in &selection.relations {
            if let Some(value) = shown.get_mut(field.name) {
                self.relate(field, value, inner);
            }
        }
        Value::Object(shown)
    }

    fn relate(&mut self, field: &'static Field, value: &mut Value, selection: &Selection) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.relate(field, item, selection);
                }
            }
            Value::String(id) => {
                if let Some(related) = self.related(field, id, selection) {
                    *value = related;
                }
            }
            _ => {}
        }
    }

    /// Puts a related record beside the primary ones, or returns it to stand for its id.
    fn related(&mut self, field: &'static Field, id: &str, selection: &Selection) -> Option<Value> {
        let list = field.kind.related()?;
        let model = self.generation.model_of(list)?;
        let record = self.sight.get(list, id)?;
        if self.nested {
            return Some(self.render(model, record, selection));
        }
        let first = !self.seen.contains(&(model.list, id.to_owned()));
        if first || !selection.relations.is_empty() {
            let rendered = self.render(model, record, selection);
            if self.seen.insert((model.list, id.to_owned())) {
                let own = if list == self.primary { "+" } else { "" };
                let key = format!("{own}{list}");
                let records = self.sideloaded.entry(key).or_insert_with(|| json!([]));
                records.as_array_mut()?.push(rendered);
            }
        }
        None
    }
}

/// The addresses of a record's lists that are not empty.
fn links(model: &Model, record: &Value) -> Value {
    let lists = model.fields.iter().filter(|field| {
        let items = record.get(field.name).and_then(Value::as_array);
        matches!(field.kind, Kind::Many(_)) && items.is_some_and(|items| !items.is_empty())
    });
    lists.map(|field| (field.name.to_owned(), json!(format!("{}/", field.name)))).collect::<Map<_, _>>().into()
}

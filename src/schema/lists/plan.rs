//! What is to be written of each object of a level, found out once for all of them.

use async_graphql::{
    ContextSelectionSet, Positioned, QueryPathNode, QueryPathSegment,
    parser::types::{Field, Selection, SelectionSet},
};
use futures::{
    FutureExt as _,
    future::{BoxFuture, OptionFuture, join_all},
};

use super::{Record, out::Out};
use crate::loaders::Loaders;

/// How a field is written.
pub enum Step<'q, T> {
    /// From the record alone. It can't fail.
    Plain(fn(&T, &mut Out)),
    /// With other objects, whose own fields are planned as well.
    Related(Box<dyn Relation<T> + 'q>),
    /// By the resolver of the schema, for each object.
    Stock,
}

/// Other objects that a level's objects lead to.
pub trait Relation<T>: Send + Sync {
    /// Loads them for the whole level at once, and in turn what is selected of them.
    fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&T]) -> BoxFuture<'p, Box<dyn Loaded<T> + 'p>>;
}

/// What a level's objects lead to, loaded.
pub trait Loaded<T>: Send {
    /// Writes the field of the object that stands at this place of the level. A failure becomes null, and an error at the
    /// path of the field.
    fn write(&mut self, at: usize, object: &T, path: &QueryPathNode<'_>, out: &mut Out);
}

/// A selection of objects of one type, ready to be written for any number of them.
pub(in crate::schema) struct Plan<'q, T> {
    pub(super) fields: Vec<Planned<'q, T>>,
}

pub(super) struct Planned<'q, T> {
    pub(super) field: &'q Positioned<Field>,
    /// With quotes and colon.
    key: String,
    pub(super) step: Step<'q, T>,
}

/// A field as the types' own tables see it.
#[derive(Clone, Copy)]
pub struct Selected<'q> {
    pub(super) ctx: &'q ContextSelectionSet<'q>,
    pub(super) field: &'q Positioned<Field>,
}

impl<'q> Selected<'q> {
    /// The field's name in the schema.
    pub(in crate::schema) fn name(self) -> &'q str {
        &self.field.node.name.node
    }

    /// What is selected of the field's objects; `None`: a part of it is for resolvers.
    pub(in crate::schema) fn plan<U: Record>(self) -> Option<Plan<'q, U>> {
        let plan = Plan::of(self.ctx, &self.field.node.selection_set.node)?;
        let is_stock = |planned: &Planned<'_, U>| matches!(planned.step, Step::Stock);
        (!plan.fields.iter().any(is_stock)).then_some(plan)
    }
}

impl<'q, T: Record> Plan<'q, T> {
    /// `None`: the selection depends on the type of the object. Where the type is known it never does, since fragments
    /// are written out before anything is executed.
    pub(super) fn of(ctx: &'q ContextSelectionSet<'q>, selection: &'q SelectionSet) -> Option<Self> {
        let fields = selection.items.iter().map(|item| match &item.node {
            Selection::Field(field) => Some(Planned::of(Selected { ctx, field })),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
        });
        Some(Self { fields: fields.collect::<Option<_>>()? })
    }

    /// Loads all that these objects lead to.
    pub(super) fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&T]) -> BoxFuture<'p, Level<'p, T>> {
        let loads: Vec<_> = self.fields.iter().map(|planned| planned.load(loaders, objects).into()).collect();
        let loaded = join_all::<Vec<OptionFuture<_>>>(loads);
        async move { Level { plan: self, loaded: loaded.await } }.boxed()
    }
}

impl<'q, T: Record> Planned<'q, T> {
    fn of(selected: Selected<'q>) -> Self {
        let field = selected.field;
        // A name needs no escapes.
        let key = format!("\"{}\":", field.node.response_key().node);
        let step = match selected.name() {
            "__typename" => Step::Plain(|_, out| out.put(&*T::type_name())),
            _ => T::step(selected).unwrap_or(Step::Stock),
        };
        Self { field, key, step }
    }

    fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&T]) -> Option<BoxFuture<'p, Box<dyn Loaded<T> + 'p>>> {
        match &self.step {
            Step::Related(relation) => Some(relation.load(loaders, objects)),
            Step::Plain(_) | Step::Stock => None,
        }
    }
}

/// Objects of a level, with all that is needed to write them.
pub(super) struct Level<'p, T> {
    plan: &'p Plan<'p, T>,
    /// For each of the plan's fields.
    loaded: Vec<Option<Box<dyn Loaded<T> + 'p>>>,
}

impl<T> Level<'_, T> {
    /// Writes the object that stands at this place of the level; `stock` writes the fields that resolvers gave, by their
    /// place among the selected ones.
    pub(super) fn write(
        &mut self,
        at: usize,
        object: &T,
        path: &QueryPathNode<'_>,
        out: &mut Out,
        stock: impl Fn(usize, &mut Out),
    ) {
        let mut opening = "{";
        for (place, (planned, loaded)) in self.plan.fields.iter().zip(&mut self.loaded).enumerate() {
            out.verbatim(opening);
            opening = ",";
            out.verbatim(&planned.key);
            match (&planned.step, loaded) {
                (Step::Plain(write), _) => write(object, out),
                (Step::Related(_), Some(loaded)) => {
                    let name = &planned.field.node.response_key().node;
                    let path = QueryPathNode { parent: Some(path), segment: QueryPathSegment::Name(name) };
                    loaded.write(at, object, &path, out);
                }
                (Step::Related(_) | Step::Stock, _) => stock(place, out),
            }
        }
        out.verbatim(if opening == "{" { "{}" } else { "}" });
    }
}

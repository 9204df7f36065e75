//! Lists of objects, written as JSON a level at a time.
//!
//! async-graphql resolves every field of every object with a future of its own and puts a tree of values together, which
//! takes several times as long as all else about a warm list. Here what is selected is found out once for a level, which is
//! all objects of one type that one selection stands for; what they refer to is asked for in one go; and then everything
//! is written into one text.
//!
//! The resolvers stay the definition of the schema. A type's table ([`Record::step`]) says how to write fields that need
//! no resolver; whatever it leaves out, such as a field with a filter, is left to the resolver, and below the list itself
//! so is all that leads there. What tables say must be what resolvers say: a test compares the answers of both, byte by
//! byte, for generated documents. Extensions of async-graphql would not be told of these fields: the schema has none.

use std::borrow::Cow;

use async_graphql::{
    ContainerType, ContextSelectionSet, OutputType, Positioned, QueryPathNode, QueryPathSegment, Response,
    ServerResult, Value, parser::types::Field, registry::Registry, resolver_utils::resolve_list,
};
use futures::future::{join, join_all};

use super::RequestContext;
use out::Out;
use plan::{Plan, Selected, Step};

pub(super) mod out;
mod pages;
mod plan;
mod related;
mod tables;
mod within;

/// In a request's data: every list is resolved as async-graphql does it by itself. For the test that compares the two.
#[derive(Clone, Copy, Debug)]
pub struct StockLists;

/// An object type whose lists are written here.
pub trait Record: ContainerType + Sized + 'static {
    /// How a field is written; `None`: by its resolver.
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>>;
}

/// A list of objects, none of them null.
pub(super) struct Records<'a, T>(pub(super) Vec<&'a T>);

impl<T: Record> OutputType for Records<'_, T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let is_stock = ctx.data_opt::<StockLists>().is_some();
        match Plan::of(ctx, &ctx.item.node).filter(|_| !is_stock) {
            Some(plan) => written(ctx, &plan, &self.0).await,
            None => resolve_list(ctx, field, &self.0, Some(self.0.len())).await,
        }
    }
}

/// An answer as serde would write it. Lists are taken over as they were written, where serde reads them once more.
pub fn to_json(response: &Response) -> String {
    let mut out = Out::with_capacity(USUAL_SIZE + out::written_before(&response.data));
    let mut opening = "{";
    if !response.errors.is_empty() {
        out.verbatim("{\"errors\":");
        out.serialize(&response.errors);
        opening = ",";
    }
    out.verbatim(opening);
    out.verbatim("\"data\":");
    out.put(&response.data);
    if !response.extensions.is_empty() {
        out.verbatim(",\"extensions\":");
        out.serialize(&response.extensions);
    }
    out.verbatim("}");
    out.into_text()
}

/// Bytes of an object, or of what stands around lists, roughly.
const USUAL_SIZE: usize = 512;

async fn written<T: Record>(ctx: &ContextSelectionSet<'_>, plan: &Plan<'_, T>, objects: &[&T]) -> ServerResult<Value> {
    let loaders = &ctx.data_unchecked::<RequestContext>().loaders;
    let (mut level, stock) = join(plan.load(loaders, objects), stock(ctx, plan, objects)).await;
    // A field that can't be null and failed leaves no list. Its error is the list's, as async-graphql has it; of several
    // the first by order, where async-graphql has the first in time: which one is told is left open by the specification.
    let mut resolved = Vec::with_capacity(stock.len());
    for (at, fields) in stock.into_iter().enumerate() {
        let fields: ServerResult<Vec<_>> = fields.into_iter().collect();
        resolved.push(fields.map_err(|error| ctx.with_index(at).set_error_path(error))?);
    }
    let mut out = Out::with_capacity(objects.len() * USUAL_SIZE);
    out.list(objects.iter().enumerate(), |_, (at, object), out| {
        let path = QueryPathNode { parent: ctx.path_node.as_ref(), segment: QueryPathSegment::Index(at) };
        level.write(at, object, &path, out, |place, out| match &resolved[at][place] {
            Some(value) => out.put(value),
            None => out.null(),
        });
    });
    for error in std::mem::take(&mut out.errors) {
        ctx.add_error(error);
    }
    Ok(out::raw(out.into_text()))
}

/// What resolvers say of each object: for each of the plan's fields, a value where it is theirs.
async fn stock<T: Record>(
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<'_, T>,
    objects: &[&T],
) -> Vec<Vec<ServerResult<Option<Value>>>> {
    if !plan.fields.iter().any(|planned| matches!(planned.step, Step::Stock)) {
        return objects.iter().map(|_| Vec::new()).collect();
    }
    join_all(objects.iter().enumerate().map(|(at, object)| async move {
        let ctx = &ctx.with_index(at);
        join_all(plan.fields.iter().map(|planned| async move {
            match planned.step {
                Step::Stock => object.resolve_field(&ctx.with_field(planned.field)).await,
                Step::Plain(_) | Step::Related(_) => Ok(None),
            }
        }))
        .await
    }))
    .await
}

#[cfg(test)]
mod tests {
    use async_graphql::{Name, Response, Value, indexmap::IndexMap};

    use super::{USUAL_SIZE, out::raw, to_json};

    /// Answers are kept as they were written, and counted by their length.
    #[test]
    fn an_answer_takes_no_more_room_than_it_is_long() {
        let list = raw(format!("[{}]", "1,".repeat(50_000)));
        let fields = IndexMap::from([(Name::new("lists"), Value::List(vec![list]))]);
        let text = to_json(&Response::new(Value::Object(fields)));
        assert!(text.capacity() <= text.len() + USUAL_SIZE, "{} for {}", text.capacity(), text.len());
    }
}

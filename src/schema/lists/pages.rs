//! Connections below a list: a page of the records that each object lists by their ids.

use std::sync::Arc;

use async_graphql::{Pos, QueryPathNode};
use futures::{FutureExt as _, future::BoxFuture};

use super::{
    Record,
    out::Out,
    plan::{Level, Loaded, Plan, Relation, Selected, Step},
    related::{Asked, Found, Load},
};
use crate::{
    domain::{Id, cursor::Fingerprint},
    loaders::Loaders,
    schema::{
        connection::{Begun, Connection, NestedPage},
        error::Result,
    },
};

impl<'q> Selected<'q> {
    /// A page of the records that each object lists, or null where it has no list. `list`: what its cursors belong to.
    pub(in crate::schema) fn page<T, V, G>(
        self,
        ids: fn(&T) -> Option<&[Id<V>]>,
        list: fn(&T) -> Fingerprint,
        load: Load<Id<V>, V>,
        wrap: fn(Arc<V>) -> G,
    ) -> Option<Step<'q, T>>
    where
        T: Record,
        V: Send + Sync + 'static,
        G: Record,
    {
        let page = NestedPage::of(&self.ctx.with_field(self.field))?;
        let (plan, pos) = (self.plan()?, self.field.pos);
        Some(Step::Related(Box::new(Pages { ids, list, load, wrap, page, plan, pos })))
    }
}

struct Pages<'q, T, V, G> {
    ids: fn(&T) -> Option<&[Id<V>]>,
    list: fn(&T) -> Fingerprint,
    load: Load<Id<V>, V>,
    wrap: fn(Arc<V>) -> G,
    page: Result<NestedPage>,
    plan: Plan<'q, Connection<G>>,
    pos: Pos,
}

impl<T, V, G> Relation<T> for Pages<'_, T, V, G>
where
    T: Record,
    V: Send + Sync + 'static,
    G: Record,
{
    fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&T]) -> BoxFuture<'p, Box<dyn Loaded<T> + 'p>> {
        let mut asked = Asked::with_capacity(objects.len());
        let begun: Vec<_> = objects.iter().map(|object| self.begin(object, &mut asked)).collect();
        async move {
            let found = (self.load)(loaders, asked.keys.clone()).await;
            let mut connections = Vec::with_capacity(begun.len());
            let mut place = |connection| {
                connections.push(connection);
                connections.len() - 1
            };
            let pages = begun
                .into_iter()
                .enumerate()
                .map(|(at, begun)| Some(begun?.and_then(|begun| self.page(begun, at, &asked, &found)).map(&mut place)));
            let pages = pages.collect();
            let level = self.plan.load(loaders, &connections.iter().collect::<Vec<_>>()).await;
            Box::new(LoadedPages { pages, connections, level, pos: self.pos }) as Box<dyn Loaded<T>>
        }
        .boxed()
    }
}

impl<T, V, G> Pages<'_, T, V, G> {
    /// An object's page as far as its ids tell; its records are noted among those to be asked for.
    fn begin(&self, object: &T, asked: &mut Asked<Id<V>>) -> Option<Result<Begun<'_>>> {
        let ids = (self.ids)(object);
        let page = self.page.as_ref().ok();
        asked.note(ids.zip(page).map(|(ids, page)| page.wanted(ids)));
        let ids = ids?;
        Some(self.page.as_ref().map(|page| page.begin(ids, || (self.list)(object))).map_err(Clone::clone))
    }

    /// The page of the object that stands at this place of the level.
    fn page(&self, begun: Begun<'_>, at: usize, asked: &Asked<Id<V>>, found: &Found<V>) -> Result<Connection<G>> {
        let mut records = Vec::new();
        for (index, key) in asked.of(at).unwrap_or_default().iter().enumerate() {
            if let Some(record) = &found[*key].as_ref().map_err(Clone::clone)? {
                records.push((index, asked.keys[*key], (self.wrap)(Arc::clone(record))));
            }
        }
        Ok(begun.connection(records))
    }
}

struct LoadedPages<'p, G> {
    /// Of each object the place of its page; `None`: it has no list.
    pages: Vec<Option<Result<usize>>>,
    connections: Vec<Connection<G>>,
    level: Level<'p, Connection<G>>,
    pos: Pos,
}

impl<T, G: Record> Loaded<T> for LoadedPages<'_, G> {
    fn write(&mut self, at: usize, _: &T, path: &QueryPathNode<'_>, out: &mut Out) {
        match &self.pages[at] {
            None => out.null(),
            Some(Err(error)) => out.failed(error.clone(), self.pos, path),
            Some(Ok(place)) => self.level.write(*place, &self.connections[*place], path, out, |_, out| out.null()),
        }
    }
}

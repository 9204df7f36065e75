//! Objects that their parents hold or are made of: nothing has to be loaded to reach them.

use std::ops::Range;

use async_graphql::{QueryPathNode, QueryPathSegment};
use futures::{FutureExt as _, future::BoxFuture};

use super::{
    Record,
    out::Out,
    plan::{Level, Loaded, Plan, Relation, Selected, Step},
};
use crate::loaders::Loaders;

impl<'q> Selected<'q> {
    /// An object that each object holds.
    pub(in crate::schema) fn within<T: Record, U: Record>(self, of: fn(&T) -> &U) -> Option<Step<'q, T>> {
        Some(Step::Related(Box::new(Within { of, plan: self.plan()? })))
    }

    /// Objects that each object holds in a list of items, each in one.
    pub(in crate::schema) fn all_within<T, I, U>(self, items: fn(&T) -> &[I], of: fn(&I) -> &U) -> Option<Step<'q, T>>
    where
        T: Record,
        I: 'static,
        U: Record,
    {
        Some(Step::Related(Box::new(AllWithin { items, of, plan: self.plan()? })))
    }

    /// An object that is made of a part of each object, or null.
    pub(in crate::schema) fn made<T: Record, U: Record>(self, make: fn(&T) -> Option<U>) -> Option<Step<'q, T>> {
        Some(Step::Related(Box::new(Made { make: Make::One(make), plan: self.plan()? })))
    }

    /// Objects that are made of parts of each object.
    pub(in crate::schema) fn all_made<T: Record, U: Record>(self, make: fn(&T) -> Vec<U>) -> Option<Step<'q, T>> {
        Some(Step::Related(Box::new(Made { make: Make::All(make), plan: self.plan()? })))
    }
}

struct Within<'q, T, U> {
    of: fn(&T) -> &U,
    plan: Plan<'q, U>,
}

impl<T: Record, U: Record> Relation<T> for Within<'_, T, U> {
    fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&T]) -> BoxFuture<'p, Box<dyn Loaded<T> + 'p>> {
        let held: Vec<&U> = objects.iter().map(|object| (self.of)(object)).collect();
        let level = self.plan.load(loaders, &held);
        async move { Box::new(LoadedWithin { of: self.of, level: level.await }) as Box<dyn Loaded<T>> }.boxed()
    }
}

struct LoadedWithin<'p, T, U> {
    of: fn(&T) -> &U,
    level: Level<'p, U>,
}

impl<T: Record, U: Record> Loaded<T> for LoadedWithin<'_, T, U> {
    fn write(&mut self, at: usize, object: &T, path: &QueryPathNode<'_>, out: &mut Out) {
        self.level.write(at, (self.of)(object), path, out, |_, out| out.null());
    }
}

struct AllWithin<'q, T, I, U> {
    items: fn(&T) -> &[I],
    of: fn(&I) -> &U,
    plan: Plan<'q, U>,
}

impl<T: Record, I: 'static, U: Record> Relation<T> for AllWithin<'_, T, I, U> {
    fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&T]) -> BoxFuture<'p, Box<dyn Loaded<T> + 'p>> {
        let mut begins = Vec::with_capacity(objects.len());
        let mut held: Vec<&U> = Vec::with_capacity(objects.len());
        for object in objects {
            begins.push(held.len());
            held.extend((self.items)(object).iter().map(self.of));
        }
        let level = self.plan.load(loaders, &held);
        async move { Box::new(LoadedAllWithin { relation: self, begins, level: level.await }) as Box<dyn Loaded<T>> }
            .boxed()
    }
}

struct LoadedAllWithin<'p, T, I, U> {
    relation: &'p AllWithin<'p, T, I, U>,
    /// Where each object's own begin in the level.
    begins: Vec<usize>,
    level: Level<'p, U>,
}

impl<T: Record, I: 'static, U: Record> Loaded<T> for LoadedAllWithin<'_, T, I, U> {
    fn write(&mut self, at: usize, object: &T, path: &QueryPathNode<'_>, out: &mut Out) {
        let begin = self.begins[at];
        out.list((self.relation.items)(object), |index, item, out| {
            let path = QueryPathNode { parent: Some(path), segment: QueryPathSegment::Index(index) };
            self.level.write(begin + index, (self.relation.of)(item), &path, out, |_, out| out.null());
        });
    }
}

struct Made<'q, T, U> {
    make: Make<T, U>,
    plan: Plan<'q, U>,
}

enum Make<T, U> {
    One(fn(&T) -> Option<U>),
    All(fn(&T) -> Vec<U>),
}

impl<T: Record, U: Record> Relation<T> for Made<'_, T, U> {
    fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&T]) -> BoxFuture<'p, Box<dyn Loaded<T> + 'p>> {
        let mut made = Vec::new();
        let mut parts = Vec::with_capacity(objects.len());
        for object in objects {
            let begin = made.len();
            match self.make {
                Make::One(of) => made.extend(of(object)),
                Make::All(of) => made.extend(of(object)),
            }
            parts.push(begin..made.len());
        }
        let is_list = matches!(self.make, Make::All(_));
        async move {
            let level = self.plan.load(loaders, &made.iter().collect::<Vec<_>>()).await;
            Box::new(LoadedMade { parts, made, level, is_list }) as Box<dyn Loaded<T>>
        }
        .boxed()
    }
}

struct LoadedMade<'p, U> {
    /// Each object's own among all.
    parts: Vec<Range<usize>>,
    made: Vec<U>,
    level: Level<'p, U>,
    is_list: bool,
}

impl<T, U: Record> Loaded<T> for LoadedMade<'_, U> {
    fn write(&mut self, at: usize, _: &T, path: &QueryPathNode<'_>, out: &mut Out) {
        let part = self.parts[at].clone();
        if self.is_list {
            out.list(part, |index, place, out| {
                let path = QueryPathNode { parent: Some(path), segment: QueryPathSegment::Index(index) };
                self.level.write(place, &self.made[place], &path, out, |_, out| out.null());
            });
        } else if part.is_empty() {
            out.null();
        } else {
            self.level.write(part.start, &self.made[part.start], path, out, |_, out| out.null());
        }
    }
}

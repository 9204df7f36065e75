//! Records that others refer to by keys: asked for once a level, each written once.

use std::{collections::HashMap, hash::Hash, ops::Range, sync::Arc};

use ahash::RandomState;
use async_graphql::{Pos, QueryPathNode, QueryPathSegment};
use futures::{FutureExt as _, future::BoxFuture};

use super::{
    Record,
    out::Out,
    plan::{Level, Loaded, Plan, Relation, Selected, Step},
};
use crate::{
    loaders::{LoadError, Loaders},
    schema::error::Error,
};

/// What came of each key, in the order of the keys.
pub(in crate::schema) type Found<V> = Vec<Result<Option<Arc<V>>, LoadError>>;
/// Loads a level's keys.
pub(in crate::schema) type Load<K, V> = for<'a> fn(&'a Loaders, Vec<K>) -> BoxFuture<'a, Found<V>>;

impl<'q> Selected<'q> {
    /// The one record that each object refers to, or none.
    pub(in crate::schema) fn one<T, K, V, G>(
        self,
        key: fn(&T) -> Option<K>,
        load: Load<K, V>,
        wrap: fn(Arc<V>) -> G,
    ) -> Option<Step<'q, T>>
    where
        T: Record,
        K: Eq + Hash + Copy + Send + Sync + 'static,
        V: Send + Sync + 'static,
        G: Record,
    {
        let (plan, pos) = (self.plan()?, self.field.pos);
        Some(Step::Related(Box::new(Related { keys: Keys::One(key), load, wrap, plan, pos })))
    }

    /// The records that each object lists. Those that may not be seen are left out; an object without a list has null.
    pub(in crate::schema) fn many<T, K, V, G>(
        self,
        keys: fn(&T) -> Option<&[K]>,
        load: Load<K, V>,
        wrap: fn(Arc<V>) -> G,
    ) -> Option<Step<'q, T>>
    where
        T: Record,
        K: Eq + Hash + Copy + Send + Sync + 'static,
        V: Send + Sync + 'static,
        G: Record,
    {
        let (plan, pos) = (self.plan()?, self.field.pos);
        Some(Step::Related(Box::new(Related { keys: Keys::Many(keys), load, wrap, plan, pos })))
    }
}

/// The keys of a level: each once, and which of them each object has.
pub(super) struct Asked<K> {
    pub(super) keys: Vec<K>,
    places: HashMap<K, usize, RandomState>,
    /// Places of all objects' keys, one object after the other.
    all: Vec<usize>,
    /// Each object's part of them; `None`: it has no list.
    parts: Vec<Option<Range<usize>>>,
}

impl<K: Eq + Hash + Copy> Asked<K> {
    pub(super) fn with_capacity(objects: usize) -> Self {
        Self {
            keys: Vec::with_capacity(objects),
            places: HashMap::with_capacity_and_hasher(objects, RandomState::new()),
            all: Vec::with_capacity(objects),
            parts: Vec::with_capacity(objects),
        }
    }

    /// Notes what the next object asks for.
    pub(super) fn note(&mut self, keys: Option<&[K]>) {
        let begin = self.all.len();
        for key in keys.unwrap_or_default() {
            let place = *self.places.entry(*key).or_insert_with(|| {
                self.keys.push(*key);
                self.keys.len() - 1
            });
            self.all.push(place);
        }
        self.parts.push(keys.map(|_| begin..self.all.len()));
    }

    /// Where an object's keys stand among those that were asked for.
    pub(super) fn of(&self, object: usize) -> Option<&[usize]> {
        Some(&self.all[self.parts.get(object)?.clone()?])
    }
}

enum Keys<T, K> {
    One(fn(&T) -> Option<K>),
    Many(fn(&T) -> Option<&[K]>),
}

struct Related<'q, T, K, V, G> {
    keys: Keys<T, K>,
    load: Load<K, V>,
    wrap: fn(Arc<V>) -> G,
    plan: Plan<'q, G>,
    pos: Pos,
}

impl<T, K, V, G> Relation<T> for Related<'_, T, K, V, G>
where
    T: Record,
    K: Eq + Hash + Copy + Send + Sync + 'static,
    V: Send + Sync + 'static,
    G: Record,
{
    fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&T]) -> BoxFuture<'p, Box<dyn Loaded<T> + 'p>> {
        let mut asked = Asked::with_capacity(objects.len());
        for object in objects {
            match self.keys {
                Keys::One(key) => asked.note(key(object).as_ref().map(std::slice::from_ref)),
                Keys::Many(keys) => asked.note(keys(object)),
            }
        }
        async move {
            let found = (self.load)(loaders, asked.keys.clone()).await;
            let mut records = Vec::with_capacity(found.len());
            let mut place = |record| {
                records.push((self.wrap)(record));
                records.len() - 1
            };
            let found: Vec<_> = found.into_iter().map(|found| found.map(|record| record.map(&mut place))).collect();
            let level = self.plan.load(loaders, &records.iter().collect::<Vec<_>>()).await;
            let is_list = matches!(self.keys, Keys::Many(_));
            let written = vec![None; records.len()];
            Box::new(LoadedRecords { asked, found, records, level, written, is_list, pos: self.pos })
                as Box<dyn Loaded<T>>
        }
        .boxed()
    }
}

struct LoadedRecords<'p, K, G> {
    asked: Asked<K>,
    /// For each key the place of its record.
    found: Vec<Result<Option<usize>, LoadError>>,
    records: Vec<G>,
    level: Level<'p, G>,
    /// Where each record was written.
    written: Vec<Option<Range<usize>>>,
    is_list: bool,
    pos: Pos,
}

impl<T, K, G> Loaded<T> for LoadedRecords<'_, K, G>
where
    K: Eq + Hash + Copy + Send,
    G: Record,
{
    fn write(&mut self, at: usize, _: &T, path: &QueryPathNode<'_>, out: &mut Out) {
        let Some(keys) = self.asked.of(at) else { return out.null() };
        let found: Result<Vec<usize>, &LoadError> =
            keys.iter().filter_map(|key| self.found[*key].as_ref().copied().transpose()).collect();
        let found = match found {
            Ok(found) => found,
            Err(error) => return out.failed(Error::from(error.clone()), self.pos, path),
        };
        if self.is_list {
            out.list(found, |index, place, out| {
                let path = QueryPathNode { parent: Some(path), segment: QueryPathSegment::Index(index) };
                self.record(place, &path, out);
            });
        } else {
            match found.first() {
                Some(place) => self.record(*place, path, out),
                None => out.null(),
            }
        }
    }
}

impl<K, G: Record> LoadedRecords<'_, K, G> {
    /// Writes a record, or what was written of it before. With errors in it each place has its own.
    fn record(&mut self, place: usize, path: &QueryPathNode<'_>, out: &mut Out) {
        if let Some(written) = self.written[place].clone() {
            return out.again(written);
        }
        let (begin, errors) = out.mark();
        self.level.write(place, &self.records[place], path, out, |_, out| out.null());
        let (end, errors_now) = out.mark();
        if errors == errors_now {
            self.written[place] = Some(begin..end);
        }
    }
}

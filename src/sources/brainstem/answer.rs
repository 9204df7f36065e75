//! Answers: finding the records in an envelope whose keys are not always the documented ones.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Listed, Model, Related};
use crate::{
    config::Generation,
    domain::{Procedure, Subject, SubjectLog},
    sources::{
        paging::{Page, Weighed},
        wire::{Whole, record},
    },
};

/// A list's answer, read.
pub(super) struct List<T> {
    pub(super) listed: Listed<T>,
    /// The page size that a server says it used which numbers its pages; `None`: it does not.
    pub(super) page_size: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    count: Whole,
    total_results: Whole,
    page: Whole,
    per_page: Whole,
}

type Envelope<'a> = HashMap<String, &'a RawValue>;

/// Reads a list that was asked for `limit` records from `offset` on.
pub(super) fn list<T: Model>(
    body: &[u8],
    generation: Generation,
    offset: u64,
    limit: u64,
) -> Result<List<T>, &'static str> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| "it is not a JSON object")?;
    let primary = primary_list::<T>(&envelope, generation).ok_or("no list of records is in it")?;
    let raw: Vec<&RawValue> = serde_json::from_str(envelope[primary].get()).map_err(|_| "its list can't be read")?;

    let mut related = Related::default();
    let items: Vec<_> = raw.iter().map(|item| read::<T>(item.get(), &mut related)).collect();
    absorb_others(&envelope, primary, &mut related);

    let meta: Meta = envelope.get("meta").and_then(|raw| record(raw.get()).ok()).unwrap_or_default();
    let count = envelope.get("count").and_then(|raw| serde_json::from_str::<Whole>(raw.get()).ok()).unwrap_or_default();
    let total = [count, meta.count, meta.total_results].into_iter().find_map(natural);
    // A server that names its page used that, and ignored limit and offset.
    let numbered = natural(meta.page).zip(natural(meta.per_page)).filter(|(_, size)| *size > 0);
    let came = items.len() as u64;
    let next = envelope.get("next").map(|next| next.get() != "null");
    // More than was asked for, and no word of anything else: a server without pages, which gives everything at once.
    let is_whole = came > limit && numbered.is_none() && total.is_none_or(|total| total == came) && next != Some(true);
    let total = total.or(is_whole.then_some(came));
    let start = match numbered {
        _ if is_whole => 0,
        Some((page, size)) => page.saturating_sub(1).saturating_mul(size),
        None => offset,
    };
    let end = start.saturating_add(came);
    let full = numbered.map_or(limit, |(_, size)| size.min(limit));
    let follows = match (total, next) {
        _ if items.is_empty() || is_whole => Some(false),
        (Some(total), _) => Some(end < total),
        (None, Some(next)) => Some(next),
        (None, None) => (came < full).then_some(false),
    };
    Ok(List {
        listed: Listed { page: Page { start, items, total, follows }, related },
        page_size: numbered.map(|(_, size)| size),
    })
}

/// Reads the answer for one record: wrapped in its singular, or bare.
pub(super) fn one<T: Model>(body: &[u8], generation: Generation) -> Result<(Weighed<T>, Related), &'static str> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| "it is not a JSON object")?;
    let endpoint = T::endpoint(generation).ok_or("this server has no such records")?;
    let mut objects = envelope.iter().filter(|(key, raw)| raw.get().starts_with('{') && *key != "meta");
    let wrapped = match (envelope.get(endpoint.record_key), objects.next(), objects.next()) {
        (Some(raw), ..) => Some(raw.get()),
        (None, Some((_, raw)), None) if !envelope.contains_key("id") => Some(raw.get()),
        _ => None,
    };
    let bare = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
    let mut related = Related::default();
    let record = read::<T>(wrapped.unwrap_or(bare), &mut related).ok_or("its record has no readable id")?;
    // Beside a bare record stands nothing: the lists in it are its own ids.
    if wrapped.is_some() {
        absorb_others(&envelope, endpoint.record_key, &mut related);
    }
    Ok((record, related))
}

/// The one list that belongs to the request: under its documented key, or else the only one that is no related list.
fn primary_list<'a, T: Model>(envelope: &'a Envelope<'_>, generation: Generation) -> Option<&'a str> {
    let is_list = |raw: &RawValue| raw.get().starts_with('[');
    let expected = T::endpoint(generation)?.list_key;
    if let Some((key, _)) = envelope.get_key_value(expected).filter(|(_, raw)| is_list(raw)) {
        return Some(key);
    }
    let lists: Vec<&str> = envelope.iter().filter(|(_, raw)| is_list(raw)).map(|(key, _)| key.as_str()).collect();
    let unrelated: Vec<&str> = lists.iter().copied().filter(|key| !Related::knows(key)).collect();
    match (unrelated.as_slice(), lists.as_slice()) {
        ([only], _) | (_, [only]) => Some(only),
        _ => None,
    }
}

fn absorb_others(envelope: &Envelope<'_>, primary: &str, related: &mut Related) {
    for (key, raw) in envelope.iter().filter(|(key, _)| *key != primary) {
        related.absorb(key, raw.get());
    }
}

/// One record; `None` and a line in the log where it has no readable id.
pub(super) fn read<T: Model>(json: &str, related: &mut Related) -> Option<Weighed<T>> {
    let read = T::from_json(json, related);
    if read.is_none() {
        tracing::warn!(
            source = "BRAINSTEM",
            model = T::NAME,
            bytes = json.len(),
            "a record without a readable id was left out"
        );
    }
    read.map(|record| Weighed::new(record, json.len()))
}

fn natural(Whole(number): Whole) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

/// Reads a body as every kind of answer.
pub(in crate::sources) fn read_anything(body: &[u8]) {
    for generation in [Generation::Current, Generation::Legacy] {
        let _ = list::<Subject>(body, generation, 0, 20);
        let _ = list::<Procedure>(body, generation, u64::MAX, 100);
        let _ = one::<Subject>(body, generation);
        let _ = one::<SubjectLog>(body, generation);
    }
}

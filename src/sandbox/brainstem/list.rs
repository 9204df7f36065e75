//! GET of a list: filters, order, page, sideloading and the envelope around it all.

use serde_json::{Map, Value, json};

use super::{
    super::{
        Knobs, Paging, Totals,
        exchange::{Answer, Request},
        store::Store,
    },
    filter,
    include::{Renderer, Selection},
    models::{Generation, Model},
    sight::{Sight, Viewer},
    sort,
};

const PAGE_SIZE: usize = 20;

pub(super) fn answer(
    request: &Request,
    knobs: &Knobs,
    store: &Store,
    generation: Generation,
    viewer: Viewer,
    model: &'static Model,
) -> Result<Answer, Answer> {
    let pairs = request.pairs();
    let filters = filter::parse(generation, model, &pairs)?;
    let criteria = sort::parse(generation, model, &pairs)?;
    let selection = Selection::parse(generation, model, &pairs)?;
    let sight = Sight::new(store, viewer);

    let found = candidates(store, model, &filters).into_iter().filter(|record| {
        let passes = |filter: &filter::Filter| filter.passes(store, record, knobs.collation);
        sight.sees(model.list, record) && filters.iter().all(passes)
    });
    let found = sort::apply(&criteria, store, found.collect(), knobs);
    let page = Page::of(&pairs, knobs, found.len())?;

    let mut renderer = Renderer::new(generation, &sight, knobs.nested_include, model.list);
    let records = found.iter().skip(page.offset).take(page.size);
    let records: Vec<Value> = records.map(|record| renderer.primary(model, record, &selection)).collect();
    let key = knobs.list_key.as_deref().unwrap_or(model.list);
    let mut body = page.counts(request, &pairs, knobs);
    assemble(&mut body, key, records.into(), renderer.sideloaded, knobs);
    page.meta(&mut body, knobs);
    Ok(Answer::json(200, &Value::Object(body)))
}

/// Adds the primary value and, before or after it, what is sideloaded.
pub(super) fn assemble(
    body: &mut Map<String, Value>,
    key: &str,
    primary: Value,
    sideloaded: Map<String, Value>,
    knobs: &Knobs,
) {
    let primary = (key.to_owned(), primary);
    if knobs.primary_last {
        body.extend(sideloaded);
        body.extend([primary]);
    } else {
        body.extend([primary]);
        body.extend(sideloaded);
    }
}

/// All records of the model, or only those that a filter names by id.
fn candidates<'a>(store: &'a Store, model: &Model, filters: &[filter::Filter]) -> Vec<&'a Value> {
    let rows = store.rows(model.list);
    let Some(ids) = filters.iter().find_map(filter::Filter::ids) else {
        return rows.iter().collect();
    };
    let positions = ids.iter().filter_map(|id| store.position(model.list, id));
    let mut positions: Vec<usize> = positions.collect();
    positions.sort_unstable();
    positions.into_iter().map(|position| &rows[position]).collect()
}

/// Which part of the records is wanted.
struct Page {
    total: usize,
    size: usize,
    offset: usize,
}

impl Page {
    fn of(pairs: &[(String, String)], knobs: &Knobs, total: usize) -> Result<Self, Answer> {
        let number = |name: &str| -> Option<usize> {
            let (_, value) = pairs.iter().rev().find(|(key, _)| key == name)?;
            value.parse().ok()
        };
        let size = |name: &str| {
            let size = number(name).filter(|size| *size > 0);
            size.unwrap_or(PAGE_SIZE).min(knobs.page_cap)
        };
        match knobs.paging {
            Paging::LimitOffset => Ok(Self { total, size: size("limit"), offset: number("offset").unwrap_or(0) }),
            Paging::PagePerPage => {
                let size = size("per_page");
                let page = number("page").unwrap_or(1);
                if page == 0 || page > total.div_ceil(size).max(1) {
                    return Err(Answer::detail(404, "Invalid page."));
                }
                let offset = (page - 1) * size;
                Ok(Self { total, size, offset })
            }
        }
    }

    /// `count`, `next` and `previous`, where they stand at the top.
    fn counts(&self, request: &Request, pairs: &[(String, String)], knobs: &Knobs) -> Map<String, Value> {
        let mut body = Map::new();
        if knobs.totals != Totals::Count {
            return body;
        }
        body.insert("count".to_owned(), json!(self.total));
        let end = self.offset.saturating_add(self.size);
        let next = (end < self.total).then_some(end);
        let previous = (self.offset > 0).then(|| self.offset.saturating_sub(self.size));
        for (name, offset) in [("next", next), ("previous", previous)] {
            let link = offset.map(|offset| request.absolute(&self.link(pairs, knobs, offset)));
            body.insert(name.to_owned(), json!(link));
        }
        body
    }

    fn link(&self, pairs: &[(String, String)], knobs: &Knobs, offset: usize) -> Vec<(String, String)> {
        let (own, position): (&[&str], _) = match knobs.paging {
            Paging::LimitOffset => {
                let limit = ("limit".to_owned(), self.size.to_string());
                (&["limit", "offset"], vec![limit, ("offset".to_owned(), offset.to_string())])
            }
            Paging::PagePerPage => {
                let page = offset / self.size + 1;
                (&["page"], vec![("page".to_owned(), page.to_string())])
            }
        };
        let others = pairs.iter().filter(|(key, _)| !own.contains(&key.as_str())).cloned();
        others.chain(position).collect()
    }

    fn meta(&self, body: &mut Map<String, Value>, knobs: &Knobs) {
        let mut meta = Map::new();
        if knobs.paging == Paging::PagePerPage && knobs.totals != Totals::Nowhere {
            meta.insert("page".to_owned(), json!(self.offset / self.size + 1));
            meta.insert("per_page".to_owned(), json!(self.size));
        }
        match knobs.totals {
            Totals::MetaCount => _ = meta.insert("count".to_owned(), json!(self.total)),
            Totals::MetaTotalResults => {
                let pages = self.total.div_ceil(self.size).max(1);
                meta.insert("total_results".to_owned(), json!(self.total));
                meta.insert("total_pages".to_owned(), json!(pages));
            }
            Totals::Count | Totals::Nowhere => {}
        }
        if !meta.is_empty() {
            body.insert("meta".to_owned(), Value::Object(meta));
        }
    }
}

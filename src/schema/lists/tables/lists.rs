//! Connections and what they are made of.

use super::super::{
    Record,
    plan::{Selected, Step},
};
use crate::schema::connection::{Connection, Cursor, Edge, PageInfo};

impl<T: Record> Record for Connection<T> {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        match field.name() {
            "edges" => field.all_within(|it| &it.edges, |edge| edge),
            "nodes" => field.all_within(|it| &it.edges, |edge| &edge.node),
            "pageInfo" => field.within(|it| &it.page),
            "totalCount" => Some(Step::Plain(|it, out| out.put(&it.total))),
            _ => None,
        }
    }
}

impl<T: Record> Record for Edge<T> {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        match field.name() {
            "cursor" => Some(Step::Plain(|it, out| out.put(&*it.cursor.text()))),
            "node" => field.within(|it| &it.node),
            _ => None,
        }
    }
}

impl Record for PageInfo {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "hasNextPage" => |it, out| out.put(&it.has_next_page),
            "hasPreviousPage" => |it, out| out.put(&it.has_previous_page),
            "startCursor" => |it, out| out.put(&it.start.as_ref().map(Cursor::text).as_deref()),
            "endCursor" => |it, out| out.put(&it.end.as_ref().map(Cursor::text).as_deref()),
            _ => return None,
        }))
    }
}

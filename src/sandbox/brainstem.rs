//! BrainSTEM: routes, portals and authentication. Lists are in `list`, changes in `write`.

mod filter;
mod include;
mod list;
mod models;
mod path;
mod sight;
mod sort;
mod validate;
mod write;

use serde_json::{Map, Value};
use uuid::Uuid;

pub(super) use self::models::Generation;
use self::{
    include::{Renderer, Selection},
    models::{Kind, Model},
    sight::{Sight, Viewer},
};
use super::{
    BRAINSTEM_OTHER_TOKEN, BRAINSTEM_TOKEN, Knobs,
    exchange::{Answer, Request},
    store::Store,
};

/// The server refuses longer request lines, the line's end included.
const REQUEST_LINE: usize = 4094;
/// The framework refuses more parameters.
const PARAMETERS: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Portal {
    Private,
    Public,
    /// Only on older servers.
    Super,
}

#[derive(Clone, Copy)]
struct Route<'a> {
    portal: Portal,
    model: &'static Model,
    id: Option<&'a str>,
    relation: Option<&'a str>,
}

fn route(generation: Generation, path: &str) -> Option<Route<'_>> {
    let path = path.strip_prefix("/api/")?.strip_suffix('/')?;
    let segments: Vec<&str> = path.split('/').collect();
    let [portal, app, name, ref rest @ ..] = *segments else {
        return None;
    };
    let portal = match portal {
        "private" => Portal::Private,
        "public" => Portal::Public,
        "super" if generation == Generation::Legacy => Portal::Super,
        _ => return None,
    };
    let mut models = generation.models().iter();
    let model = models.find(|model| model.app == app && model.name == name)?;
    let (id, relation) = match *rest {
        [] => (None, None),
        [id] => (Some(id), None),
        [id, relation] => (Some(id), Some(relation)),
        _ => return None,
    };
    Some(Route { portal, model, id, relation })
}

pub(super) fn answer(request: &Request, knobs: &Knobs, store: &mut Store, generation: Generation) -> Answer {
    if request_line(request) > REQUEST_LINE {
        return Answer::html_status(414).with_header("connection", "close");
    }
    let Some(route) = route(generation, &request.path) else {
        return unknown(request, generation);
    };
    if request.pairs().len() > PARAMETERS {
        return Answer::html(400, "Bad Request (400)");
    }
    let answer = authenticate(request, generation, route.portal)
        .and_then(|viewer| dispatch(request, knobs, store, generation, viewer, route))
        .unwrap_or_else(|refusal| refusal);
    let accept = request.header("accept").unwrap_or("*/*");
    let wants_page = accept.contains("text/html") && !accept.contains("application/json");
    if wants_page && answer.headers.iter().any(|(_, value)| value == "application/json") {
        // The framework's browsable pages.
        return Answer::html(answer.status, "Django REST framework");
    }
    answer
}

/// `METHOD SP target SP HTTP/1.1 CRLF`
fn request_line(request: &Request) -> usize {
    let query = if request.query.is_empty() { 0 } else { request.query.len() + 1 };
    request.method.len() + 1 + request.path.len() + query + " HTTP/1.1\r\n".len()
}

/// A path that leads nowhere, or that lacks only its last slash.
fn unknown(request: &Request, generation: Generation) -> Answer {
    if route(generation, &format!("{}/", request.path)).is_some() {
        return Answer::add_slash(request);
    }
    let accept = request.header("accept").unwrap_or("");
    if accept.contains("application/json") { Answer::not_found() } else { Answer::html(404, "Not Found") }
}

fn authenticate(request: &Request, generation: Generation, portal: Portal) -> Result<Viewer, Answer> {
    if portal == Portal::Public {
        return Ok(Viewer::Anyone);
    }
    let scheme = generation.scheme();
    match request.credential(scheme) {
        Some(BRAINSTEM_TOKEN) => Ok(Viewer::Main),
        Some(BRAINSTEM_OTHER_TOKEN) if portal == Portal::Super => Err(Answer::forbidden()),
        Some(BRAINSTEM_OTHER_TOKEN) => Ok(Viewer::Other),
        Some(_) => Err(Answer::unauthorized(scheme, "Invalid token.")),
        None => {
            let message = "Authentication credentials were not provided.";
            Err(Answer::unauthorized(scheme, message))
        }
    }
}

fn dispatch(
    request: &Request,
    knobs: &Knobs,
    store: &mut Store,
    generation: Generation,
    viewer: Viewer,
    route: Route<'_>,
) -> Result<Answer, Answer> {
    let method = request.method.as_str();
    if route.portal == Portal::Public && method != "GET" {
        return Err(Answer::forbidden());
    }
    let id = match route.id {
        Some(id) => Some(Uuid::parse_str(id).map_err(|_| Answer::not_found())?.to_string()),
        None => None,
    };
    let target = write::Target { generation, viewer, model: route.model };
    match (id.as_deref(), route.relation, method) {
        (None, _, "GET") => list::answer(request, knobs, store, generation, viewer, route.model),
        (None, _, "POST") => write::create(request, store, target),
        (None, _, "DELETE") if !request.body.is_empty() => write::delete_many(request, store, target),
        (Some(id), None, "GET") => {
            let sight = Sight::new(store, viewer);
            detail(request, knobs, generation, &sight, route.model, id)
        }
        (Some(id), None, "PATCH") => write::change(request, store, target, id),
        (Some(id), None, "DELETE") => write::delete(store, target, id),
        (Some(id), Some(relation), "GET") => {
            let sight = Sight::new(store, viewer);
            related(knobs, generation, &sight, route.model, id, relation)
        }
        _ => Err(Answer::method_not_allowed(method)),
    }
}

fn detail(
    request: &Request,
    knobs: &Knobs,
    generation: Generation,
    sight: &Sight<'_>,
    model: &'static Model,
    id: &str,
) -> Result<Answer, Answer> {
    let record = sight.get(model.list, id).ok_or_else(Answer::not_found)?;
    let selection = Selection::parse(generation, model, &request.pairs())?;
    let mut renderer = Renderer::new(generation, sight, knobs.nested_include, model.list);
    let record = renderer.primary(model, record, &selection);
    let mut body = Map::new();
    list::assemble(&mut body, model.singular, record, renderer.sideloaded, knobs);
    Ok(Answer::json(200, &Value::Object(body)))
}

/// All related records of one record, unpaged: `…/subject/<id>/procedures/`.
fn related(
    knobs: &Knobs,
    generation: Generation,
    sight: &Sight<'_>,
    model: &'static Model,
    id: &str,
    relation: &str,
) -> Result<Answer, Answer> {
    let record = sight.get(model.list, id).ok_or_else(Answer::not_found)?;
    let field = model.field(relation).ok_or_else(Answer::not_found)?;
    let list = field.kind.related().ok_or_else(Answer::not_found)?;
    let related = generation.model_of(list).ok_or_else(Answer::not_found)?;
    let mut renderer = Renderer::new(generation, sight, knobs.nested_include, list);
    let selection = Selection::default();
    let mut body = Map::new();
    let mut render = |id: &Value| {
        let record = sight.get(list, id.as_str()?)?;
        Some(renderer.primary(related, record, &selection))
    };
    if matches!(field.kind, Kind::Many(_)) {
        let ids = record[field.name].as_array().into_iter().flatten();
        body.insert(list.to_owned(), ids.filter_map(render).collect());
    } else {
        let one = render(&record[field.name]).ok_or_else(Answer::not_found)?;
        body.insert(related.singular.to_owned(), one);
    }
    Ok(Answer::json(200, &Value::Object(body)))
}

/// One record as an answer to a write.
fn wrapped(sight: &Sight<'_>, generation: Generation, model: &'static Model, record: &Value) -> Map<String, Value> {
    let mut renderer = Renderer::new(generation, sight, false, model.list);
    let record = renderer.primary(model, record, &Selection::default());
    Map::from_iter([(model.singular.to_owned(), record)])
}

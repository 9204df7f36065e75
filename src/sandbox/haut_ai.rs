//! Haut.AI: routes, authentication, datasets and dictionaries. Subjects are in `subjects`, logins in `logins`.

mod logins;
mod subjects;

use serde_json::{Value, json};

pub(super) use self::logins::Logins;
use super::{
    COMPANY_ID, DATASET_IDS, Dictionary, HAUT_AI_OTHER_TOKEN, HAUT_AI_TOKEN, Knobs,
    exchange::{Answer, Request},
    store::{Store, id_of},
};

/// What a page holds when the request does not say.
const PAGE_SIZE: usize = 20;

#[derive(Clone, Copy)]
enum Route<'a> {
    Login,
    Refresh,
    Dictionary(&'a str),
    Datasets(&'a str),
    Subjects(&'a str, &'a str, SubjectRoute<'a>),
}

#[derive(Clone, Copy)]
enum SubjectRoute<'a> {
    List,
    DeleteMany,
    One(&'a str),
    Storage(&'a str),
    Metadata(&'a str),
}

fn route(path: &str) -> Option<Route<'_>> {
    let path = path.strip_prefix("/api/v1/")?.strip_suffix('/')?;
    let segments: Vec<&str> = path.split('/').collect();
    Some(match *segments {
        ["auth", "login"] => Route::Login,
        ["auth", "refresh"] => Route::Refresh,
        ["dicts", name] => Route::Dictionary(name),
        ["companies", company, "datasets"] => Route::Datasets(company),
        ["companies", company, "datasets", dataset, "subjects", ref rest @ ..] => {
            let subject = match *rest {
                [] => SubjectRoute::List,
                ["delete"] => SubjectRoute::DeleteMany,
                [id] => SubjectRoute::One(id),
                [id, "storage"] => SubjectRoute::Storage(id),
                [id, "metadata"] => SubjectRoute::Metadata(id),
                _ => return None,
            };
            Route::Subjects(company, dataset, subject)
        }
        _ => return None,
    })
}

/// Whom a valid token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Viewer {
    /// A private token: its records have no author.
    Private,
    /// A login of the user with this id.
    User(&'static str),
    /// The token that sees one dataset.
    Other,
}

impl Viewer {
    fn sees(self, dataset: &str) -> bool {
        self != Self::Other || dataset == DATASET_IDS[1]
    }

    fn author(self) -> Value {
        match self {
            Self::User(id) => json!(id),
            Self::Private | Self::Other => Value::Null,
        }
    }
}

pub(super) fn answer(request: &Request, knobs: &Knobs, store: &mut Store, logins: &mut Logins) -> Answer {
    let Some(route) = route(&request.path) else {
        return if route(&format!("{}/", request.path)).is_some() {
            Answer::add_slash(request)
        } else {
            Answer::html(404, "Not Found")
        };
    };
    match route {
        Route::Login if request.method == "POST" => logins.login(request, knobs.login_limit),
        Route::Refresh if request.method == "POST" => logins.refresh(request),
        Route::Login | Route::Refresh => Answer::method_not_allowed(&request.method),
        _ => match authenticate(request, logins) {
            Err(refusal) => refusal,
            Ok(viewer) => answer_known(request, knobs, store, viewer, route),
        },
    }
}

fn authenticate(request: &Request, logins: &Logins) -> Result<Viewer, Answer> {
    let token = request
        .credential("Bearer")
        .ok_or_else(|| Answer::unauthorized("Bearer", "Authentication credentials were not provided."))?;
    match token {
        HAUT_AI_TOKEN => Ok(Viewer::Private),
        HAUT_AI_OTHER_TOKEN => Ok(Viewer::Other),
        _ => logins.user_of(token).map(Viewer::User).ok_or_else(|| Answer::unauthorized("Bearer", "Invalid token.")),
    }
}

fn answer_known(request: &Request, knobs: &Knobs, store: &mut Store, viewer: Viewer, route: Route<'_>) -> Answer {
    match route {
        Route::Dictionary(name) => dictionary(request, knobs, store, name),
        Route::Datasets(company) | Route::Subjects(company, _, _) if company != COMPANY_ID => {
            if store.get("companies", company).is_some() { Answer::forbidden() } else { Answer::not_found() }
        }
        Route::Datasets(company) => {
            if request.method != "GET" {
                return Answer::method_not_allowed(&request.method);
            }
            let datasets = store
                .rows("datasets")
                .iter()
                .filter(|dataset| dataset["company_id"] == company && id_of(dataset).is_some_and(|id| viewer.sees(id)));
            paginate(request, knobs, &datasets.collect::<Vec<_>>())
        }
        Route::Subjects(company, dataset, subject) => {
            let known = store.get("datasets", dataset);
            if known.is_none_or(|known| known["company_id"] != company) || !viewer.sees(dataset) {
                return Answer::not_found();
            }
            let place = subjects::Place { viewer, dataset };
            subjects::answer(request, knobs, store, place, subject)
        }
        Route::Login | Route::Refresh => Answer::not_found(),
    }
}

fn dictionary(request: &Request, knobs: &Knobs, store: &Store, name: &str) -> Answer {
    let served = matches!(name, "biological_sexes" | "image_types" | "algorithms");
    let missing = name == "biological_sexes" && knobs.dictionary == Dictionary::Missing;
    if !served || missing {
        return Answer::not_found();
    }
    if request.method != "GET" {
        return Answer::method_not_allowed(&request.method);
    }
    let entries = store.rows(name);
    match knobs.dictionary {
        Dictionary::Results => Answer::json(200, &json!({ "results": entries })),
        Dictionary::List | Dictionary::Missing => Answer::json(200, &json!(entries)),
    }
}

/// One page of records, as REST framework's page numbers cut it.
fn paginate(request: &Request, knobs: &Knobs, records: &[&Value]) -> Answer {
    let pairs = request.pairs();
    let parameter = |name: &str| {
        let found = pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let size = parameter("page_size").and_then(|size| size.parse().ok());
    let size = size.filter(|size| *size > 0).unwrap_or(PAGE_SIZE).min(knobs.page_cap);
    let pages = records.len().div_ceil(size).max(1);
    let page = match parameter("page") {
        None => Some(1),
        Some("last") => Some(pages),
        Some(page) => page.parse().ok(),
    };
    let Some(page) = page.filter(|page| (1..=pages).contains(page)) else {
        return Answer::detail(404, "Invalid page.");
    };
    let link = |page: usize| {
        let others = pairs.iter().filter(|(key, _)| key != "page").cloned();
        // The first page's link does without the parameter.
        let number = (page > 1).then(|| ("page".to_owned(), page.to_string()));
        let mut pairs: Vec<_> = others.chain(number).collect();
        pairs.sort();
        json!(request.absolute(&pairs))
    };
    let next = if page < pages { link(page + 1) } else { Value::Null };
    let previous = if page > 1 { link(page - 1) } else { Value::Null };
    let results: Vec<_> = records.iter().skip((page - 1) * size).take(size).collect();
    Answer::json(200, &json!({ "count": records.len(), "next": next, "previous": previous, "results": results }))
}

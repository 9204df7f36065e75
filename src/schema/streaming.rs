//! Operations whose answers come one by one: subscriptions, and queries and mutations over transports made for those.
//! Knows no transport by name.
//!
//! A subscription is what the specification calls it: a stream of events, and an execution of the operation for each. The
//! arguments are read once, at the beginning; every event then gets a request of its own, with its own loaders and its own
//! deadline, in which the subject is read as this subscriber may see it.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use async_graphql::{
    Request, Response, ServerError, Variables,
    parser::types::{ExecutableDocument, OperationType},
};
use futures::{Stream, StreamExt as _, future::join_all};
use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    sync::{Semaphore, watch},
    time::timeout_at,
};

use super::{
    GatewaySchema, RequestContext, code,
    error::Error,
    execution::{Failure, MARGIN, Outcome, Prepared, contained, retryable, tell_stale, validation_error},
    spec::{EVENTS, OVERLOAD, Ready},
    specification,
    subscription::{Interest, Kind, Occasion, SubjectChange},
};
use crate::{
    access::Scopes,
    cache::Sources,
    domain::{self, SubjectId},
    events::{Change, Event, FellBehind},
    held::Held,
    loaders::{Credentials, LoadError},
};

/// Subjects of one event that are read side by side.
const AT_ONCE: usize = 100;

/// Who asks, and how long one answer may take.
#[derive(Clone)]
pub struct Caller {
    pub sources: Arc<Sources>,
    pub scopes: Scopes,
    pub credentials: Credentials,
    pub time: Duration,
    /// Places for queries and mutations that are being executed.
    pub places: Arc<Semaphore>,
    pub under_way: UnderWay,
    /// The subscriptions that are open.
    pub subscriptions: Gauge,
    /// What began, there from then on.
    pub begun: Arc<OnceLock<Operation>>,
}

/// An operation that was found sound and began.
#[derive(Clone, Debug)]
pub struct Operation {
    /// As the document has it.
    pub name: Option<String>,
    pub is_subscription: bool,
}

/// The queries and mutations of a connection that are being executed: one that is to end waits for them. Clones share it.
#[derive(Clone, Default)]
pub struct UnderWay(watch::Sender<usize>);

/// Held while an operation is being executed.
pub struct Begun(UnderWay);

impl UnderWay {
    /// One more, until what this gives is dropped.
    pub fn begin(&self) -> Begun {
        self.0.send_modify(|number| *number += 1);
        Begun(self.clone())
    }

    /// Waits until there are none.
    pub async fn none(&self) {
        // It does not fail: there is a sender, this one.
        let _ = self.0.subscribe().wait_for(|number| *number == 0).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.send_modify(|number| *number -= 1);
    }
}

/// One step of an operation.
pub enum Step {
    Answer(Box<Response>),
    /// The operation ends with this: it was not executed, or could not go on.
    Refused(Vec<ServerError>),
}

/// Runs an operation until it ends, or for as long as somebody takes its answers. With `no_mutations`, as over GET, none is
/// run.
pub fn run(schema: GatewaySchema, caller: Caller, request: Request, no_mutations: bool) -> impl Stream<Item = Step> {
    // From here on, since an end may begin before this is asked for anything; and until the last step was taken.
    let begun = caller.under_way.begin();
    asynk_strim::stream_fn(async move |mut steps| {
        let prepared = contained(async { specification(&schema).prepare(request) }).await;
        let ready = match prepared.unwrap_or_else(|failure| Err(vec![failure.error()])) {
            Ok(ready) => ready,
            Err(errors) => return steps.yield_item(Step::Refused(errors)).await,
        };
        let is_subscription = ready.ty == OperationType::Subscription;
        let name = ready.name.as_ref().map(ToString::to_string);
        caller.begun.get_or_init(|| Operation { name, is_subscription });
        if !is_subscription {
            return steps.yield_item(once(&schema, &caller, ready, no_mutations).await).await;
        }
        // A subscription goes on for as long as it is let.
        drop(begun);
        let _open = Held::on(&caller.subscriptions);
        // Before the arguments are read: nothing that happens from now on is missed.
        let mut listener = caller.sources.listen();
        let subscription = Subscription { schema, caller, request: Repeatable::of(ready.request) };
        let interest = match contained(subscription.begin()).await {
            Ok(Ok(Some(interest))) => interest,
            Ok(Ok(None)) => return,
            Ok(Err(errors)) => return steps.yield_item(Step::Refused(errors)).await,
            Err(failure) => return steps.yield_item(Step::Refused(vec![failure.error()])).await,
        };
        while let Some(event) = listener.next().await {
            let Ok(event) = event.inspect_err(|FellBehind| {
                specification(&subscription.schema).metrics().of(EVENTS).inc();
            }) else {
                return steps.yield_item(Step::Refused(vec![fell_behind()])).await;
            };
            for ids in interest.within(&event).chunks(AT_ONCE) {
                let read = contained(subscription.read(&event, ids)).await;
                let Ok(changes) = read else {
                    return steps.yield_item(Step::Refused(vec![Failure::Panicked.error()])).await;
                };
                for change in changes {
                    steps.yield_item(Step::Answer(Box::new(subscription.tell(change).await))).await;
                }
            }
        }
    })
}

/// A query or mutation: one answer.
async fn once(schema: &GatewaySchema, caller: &Caller, ready: Ready, no_mutations: bool) -> Step {
    let Ok(_place) = caller.places.try_acquire() else {
        specification(schema).metrics().of(OVERLOAD).inc();
        return Step::Refused(vec![retryable(
            "This gateway executes as many operations as it allows.",
            code::OVERLOADED,
        )]);
    };
    let outcome = match Prepared::new(ready, no_mutations) {
        Ok(prepared) => prepared.execute(schema, caller.request().0).await,
        Err(outcome) => Ok(outcome),
    };
    match outcome {
        Ok(Outcome::Executed(response)) => Step::Answer(response),
        Ok(Outcome::Refused(errors) | Outcome::NotAQuery(errors)) => Step::Refused(errors),
        Err(failure) => Step::Refused(vec![failure.error()]),
    }
}

impl Caller {
    /// A request that begins now, and when it has to be answered.
    fn request(&self) -> (RequestContext, Instant) {
        let deadline = Instant::now() + self.time;
        (RequestContext::new(&self.sources, self.scopes, &self.credentials, &Arc::default(), deadline), deadline)
    }
}

/// A request that was prepared, in parts: one whose data are spent can't be run again.
struct Repeatable {
    document: Option<ExecutableDocument>,
    variables: Variables,
}

impl Repeatable {
    fn of(mut request: Request) -> Self {
        Self { document: request.parsed_query().ok().cloned(), variables: request.variables }
    }

    fn request(&self) -> Request {
        let mut request = Request::new("").variables(self.variables.clone());
        if let Some(document) = &self.document {
            request.set_parsed_query(document.clone());
        }
        request
    }
}

/// A subscription on its way.
struct Subscription {
    schema: GatewaySchema,
    caller: Caller,
    request: Repeatable,
}

impl Subscription {
    /// Checks the operation and reads its arguments. `None`: it selects nothing.
    async fn begin(&self) -> Result<Option<Interest>, Vec<ServerError>> {
        let interest = Arc::new(OnceLock::new());
        let (context, _) = self.caller.request();
        match self.execute(context, Occasion::Beginning(Arc::clone(&interest))).await {
            Some(response) if !response.errors.is_empty() => {
                Err(response.errors.into_iter().map(validation_error).collect())
            }
            // The request that shared it is gone.
            _ => Ok(Arc::into_inner(interest).and_then(OnceLock::into_inner)),
        }
    }

    /// What the subscriber is told of these subjects.
    async fn read(&self, event: &Event, ids: &[SubjectId]) -> Vec<SubjectChange> {
        if event.change == Change::Deleted {
            let told = ids.iter().filter(|id| self.sees_what_others_cannot(event, **id));
            return told.map(|id| SubjectChange::new(Kind::Deleted, *id, None, event)).collect();
        }
        // One write is told to all at once, and each reads: they wait for each other rather than be refused.
        let _place = self.caller.places.acquire().await;
        let (context, _) = self.caller.request();
        let context = &context;
        let told = join_all(ids.iter().map(async |id| {
            // Whoever says that something changed may name anything.
            if !self.caller.sources.cover(*id).await {
                return None;
            }
            self.told(event, *id, context.loaders.subjects.load(*id).await)
        }));
        told.await.into_iter().flatten().collect()
    }

    /// What the subscriber is told of a subject that it finds so; `None`: nothing.
    fn told(
        &self,
        event: &Event,
        id: SubjectId,
        found: Result<Option<Arc<domain::Subject>>, LoadError>,
    ) -> Option<SubjectChange> {
        let kind = match event.change {
            Change::Created => Kind::Created,
            Change::Cleared => Kind::Cleared,
            Change::Deleted => Kind::Deleted,
            Change::Updated | Change::Unknown => Kind::Updated,
        };
        let subject = match found {
            Ok(Some(subject)) => return Some(SubjectChange::new(kind, id, Some(Ok(subject)), event)),
            Ok(None) => None,
            Err(error) => Some(Err(Error::from(error))),
        };
        // It can't be read. Unless nobody knew what happened, whoever deleted it has told so, or will.
        let is_news = subject.is_some() || event.change == Change::Unknown;
        let kind = if subject.is_some() { kind } else { Kind::Deleted };
        (is_news && self.sees_what_others_cannot(event, id)).then(|| SubjectChange::new(kind, id, subject, event))
    }

    /// Whether the subscriber reads with the credential that is known to see the event's subjects.
    fn sees_what_others_cannot(&self, event: &Event, id: SubjectId) -> bool {
        let credential = self.caller.credentials.of(id.source());
        credential.is_some_and(|credential| Some(credential.id) == event.seen_by)
    }

    async fn tell(&self, change: SubjectChange) -> Response {
        let _place = self.caller.places.acquire().await;
        let (context, deadline) = self.caller.request();
        let execution = self.execute(context, Occasion::Change(change));
        let told = timeout_at((deadline + MARGIN).into(), contained(execution)).await;
        // The execution of a change always has an answer.
        let told = told.map_err(|_| Failure::TooLate).flatten().and_then(|told| told.ok_or(Failure::Panicked));
        told.unwrap_or_else(|failure| Response::from_errors(vec![failure.error()]))
    }

    /// Executes the operation once.
    async fn execute(&self, context: RequestContext, occasion: Occasion) -> Option<Response> {
        let provenance = Arc::clone(&context.provenance);
        let mut response =
            self.schema.execute_stream(self.request.request().data(context).data(occasion)).next().await?;
        tell_stale(&mut response, &provenance);
        Some(response)
    }
}

fn fell_behind() -> ServerError {
    let message = "This subscription did not keep up with what happened and ends here: subscribe again, and read anew what \
                   you show.";
    retryable(message, code::OVERLOADED)
}

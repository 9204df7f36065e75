//! Counting an operation whose answers come one by one, over whatever carries them.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use async_graphql::Request;

use super::{Codes, Ending, Outcome, Transport};
use crate::{
    http::{Service, answer::Refusal},
    schema::streaming::{Caller, Operation, Step},
};

/// Sees the steps of an operation, and counts it by what it saw.
pub(in crate::http) struct Watch {
    service: Arc<Service>,
    transport: Transport,
    began: Instant,
    /// As the request has it.
    name: Option<String>,
    begun: Arc<OnceLock<Operation>>,
    is_counted: bool,
}

impl Watch {
    pub(in crate::http) fn new(
        service: &Arc<Service>,
        transport: Transport,
        request: &Request,
        caller: &Caller,
    ) -> Self {
        let (name, begun) = (request.operation_name.clone(), Arc::clone(&caller.begun));
        Self { service: Arc::clone(service), transport, began: Instant::now(), name, begun, is_counted: false }
    }

    pub(in crate::http) fn saw(&mut self, step: &Step) {
        match step {
            Step::Answer(_) if self.is_subscription() => {
                self.service.operations.events.inc();
            }
            Step::Answer(response) => self.count(Ending::executed(&response.errors)),
            Step::Refused(errors) => {
                self.count(Ending { outcome: Outcome::Refused, codes: Codes::of_all(errors) });
            }
        }
    }

    fn is_subscription(&self) -> bool {
        self.begun.get().is_some_and(|operation| operation.is_subscription)
    }

    fn count(&mut self, ending: Ending) {
        self.is_counted = true;
        let operations = &self.service.operations;
        let named = self.begun.get().and_then(|operation| operation.name.as_deref());
        let name = operations.name(named.or(self.name.as_deref()));
        if self.is_subscription() {
            operations.count(name, self.transport, ending);
        } else {
            operations.ended(name, self.transport, ending, self.began);
        }
    }
}

impl Drop for Watch {
    /// A subscription ends when nobody wants it any more. A query that nobody waits for has no end.
    fn drop(&mut self) {
        if !self.is_counted && self.is_subscription() {
            self.count(Ending::executed(&[]));
        }
    }
}

impl Service {
    /// Counts a request that was refused before anything of it was looked at.
    pub(in crate::http) fn count_refusal(&self, transport: Transport, refusal: &Refusal) {
        let ending = Ending { outcome: Outcome::Refused, codes: Codes::of(refusal.code) };
        self.operations.count(self.operations.name(None), transport, ending);
    }
}

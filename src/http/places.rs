//! Places for what is held to a number at the same time, where that number may change. Knows nothing of what takes them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Semaphore;

/// Places; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    all: Arc<AtomicUsize>,
}

impl Places {
    pub(super) fn new(number: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(number)), all: Arc::new(AtomicUsize::new(number)) }
    }

    pub(super) fn free(&self) -> &Arc<Semaphore> {
        &self.free
    }

    /// From now on there are so many. Where more are taken nobody gets one until as many have been given back; whoever has one
    /// keeps it. Needs the asynchronous runtime.
    pub(super) fn resize(&self, number: usize) {
        let before = self.all.swap(number, Ordering::Relaxed);
        self.free.add_permits(number.saturating_sub(before));
        let Ok(fewer @ 1..) = u32::try_from(before.saturating_sub(number)) else { return };
        let free = Arc::clone(&self.free);
        // It waits before those who come later, so that each place that is given back is one less.
        tokio::spawn(async move {
            if let Ok(taken) = free.acquire_many(fewer).await {
                taken.forget();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_may_be_more_and_fewer_while_some_are_taken() {
        let places = Places::new(3);
        let take = || Arc::clone(places.free()).try_acquire_owned().ok();
        let taken = [take(), take(), take()].map(Option::unwrap);
        places.resize(4);
        let fourth = take().unwrap();
        assert!(take().is_none());
        places.resize(1);
        tokio::task::yield_now().await;
        drop(taken);
        tokio::task::yield_now().await;
        assert!(take().is_none(), "the one place is still taken");
        drop(fourth);
        let only = take().unwrap();
        assert!(take().is_none());
        // Back, before all that were to go are gone.
        places.resize(0);
        tokio::task::yield_now().await;
        places.resize(2);
        tokio::task::yield_now().await;
        assert!(take().is_some());
        drop(only);
    }
}

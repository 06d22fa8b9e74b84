use async_trait::async_trait;
use landfall_model::store::{Around, Store, StoreError, StoreResult, Write};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

/// A store that writes down what was committed together, and breaks on demand.
pub struct Recording {
    inner: Arc<dyn Store>,
    batches: Mutex<Vec<Vec<Write>>>,
    broken: AtomicBool,
}

impl Recording {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            batches: Mutex::default(),
            broken: AtomicBool::new(false),
        }
    }

    /// What was committed since the last call.
    pub fn take(&self) -> Vec<Vec<Write>> {
        std::mem::take(&mut self.batches.lock().unwrap())
    }

    pub fn breaks(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

#[async_trait]
impl Around for Recording {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn commit_around(&self, writes: Vec<Write>) -> StoreResult<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Database {
                operation: "commit",
                source: "the disk is full".into(),
            });
        }
        self.inner.commit(writes.clone()).await?;
        self.batches.lock().unwrap().push(writes);
        Ok(())
    }
}

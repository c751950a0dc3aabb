//! Prompts for service-hosted media, as files that Graph fetches. Their paths can't be
//! guessed; texts of a single call are there only until they were played.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;
use tracing::Instrument as _;
use uuid::Uuid;

use super::Shared;
use crate::flow::Words;
use crate::prompts::Recording;
use crate::script::{PROMPTS_PATH, Script};
use crate::speech::Synthesizer;

/// What can be fetched.
pub(super) struct Files {
    /// Scripts in use, by calls that run too.
    scripts: Mutex<Vec<Weak<Script>>>,
    /// Texts of single calls; still being spoken while there is nothing.
    spoken: Mutex<HashMap<String, watch::Receiver<Option<Arc<Recording>>>>>,
}

impl Files {
    pub(super) fn new(script: &Arc<Script>) -> Self {
        Self {
            scripts: Mutex::new(vec![Arc::downgrade(script)]),
            spoken: Mutex::default(),
        }
    }

    /// Adds a script, and forgets those that nobody uses.
    pub(super) fn serve(&self, script: &Arc<Script>) {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.retain(|script| script.strong_count() > 0);
        scripts.push(Arc::downgrade(script));
    }

    fn of_scripts(&self, path: &str) -> Option<Arc<Recording>> {
        let scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scripts = scripts.iter().filter_map(Weak::upgrade);
        scripts.find_map(|script| script.file_at(path))
    }

    fn of_calls(&self, path: &str) -> Option<watch::Receiver<Option<Arc<Recording>>>> {
        let spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        spoken.get(path).cloned()
    }

    async fn at(&self, path: &str) -> Option<Arc<Recording>> {
        if let Some(recording) = self.of_scripts(path) {
            return Some(recording);
        }
        let mut spoken = self.of_calls(path)?;
        // An error means that it couldn't be spoken.
        let ready = spoken.wait_for(Option::is_some).await.ok()?;
        ready.clone()
    }
}

impl Shared {
    /// Has words spoken into a file; gives its path, at which a fetch waits for it.
    pub(crate) fn speak_into_file(
        &self,
        synthesizer: Arc<Synthesizer>,
        words: Words,
        language: String,
    ) -> String {
        let path = format!("{PROMPTS_PATH}/{}/words.wav", Uuid::new_v4().simple());
        let (ready, waiting) = watch::channel(None);
        let mut spoken = self
            .files
            .spoken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        spoken.insert(path.clone(), waiting);
        let at = path.clone();
        let speak = async move {
            let sound = synthesizer.whole(words.as_str(), &language).await;
            match sound.map(|sound| sound.file(at)) {
                Ok(Ok(recording)) => _ = ready.send(Some(Arc::new(recording))),
                Ok(Err(error)) => tracing::warn!(%error, "words were not spoken"),
                Err(error) => tracing::warn!(%error, "words were not spoken"),
            }
        };
        tokio::spawn(speak.in_current_span());
        path
    }

    /// Has a file served for a single call; gives its path, if there is a file.
    pub(crate) fn serve_once(
        &self,
        make: impl FnOnce(String) -> Option<Recording>,
    ) -> Option<String> {
        let path = format!("{PROMPTS_PATH}/{}/kept.wav", Uuid::new_v4().simple());
        let recording = Arc::new(make(path.clone())?);
        let (_, ready) = watch::channel(Some(recording));
        let mut spoken = self
            .files
            .spoken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        spoken.insert(path.clone(), ready);
        Some(path)
    }

    /// A file of a single call isn't needed any more.
    pub(crate) fn forget(&self, path: Option<String>) {
        if let Some(path) = path {
            let mut spoken = self
                .files
                .spoken
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            spoken.remove(&path);
        }
    }
}

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route(&format!("{PROMPTS_PATH}/{{*path}}"), get(fetch))
        .with_state(Arc::clone(shared))
}

async fn fetch(State(shared): State<Arc<Shared>>, Path(path): Path<String>) -> Response {
    let recording = shared.files.at(&format!("{PROMPTS_PATH}/{path}")).await;
    match recording.as_deref() {
        Some(Recording::File(file)) => {
            let kind = [
                (header::CONTENT_TYPE, "audio/wav"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (kind, Bytes::copy_from_slice(&file.bytes)).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

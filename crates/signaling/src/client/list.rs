//! Lists that come in pages.

use serde::de::DeserializeOwned;

use super::GraphClient;
use crate::error::GraphError;
use crate::request::GraphRequest;
use crate::types::Page;

/// More items are no list anyone waits for.
const MAX_ITEMS: usize = 100_000;
/// A list of empty pages would otherwise have no end.
const MAX_PAGES: usize = 1_000;

impl GraphClient {
    /// Sends a request for a list and for the pages after the first, as long as these are on
    /// the configured Graph.
    ///
    /// # Errors
    /// [`GraphError::ForeignLink`] if a page is said to be elsewhere, [`GraphError::TooLong`]
    /// after 1,000 pages or 100,000 items; otherwise as [`GraphClient::send`].
    pub async fn list<T: DeserializeOwned>(
        &self,
        first: &GraphRequest<Page<T>>,
    ) -> Result<Vec<T>, GraphError> {
        let mut items = Vec::new();
        let mut request = first.clone();
        for _ in 0..MAX_PAGES {
            let mut page = self.send(&request).await?;
            items.append(&mut page.value);
            if items.len() > MAX_ITEMS {
                break;
            }
            match request.next_page(&page, &self.inner.base)? {
                Some(next) => request = next,
                None => return Ok(items),
            }
        }
        Err(GraphError::TooLong {
            operation: first.operation,
        })
    }
}

//! Lists in parts.

use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::Problem;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

/// Which part of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// So many, 1–500; 100 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Where something stands in a list: since when it is there, and its id.
pub(super) type Place = (i64, String);

impl Part {
    /// This part of `all`, and what the next one comes after.
    ///
    /// # Errors
    /// `400`: there can be no such part.
    pub(super) fn of<T>(
        &self,
        mut all: Vec<T>,
        place: impl Fn(&T) -> Place,
    ) -> Result<(Vec<T>, Option<String>), Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::bad_request("limit must be 1 to 500"));
        }
        all.sort_by_cached_key(&place);
        if let Some(after) = &self.after {
            let after = cursor(after)?;
            all.retain(|one| place(one) > after);
        }
        let more = all.len() > limit;
        all.truncate(limit);
        let last = all.last().filter(|_| more).map(place);
        Ok((all, last.map(|(since, id)| format!("{since}_{id}"))))
    }
}

fn cursor(text: &str) -> Result<Place, Problem> {
    let parts = text.split_once('_').and_then(|(since, id)| {
        let since = since.parse().ok()?;
        Some((since, id.to_owned()))
    });
    parts.ok_or_else(|| Problem::bad_request("after must be 'next' of the page before"))
}

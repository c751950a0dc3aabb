//! Which instance has which call: so that any instance can show all of them and have them
//! hung up, and those of one that died are ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{Any, Row, Transaction};

use crate::error::StoreError;
use crate::news::Topic;
use crate::rows;
use crate::store::Store;

/// A call that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCall {
    /// Its id.
    pub id: String,
    /// Who has it.
    pub instance: String,
    /// What is said of it, in words of whoever keeps it.
    pub about: String,
}

/// An instance that has said that it lives, and not yet that it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Where its API is, by its own settings.
    pub url: String,
    /// When it said so last, by its own clock.
    pub seen: Timestamp,
}

impl Store {
    /// Says that `instance` lives, and has these calls, by id, and no others; the texts are
    /// [`KeptCall::about`]. Gives the ids of those that somebody wants hung up.
    ///
    /// # Errors
    /// The database's; then nothing is said.
    pub async fn keep_calls(
        &self,
        instance: &Instance,
        calls: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, StoreError> {
        let mut work = self.begin().await?;
        say(&mut work, instance).await?;
        let mut unwanted = Vec::new();
        let mut kept = BTreeMap::new();
        let sql = "SELECT id, about, hang_up FROM calls WHERE instance = $1";
        let rows = sqlx::query(sql).bind(instance.name.clone());
        for row in rows.fetch_all(&mut *work).await? {
            let id: String = row.try_get("id")?;
            if !calls.contains_key(&id) {
                delete(&mut work, &id).await?;
                continue;
            }
            if row.try_get::<i64, _>("hang_up")? == 1 {
                unwanted.push(id.clone());
            }
            kept.insert(id, row.try_get::<String, _>("about")?);
        }
        let news = calls
            .iter()
            .filter(|(id, about)| kept.get(*id) != Some(*about));
        for (id, about) in news {
            put(&mut work, &instance.name, id, about).await?;
        }
        work.commit().await?;
        Ok(unwanted)
    }

    /// Calls of one instance, or with `None` of all.
    ///
    /// # Errors
    /// The database's.
    pub async fn kept_calls(&self, instance: Option<&str>) -> Result<Vec<KeptCall>, StoreError> {
        let sql = "SELECT id, instance, about FROM calls WHERE $1 = '' OR instance = $1";
        let rows = sqlx::query(sql).bind(instance.unwrap_or_default().to_owned());
        let rows = rows.fetch_all(&self.pool).await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(KeptCall {
                id: row.try_get("id")?,
                instance: row.try_get("instance")?,
                about: row.try_get("about")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Has a call hung up by whoever has it; `false` if nobody has.
    ///
    /// # Errors
    /// The database's.
    pub async fn want_hung_up(&self, call: &str) -> Result<bool, StoreError> {
        let mut work = self.begin().await?;
        let asked = sqlx::query("UPDATE calls SET hang_up = 1 WHERE id = $1")
            .bind(call.to_owned())
            .execute(&mut *work)
            .await?;
        self.commit_news(work, Topic::Calls).await?;
        Ok(asked.rows_affected() == 1)
    }

    /// The instances.
    ///
    /// # Errors
    /// The database's.
    pub async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let rows = sqlx::query("SELECT name, url, seen FROM instances");
        let rows = rows.fetch_all(&self.pool).await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(Instance {
                name: row.try_get("name")?,
                url: row.try_get("url")?,
                seen: rows::time(row.try_get("seen")?)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// A call that another instance left behind is over.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_call(&self, call: &str) -> Result<(), StoreError> {
        let mut work = self.begin().await?;
        delete(&mut work, call).await?;
        work.commit().await?;
        Ok(())
    }

    /// An instance is gone, and none of its calls is left. One that still has calls, or has
    /// said since `seen` that it lives, stays.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_instance(&self, gone: &Instance) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM instances WHERE name = $1 AND seen = $2 \
             AND NOT EXISTS (SELECT 1 FROM calls WHERE instance = $1)",
        )
        .bind(gone.name.clone())
        .bind(gone.seen.as_microsecond())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

async fn say(work: &mut Transaction<'static, Any>, instance: &Instance) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO instances (name, url, seen) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET url = $2, seen = $3",
    )
    .bind(instance.name.clone())
    .bind(instance.url.clone())
    .bind(instance.seen.as_microsecond())
    .execute(&mut **work)
    .await?;
    Ok(())
}

async fn put(
    work: &mut Transaction<'static, Any>,
    instance: &str,
    id: &str,
    about: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO calls (id, instance, about, hang_up) VALUES ($1, $2, $3, 0) \
         ON CONFLICT (id) DO UPDATE SET instance = $2, about = $3",
    )
    .bind(id.to_owned())
    .bind(instance.to_owned())
    .bind(about.to_owned())
    .execute(&mut **work)
    .await?;
    Ok(())
}

async fn delete(work: &mut Transaction<'static, Any>, id: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM calls WHERE id = $1";
    sqlx::query(sql)
        .bind(id.to_owned())
        .execute(&mut **work)
        .await?;
    Ok(())
}

//! Which instance has which room: so that any instance can show all of them, and have
//! something done there by the one that has it.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row, Transaction};

use crate::error::StoreError;
use crate::news::Topic;
use crate::store::Store;

/// A room that an instance has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRoom {
    /// Its id.
    pub id: String,
    /// Who has it.
    pub instance: String,
    /// What is said of it, in words of whoever keeps it.
    pub about: String,
}

impl Store {
    /// Says that an instance has one more room.
    ///
    /// # Errors
    /// The database's; then it is not said.
    pub async fn enter_room(&self, room: &KeptRoom) -> Result<(), StoreError> {
        let mut work = self.begin().await?;
        put(&mut work, room).await?;
        work.commit().await?;
        Ok(())
    }

    /// Says that `instance` has these rooms, by id, and no others; the texts are
    /// [`KeptRoom::about`]. Gives what is to be done in them, as ids and wishes in their order:
    /// nobody else is told of it. `rooms` is asked once it is known what was said before, so that
    /// none [entered](Self::enter_room) meanwhile is taken for one that is over.
    ///
    /// # Errors
    /// The database's; then nothing is said.
    pub async fn keep_rooms(
        &self,
        instance: &str,
        rooms: impl FnOnce() -> BTreeMap<String, String> + Send,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut work = self.begin().await?;
        let sql = "SELECT id, instance, about FROM rooms WHERE instance = $1";
        let said = sqlx::query(sql).bind(instance.to_owned());
        let mut said: BTreeMap<String, String> = said
            .fetch_all(&mut *work)
            .await?
            .iter()
            .map(|row| read(row).map(|room| (room.id, room.about)))
            .collect::<Result<_, _>>()?;
        for (id, about) in rooms() {
            if said.remove(&id).as_ref() != Some(&about) {
                let instance = instance.to_owned();
                let room = KeptRoom {
                    id,
                    instance,
                    about,
                };
                put(&mut work, &room).await?;
            }
        }
        for over in said.keys() {
            delete(&mut work, over).await?;
        }
        let wishes = take(&mut work, instance).await?;
        work.commit().await?;
        Ok(wishes)
    }

    /// The rooms of all instances.
    ///
    /// # Errors
    /// The database's.
    pub async fn kept_rooms(&self) -> Result<Vec<KeptRoom>, StoreError> {
        let rows = sqlx::query("SELECT id, instance, about FROM rooms");
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn kept_room(&self, id: &str) -> Result<Option<KeptRoom>, StoreError> {
        let row = sqlx::query("SELECT id, instance, about FROM rooms WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Has something done in a room by whoever has it; `false` if nobody has.
    ///
    /// # Errors
    /// The database's.
    pub async fn want_in_room(&self, room: &str, wish: &str) -> Result<bool, StoreError> {
        let mut work = self.begin().await?;
        // Wishes for one room are numbered one after the other, and none is left behind.
        let sql = format!("SELECT id FROM rooms WHERE id = $1 {}", self.kind.lock());
        let known = sqlx::query(AssertSqlSafe(sql)).bind(room.to_owned());
        if known.fetch_optional(&mut *work).await?.is_none() {
            return Ok(false);
        }
        let sql = "INSERT INTO room_wishes (room, number, wish) \
                   SELECT $1, COALESCE(MAX(number), 0) + 1, $2 FROM room_wishes WHERE room = $1";
        sqlx::query(sql)
            .bind(room.to_owned())
            .bind(wish.to_owned())
            .execute(&mut *work)
            .await?;
        self.commit_news(work, Topic::Calls).await?;
        Ok(true)
    }

    /// An instance has no rooms any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_rooms(&self, instance: &str) -> Result<(), StoreError> {
        self.keep_rooms(instance, BTreeMap::new).await.map(drop)
    }
}

async fn put(work: &mut Transaction<'static, Any>, room: &KeptRoom) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO rooms (id, instance, about) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET instance = $2, about = $3",
    )
    .bind(room.id.clone())
    .bind(room.instance.clone())
    .bind(room.about.clone())
    .execute(&mut **work)
    .await?;
    Ok(())
}

/// A room is over, and nothing is to be done there any more.
async fn delete(work: &mut Transaction<'static, Any>, id: &str) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM rooms WHERE id = $1",
        "DELETE FROM room_wishes WHERE room = $1",
    ] {
        sqlx::query(sql)
            .bind(id.to_owned())
            .execute(&mut **work)
            .await?;
    }
    Ok(())
}

/// Takes what is to be done in an instance's rooms.
async fn take(
    work: &mut Transaction<'static, Any>,
    instance: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT room, number, wish FROM room_wishes \
               WHERE room IN (SELECT id FROM rooms WHERE instance = $1) ORDER BY room, number";
    let rows = sqlx::query(sql).bind(instance.to_owned());
    let mut wishes = Vec::new();
    for row in rows.fetch_all(&mut **work).await? {
        let room: String = row.try_get("room")?;
        sqlx::query("DELETE FROM room_wishes WHERE room = $1 AND number = $2")
            .bind(room.clone())
            .bind(row.try_get::<i64, _>("number")?)
            .execute(&mut **work)
            .await?;
        wishes.push((room, row.try_get("wish")?));
    }
    Ok(wishes)
}

fn read(row: &AnyRow) -> Result<KeptRoom, StoreError> {
    Ok(KeptRoom {
        id: row.try_get("id")?,
        instance: row.try_get("instance")?,
        about: row.try_get("about")?,
    })
}

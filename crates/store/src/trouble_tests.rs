//! A file that is locked, full or not a database.

use std::collections::BTreeMap;

use switchboard_reminders::{Key, Message, Retry, Spec, Target};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

fn reminder(number: u128, text: &str) -> Reminder {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    let spec = Spec {
        target: Target::phone("+4915112345678").unwrap(),
        from: None,
        at,
        zone: "UTC".to_owned(),
        quiet: None,
        retry: Retry {
            attempts: 2,
            spacing: Duration::from_secs(600),
        },
        expires: at + Duration::from_secs(3600),
        message: Message::Text(text.to_owned()),
        variables: BTreeMap::new(),
        confirm: Key::new('1').unwrap(),
        postpone: None,
        reference: None,
    };
    Reminder::new(ReminderId(Uuid::from_u128(number)), spec, at)
}

async fn store(directory: &TempDir) -> Store {
    let file = directory.path().join("reminders.db");
    let config = StoreConfig {
        patience: Duration::from_millis(500),
        ..StoreConfig::new(format!("sqlite:{}", file.display()))
    };
    Store::open(&config).await.unwrap()
}

#[tokio::test]
async fn a_locked_file_is_read_but_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    let now = Timestamp::UNIX_EPOCH;
    store.insert(&[reminder(1, "x")], None, now).await.unwrap();
    let lock = store.begin().await.unwrap();
    let refused = store.insert(&[reminder(2, "x")], None, now).await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    assert_eq!(store.counts().await.unwrap().waiting, 1);
    drop(lock);
    store.insert(&[reminder(2, "x")], None, now).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    // Stands for a disk without room: no page more than there are.
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = store.pool.acquire().await.unwrap();
        connection
            .execute("PRAGMA max_page_count = 1")
            .await
            .unwrap();
        connections.push(connection);
    }
    drop(connections);
    let many: Vec<Reminder> = (0..200)
        .map(|number| reminder(number, &"x".repeat(2000)))
        .collect();
    let refused = store.insert(&many, None, Timestamp::UNIX_EPOCH).await;
    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    // Connections that a transaction failed on are replaced; new ones have room.
    for _ in 1..CONNECTIONS {
        let _ = store.insert(&many, None, Timestamp::UNIX_EPOCH).await;
    }
    let free = store.counts().await.unwrap().waiting == many.len() as u64
        || store
            .insert(&many, None, Timestamp::UNIX_EPOCH)
            .await
            .is_ok();
    assert!(free, "there is room, and nothing is taken");
    assert_eq!(store.counts().await.unwrap().waiting, many.len() as u64);
}

#[tokio::test]
async fn what_is_no_database_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notes.txt");
    std::fs::write(&file, "x".repeat(4096)).unwrap();
    let config = StoreConfig::new(format!("sqlite:{}", file.display()));
    assert!(Store::open(&config).await.is_err());
    for address in ["", "sqlite:", "mysql://x/y", "reminders.db"] {
        let opened = Store::open(&StoreConfig::new(address)).await;
        assert!(matches!(opened, Err(StoreError::Address)), "{address}");
    }
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    store
        .insert(&[reminder(1, "x")], None, Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

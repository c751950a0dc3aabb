//! Rooms, as a client sees them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use serde_json::{Value, json};
use switchboard_service::api::{self, Access, Requests, RoomParts};
use switchboard_service::{Member, RoomState, RoomWish, Rooms as _};
use uuid::Uuid;

use crate::fakes::{FakeRooms, FakeSwitch};
use crate::roll::roll;
use crate::site::{Answer, Site};

fn reason() -> String {
    json!({"variables": {"reason": "The disk is full."}}).to_string()
}

async fn open(site: &Site, key: Option<&str>, body: String) -> Answer {
    let request = match key {
        Some(key) => site.post("/rooms/bridge").header("idempotency-key", key),
        None => site.post("/rooms/bridge"),
    };
    site.send(request, body).await
}

fn location(opened: &Answer) -> String {
    let location = opened.headers["location"].to_str().unwrap();
    location.strip_prefix("/api/v1").unwrap().to_owned()
}

#[tokio::test]
async fn a_room_is_opened_looked_at_and_closed() {
    let site = Site::start().await;
    let opened = open(&site, None, reason()).await;
    assert_eq!(opened.status, StatusCode::ACCEPTED, "{}", opened.body);
    let path = location(&opened);
    {
        let mut rooms = site.rooms.rooms.lock().unwrap();
        rooms[0].state = RoomState::Open;
        rooms[0].people.push(Member {
            name: Some("Ada".to_owned()),
            identity: Some("ada-id".to_owned()),
            muted: false,
        });
    }
    let mut seen = site
        .send(site.ask("GET", &path, &site.writer), "")
        .await
        .body;
    assert_eq!(seen["id"], opened.body["id"]);
    seen["id"] = json!("[id]");
    insta::assert_json_snapshot!(seen, @r#"
    {
      "id": "[id]",
      "room": "bridge",
      "instance": "one",
      "since": "2027-01-15T08:00:00Z",
      "state": "open",
      "count": 1,
      "people": [
        {
          "name": "Ada",
          "identity": "ada-id",
          "muted": false
        }
      ]
    }
    "#);
    let looked = site.get(&path).await.body;
    assert_eq!(
        (&looked["count"], &looked["people"]),
        (&json!(1), &Value::Null)
    );
    let close = || site.send(site.ask("DELETE", &path, &site.writer), "");
    assert_eq!(close().await.status, StatusCode::ACCEPTED);
    close().await.is_problem(409);
    let unknown = format!("/rooms/{}", Uuid::nil());
    for (method, path) in [
        ("GET", &*unknown),
        ("DELETE", &unknown),
        ("GET", "/rooms/7"),
    ] {
        site.send(site.ask(method, path, &site.writer), "")
            .await
            .is_problem(404);
    }
}

#[tokio::test]
async fn what_is_done_in_a_room_is_told_to_who_has_it() {
    let site = Site::start().await;
    let path = location(&open(&site, None, reason()).await);
    let lead = |what: &str, body: Value| {
        let request = site.post(&format!("{path}/{what}"));
        site.send(request, body.to_string())
    };
    let who = |names: &[&str]| json!({"who": names});
    for (what, body) in [
        ("invite", who(&["ada", "ben"])),
        ("mute", who(&[])),
        ("mute", who(&["ada"])),
        ("hold", who(&["ada"])),
        ("resume", who(&["ada"])),
        ("announce", json!({"prompt": "quiet"})),
    ] {
        assert_eq!(
            lead(what, body).await.status,
            StatusCode::ACCEPTED,
            "{what}"
        );
    }
    let ada = || "ada".to_owned();
    let wishes = site.rooms.wishes.lock().unwrap().clone();
    assert_eq!(
        wishes,
        [
            RoomWish::Invite(vec![ada(), "ben".to_owned()]),
            RoomWish::Mute(None),
            RoomWish::Mute(Some(ada())),
            RoomWish::Hold(ada()),
            RoomWish::Resume(ada()),
            RoomWish::Announce("quiet".to_owned()),
        ]
    );
    for (what, body, status) in [
        ("invite", who(&[]), 422),
        ("invite", who(&["ada"; 6]), 422),
        ("mute", who(&["ada", "ben"]), 422),
        ("hold", who(&[]), 422),
        ("hold", who(&["ben"]), 422),
        ("announce", json!({}), 400),
        ("announce", json!({"who": []}), 400),
        ("dance", who(&[]), 404),
    ] {
        lead(what, body).await.is_problem(status);
    }
    let long = json!({"prompt": "x".repeat(70_000)});
    lead("announce", long).await.is_problem(413);
    assert_eq!(site.rooms.wishes.lock().unwrap().len(), wishes.len());
}

#[tokio::test]
async fn who_may_only_look_opens_and_leads_nothing_and_every_error_is_a_problem() {
    let site = Site::start().await;
    let path = location(&open(&site, None, reason()).await);
    let mute = format!("{path}/mute");
    for (method, path, body) in [
        ("POST", "/rooms/bridge", reason()),
        ("POST", &*mute, json!({"who": []}).to_string()),
        ("DELETE", &*path, String::new()),
    ] {
        let reader = site.ask(method, path, &site.reader);
        site.send(reader, body.clone()).await.is_problem(403);
        let stranger = site.ask(method, path, "swb_x");
        site.send(stranger, body).await.is_problem(401);
    }
    assert_eq!(site.rooms.list_len(), 1);
    for (path, body, status) in [
        ("/rooms/bridge", "{", 400),
        ("/rooms/bridge", "{\"reason\": \"x\"}", 400),
        ("/rooms/bridge", "", 422),
        ("/rooms/brigde", "", 404),
        ("/rooms/a/b/c", "", 404),
    ] {
        site.send(site.post(path), body).await.is_problem(status);
    }
    let long = json!({"variables": {"reason": "x".repeat(70_000)}});
    open(&site, None, long.to_string()).await.is_problem(413);
    let put = site.ask("PUT", "/rooms", &site.writer);
    site.send(put, "").await.is_problem(405);
}

#[tokio::test]
async fn rooms_have_pages_oldest_first() {
    let site = Site::start().await;
    let mut opened = Vec::new();
    for _ in 0..5 {
        opened.push(open(&site, None, reason()).await.body["id"].clone());
    }
    let (mut path, mut sizes, mut seen) = ("/rooms?limit=2".to_owned(), Vec::new(), Vec::new());
    loop {
        let page = site.get(&path).await;
        let rooms = page.body["rooms"].as_array().unwrap();
        sizes.push(rooms.len());
        seen.extend(rooms.iter().map(|room| room["id"].clone()));
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        path = format!("/rooms?limit=2&after={next}");
    }
    assert_eq!(sizes, [2, 2, 1]);
    // Two were opened at a time: those in either order.
    assert_eq!(seen[4], opened[4]);
    opened.sort_by_key(Value::to_string);
    seen.sort_by_key(Value::to_string);
    assert_eq!(seen, opened);
    for query in ["limit=0", "limit=501", "after=x", "sort=id"] {
        site.get(&format!("/rooms?{query}")).await.is_problem(400);
    }
}

/// What holds of a request that is sent again, wherever it is noted.
async fn is_opened_once(site: &Site) {
    let first = open(site, Some("a"), reason()).await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = open(site, Some("a"), reason()).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.body, first.body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(location(&again), location(&first));
    let other = json!({"variables": {"reason": "Another."}}).to_string();
    open(site, Some("a"), other.clone()).await.is_problem(422);
    let elsewhere = site.post("/rooms/other").header("idempotency-key", "a");
    site.send(elsewhere, reason()).await.is_problem(422);
    // What opened nothing may come anew, and right.
    open(site, Some("b"), "{}".to_owned()).await.is_problem(422);
    let mended = open(site, Some("b"), other).await;
    assert_eq!(mended.status, StatusCode::ACCEPTED, "{}", mended.body);
    assert_eq!(site.rooms.list_len(), 2);
}

#[tokio::test]
async fn an_alert_sent_again_opens_nothing_new() {
    let site = Site::start().await;
    is_opened_once(&site).await;
    // Another instance, or this one after a restart, knows who opened it.
    site.rooms.rooms.lock().unwrap().clear();
    let again = open(&site, Some("a"), reason()).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.body["state"], "unknown");
    assert_eq!(again.body["instance"], "one");
    assert_eq!(again.body["since"], "2026-03-01T12:00:00Z");
    assert_eq!(site.rooms.list_len(), 0);
}

#[tokio::test]
async fn without_a_database_there_are_rooms_alone() {
    let mut site = Site::start().await;
    site.rooms = Arc::<FakeRooms>::default();
    site.router = api::rooms_router(RoomParts {
        access: Arc::new(Access {
            keys: site.keys(),
            tokens: None,
        }),
        rooms: Arc::clone(&site.rooms) as Arc<_>,
        requests: Requests::default(),
        instance: "alone".to_owned(),
        clock: Arc::clone(&site.clock) as Arc<_>,
    });
    is_opened_once(&site).await;
    site.get("/reminders").await.is_problem(404);
    let described = site.send(Request::get("/api/v1/openapi.json"), "").await;
    let paths = described.body["paths"].as_object().unwrap();
    assert!(paths.keys().all(|path| path.starts_with("/api/v1/rooms")));
}

/// Looks until it is so.
async fn until(is: impl AsyncFn() -> bool) {
    while !is().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Rooms of an instance `two`: one that is open, and Ada in it.
fn with_ada(id: Uuid) -> Arc<FakeRooms> {
    let there = Arc::<FakeRooms>::default();
    let variables = BTreeMap::from([("reason".to_owned(), "The disk is full.".to_owned())]);
    there.open(id, "bridge", variables).unwrap();
    {
        let mut rooms = there.rooms.lock().unwrap();
        rooms[0].state = RoomState::Open;
        rooms[0].people.push(Member {
            name: Some("Ada".to_owned()),
            identity: Some("ada-id".to_owned()),
            muted: false,
        });
    }
    there
}

#[tokio::test]
async fn a_room_elsewhere_is_seen_and_led_by_who_has_it() {
    let site = Site::start().await;
    let id = Uuid::new_v4();
    let there = with_ada(id);
    let two = roll(&site.store, Arc::<FakeSwitch>::default(), "two");
    let two = two.with_rooms(Arc::clone(&there) as Arc<_>);
    let (end, ended) = tokio::sync::oneshot::channel();
    let life = tokio::spawn(two.keep(async move { _ = ended.await }));
    let path = format!("/rooms/{id}");
    until(async || site.get(&path).await.status == StatusCode::OK).await;

    let request = site.ask("GET", &path, &site.writer);
    let seen = site.send(request, "").await.body;
    let told = json!([
        seen["instance"],
        seen["state"],
        seen["count"],
        seen["people"]
    ]);
    // Who is in it is told by nobody else.
    assert_eq!(told, json!(["two", "open", 1, null]));
    open(&site, None, reason()).await;
    let listed = site.get("/rooms").await.body;
    let listed = listed["rooms"].as_array().unwrap().iter();
    let mut listed: Vec<_> = listed.map(|room| room["instance"].clone()).collect();
    listed.sort_by_key(Value::to_string);
    assert_eq!(json!(listed), json!(["one", "two"]));

    let lead = |what: &str, body: Value| {
        let request = site.post(&format!("{path}/{what}"));
        site.send(request, body.to_string())
    };
    lead("hold", json!({"who": ["ben"]})).await.is_problem(422);
    for (what, who) in [("mute", json!([])), ("hold", json!(["ada"]))] {
        assert_eq!(lead(what, json!({"who": who})).await.status, 202, "{what}");
    }
    until(async || there.wishes.lock().unwrap().len() == 2).await;
    let wishes = there.wishes.lock().unwrap().clone();
    let wanted = [RoomWish::Mute(None), RoomWish::Hold("ada".to_owned())];
    assert_eq!(wishes, wanted);
    let close = || site.send(site.ask("DELETE", &path, &site.writer), "");
    assert_eq!(close().await.status, 202);
    until(async || *there.closed.lock().unwrap() == [id]).await;
    assert!(site.rooms.wishes.lock().unwrap().is_empty());

    there.rooms.lock().unwrap()[0].state = RoomState::Closed;
    until(async || site.get(&path).await.body["state"] == "closed").await;
    close().await.is_problem(409);
    // Its instance ends, and with it what is known of its rooms.
    end.send(()).unwrap();
    life.await.unwrap();
    site.get(&path).await.is_problem(404);
    close().await.is_problem(404);
}

#[tokio::test]
async fn a_room_is_known_elsewhere_as_soon_as_it_is_opened() {
    let site = Site::start().await;
    let opened = open(&site, None, reason()).await;
    let kept = site.store.kept_rooms().await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (&*kept[0].id, &*kept[0].instance),
        (opened.body["id"].as_str().unwrap(), "one")
    );
    assert!(!kept[0].about.contains("disk"), "reasons are not stored");
}

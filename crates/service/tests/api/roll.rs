//! Calls of several instances that share a database.

use std::future::pending;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use switchboard_service::{Clock, DialError, LiveCall, Roll, Switch};
use switchboard_store::Store;

use crate::calls::call;
use crate::fakes::FakeSwitch;
use crate::site::Site;

/// Time passes as soon as it is waited for.
#[derive(Default)]
struct Flying(AtomicI64);

#[async_trait]
impl Clock for Flying {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }

    async fn sleep_until(&self, at: Timestamp) {
        self.0.fetch_max(at.as_microsecond(), Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

/// Ends calls that are not its own, but each at the second attempt only.
#[derive(Default)]
struct Ender {
    calls: Mutex<Vec<LiveCall>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Switch for Ender {
    fn calls(&self) -> Vec<LiveCall> {
        self.calls.lock().unwrap().clone()
    }

    fn changes(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        None
    }

    fn hang_up(&self, _: &str) -> bool {
        false
    }

    async fn end(&self, call: &str) -> Result<(), DialError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(call.to_owned());
        match asked.iter().filter(|asked| *asked == call).count() {
            1 => Err(DialError::Unknown("not now".to_owned())),
            _ => Ok(()),
        }
    }

    fn is_open(&self) -> bool {
        true
    }
}

pub(crate) fn roll(store: &Store, switch: Arc<dyn Switch>, name: &str) -> Roll {
    let url = format!("https://{name}.example/api/v1");
    Roll::new(store.clone(), switch, Arc::<Flying>::default(), name, url)
}

/// Waits until `wanted` holds of the ids of all kept calls.
async fn until(store: &Store, wanted: impl Fn(&[String]) -> bool) {
    loop {
        let kept = store.kept_calls(None).await.unwrap();
        let ids: Vec<String> = kept.into_iter().map(|call| call.id).collect();
        if wanted(&ids) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An instance with two calls that died.
async fn died(store: &Store, name: &str) {
    let switch = Arc::<FakeSwitch>::default();
    *switch.calls.lock().unwrap() = vec![call(1), call(2)];
    let life = tokio::spawn(roll(store, switch, name).keep(pending()));
    until(store, |ids| ids.len() == 2).await;
    life.abort();
    let _ = life.await;
}

#[tokio::test]
async fn calls_of_an_instance_that_is_gone_are_ended_by_another() {
    let site = Site::start().await;
    died(&site.store, "one").await;
    let ender = Arc::<Ender>::default();
    *ender.calls.lock().unwrap() = vec![call(3)];
    let life = tokio::spawn(roll(&site.store, Arc::clone(&ender) as Arc<_>, "two").keep(pending()));
    until(&site.store, |ids| *ids == ["call-3"]).await;
    let mut asked = ender.asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked, ["call-1", "call-1", "call-2", "call-2"]);
    while site.store.instances().await.unwrap().len() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    life.abort();
}

#[tokio::test]
async fn calls_of_an_earlier_life_are_ended_by_the_next() {
    let site = Site::start().await;
    died(&site.store, "one").await;
    let ender = Arc::<Ender>::default();
    let life = tokio::spawn(roll(&site.store, Arc::clone(&ender) as Arc<_>, "one").keep(pending()));
    until(&site.store, <[String]>::is_empty).await;
    assert_eq!(ender.asked.lock().unwrap().len(), 4);
    life.abort();
}

#[tokio::test]
async fn a_call_elsewhere_is_seen_and_hung_up_by_who_has_it() {
    let site = Site::start().await;
    *site.switch.calls.lock().unwrap() = vec![call(1)];
    let switch = Arc::<FakeSwitch>::default();
    *switch.calls.lock().unwrap() = vec![call(2)];
    let life =
        tokio::spawn(roll(&site.store, Arc::clone(&switch) as Arc<_>, "two").keep(pending()));
    until(&site.store, |ids| ids.len() == 1).await;

    let seen = site.send(site.ask("GET", "/calls", &site.writer), "").await;
    let told = seen.body["calls"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|call| json!([call["id"], call["instance"]]))
        .collect();
    assert_eq!(json!(told), json!([["call-1", "one"], ["call-2", "two"]]));
    // Who is in it is told by nobody else.
    assert!(seen.body["calls"][1].get("phone").is_none());
    let health = site.get("/health").await.body;
    let mut other = health["instances"][0].clone();
    other["seen"].take();
    let wanted = json!({
        "name": "two", "url": "https://two.example/api/v1", "seen": null, "calls": 1,
    });
    assert_eq!(other, wanted);

    let request = site.ask("DELETE", "/calls/call-2", &site.writer);
    assert_eq!(site.send(request, "").await.status, 202);
    while switch.hung_up.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(switch.hung_up.lock().unwrap()[0], "call-2");
    assert!(site.switch.hung_up.lock().unwrap().is_empty());
    life.abort();
}

#[tokio::test]
async fn an_instance_that_ends_says_goodbye() {
    let site = Site::start().await;
    let switch = Arc::<FakeSwitch>::default();
    *switch.calls.lock().unwrap() = vec![call(1)];
    let (end, ended) = tokio::sync::oneshot::channel();
    let own = roll(&site.store, Arc::clone(&switch) as Arc<_>, "one");
    let life = tokio::spawn(own.keep(async move { _ = ended.await }));
    until(&site.store, |ids| *ids == ["call-1"]).await;
    switch.calls.lock().unwrap().clear();
    end.send(()).unwrap();
    life.await.unwrap();
    assert!(site.store.kept_calls(None).await.unwrap().is_empty());
    assert!(site.store.instances().await.unwrap().is_empty());
}

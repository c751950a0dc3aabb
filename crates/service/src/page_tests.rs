use axum::body::{Body, to_bytes};
use http::{Request, Response};
use tower::ServiceExt as _;

use super::*;

async fn fetch(path: &str, host: &str) -> Response<Body> {
    let request = Request::get(path).header(HOST, host);
    let request = request.body(Body::empty()).unwrap();
    let router = router(vec!["bot.example".to_owned()]);
    router.oneshot(request).await.unwrap()
}

#[tokio::test]
async fn it_is_there_under_known_names_only() {
    for host in [
        "bot.example",
        "BOT.example:443",
        "bot.example.",
        "localhost:3978",
        "127.0.0.1:3978",
        "10.1.2.3",
        "[::1]:3978",
    ] {
        assert_eq!(fetch("/admin/", host).await.status(), 200, "{host}");
    }
    for host in [
        "evil.example",
        "bot.example.evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "user@bot.example.evil",
        "",
        " ",
        "[::1",
    ] {
        for (path, ..) in FILES {
            let refused = fetch(path, host).await;
            assert_eq!(refused.status(), 421, "{host}");
            let body = to_bytes(refused.into_body(), 1 << 16).await.unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("API key"));
        }
    }
    let twice = Request::get("/admin/")
        .header(HOST, "bot.example")
        .header(HOST, "evil.example");
    let twice = twice.body(Body::empty()).unwrap();
    let answer = router(vec!["bot.example".to_owned()]).oneshot(twice).await;
    assert_eq!(answer.unwrap().status(), 421);
}

#[tokio::test]
async fn nothing_foreign_and_nothing_inline_can_run() {
    for (path, kind, content) in FILES {
        let answer = fetch(path, "localhost").await;
        let headers = answer.headers();
        assert_eq!(headers[CONTENT_TYPE], kind);
        assert_eq!(headers[CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(!headers.contains_key("set-cookie"));
        assert!(!headers.contains_key("access-control-allow-origin"));
        // What the policy would stop is not even tried.
        for foreign in [
            "http://",
            "https://",
            " style=",
            "onclick=\"",
            "<style",
            "innerHTML",
            "localStorage",
            "sessionStorage",
            "document.cookie",
            "eval(",
        ] {
            assert!(!content.contains(foreign), "{path}: {foreign}");
        }
    }
}

#[tokio::test]
async fn what_it_names_is_there() {
    let page = FILES[0].2;
    for name in page
        .split(['"'])
        .filter(|name| name.ends_with(".js") || name.ends_with(".css"))
    {
        let answer = fetch(&format!("/admin/{name}"), "localhost").await;
        assert_eq!(answer.status(), 200, "{name}");
    }
    for id in FILES[1].2.split("byId(\"").skip(1) {
        let id = id.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    let bare = fetch("/admin", "localhost").await;
    assert_eq!(
        (bare.status().as_u16(), &bare.headers()["location"]),
        (308, &"admin/".parse().unwrap())
    );
}

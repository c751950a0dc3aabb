//! The softphone page: a handful of files built into the program, served with a
//! policy that lets the browser load nothing else.

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::routing::get;

/// Same-origin scripts, styles and the socket; no inline code, no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; media-src 'self' blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// One file of the page.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($path:literal = $file:literal as $content_type:ident),+ $(,)?) => {
        &[$(Asset {
            path: $path,
            content_type: $content_type,
            body: include_bytes!(concat!("../page/", $file)),
        }),+]
    };
}

const ASSETS: &[Asset] = assets![
    "/" = "index.html" as HTML,
    "/softphone/style.css" = "style.css" as STYLE,
    "/softphone/icon.svg" = "icon.svg" as SVG,
    "/softphone/admin.js" = "admin.js" as SCRIPT,
    "/softphone/app.js" = "app.js" as SCRIPT,
    "/softphone/audio.js" = "audio.js" as SCRIPT,
    "/softphone/element.js" = "element.js" as SCRIPT,
    "/softphone/faults.js" = "faults.js" as SCRIPT,
    "/softphone/inspector.js" = "inspector.js" as SCRIPT,
    "/softphone/keys.js" = "keys.js" as SCRIPT,
    "/softphone/lanes.js" = "lanes.js" as SCRIPT,
    "/softphone/media.js" = "media.js" as SCRIPT,
    "/softphone/mos.js" = "mos.js" as SCRIPT,
    "/softphone/sounds.js" = "sounds.js" as SCRIPT,
    "/softphone/signal.js" = "signal.js" as SCRIPT,
    "/softphone/stats.js" = "stats.js" as SCRIPT,
    "/softphone/targets.js" = "targets.js" as SCRIPT,
    "/softphone/timeline.js" = "timeline.js" as SCRIPT,
    "/softphone/tools.js" = "tools.js" as SCRIPT,
    "/softphone/view.js" = "view.js" as SCRIPT,
];

/// Routes for the page at `/` and its files under `/softphone/`; any other path
/// is left to whatever this is merged with.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        router.route(
            asset.path,
            get(move || async { (asset.headers(), asset.body) }),
        )
    })
}

impl Asset {
    fn headers(&self) -> [(HeaderName, &'static str); 6] {
        [
            (CONTENT_TYPE, self.content_type),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            // Small and local: always the files of the program that runs.
            (CACHE_CONTROL, "no-store"),
            (
                HeaderName::from_static("permissions-policy"),
                "microphone=(self), camera=(), geolocation=()",
            ),
        ]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, Response, StatusCode};
    use tower::ServiceExt;

    use super::*;

    const LARGEST_PAGE: usize = 100_000;

    async fn fetch(path: &str) -> Response<Body> {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router::<()>().oneshot(request).await.unwrap()
    }

    fn text(asset: &Asset) -> &'static str {
        std::str::from_utf8(asset.body).unwrap()
    }

    /// Values of `before…"` or `before…'` in a text.
    fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before)
            .skip(1)
            .filter_map(|rest| rest.split(['"', '\'']).next())
    }

    fn files_on_disk() -> Vec<String> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn served(path: &str) -> bool {
        ASSETS.iter().any(|asset| asset.path == path)
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let mut names: Vec<_> = ASSETS
            .iter()
            .map(|asset| match asset.path {
                "/" => "index.html".to_owned(),
                path => path.trim_start_matches("/softphone/").to_owned(),
            })
            .collect();
        names.sort();
        assert_eq!(names, files_on_disk());
    }

    #[test]
    fn everything_the_page_refers_to_is_served() {
        let html = text(&ASSETS[0]);
        let linked: Vec<_> = quoted(html, "src=\"")
            .chain(quoted(html, "href=\""))
            .collect();
        assert!(linked.contains(&"/softphone/app.js"), "{linked:?}");
        for path in linked {
            let path = path.split('?').next().unwrap();
            assert!(served(path), "{path} is not served");
        }
    }

    #[test]
    fn every_imported_module_is_served() {
        for script in ASSETS.iter().filter(|asset| asset.content_type == SCRIPT) {
            for module in quoted(text(script), "from './") {
                let path = format!("/softphone/{module}");
                assert!(served(&path), "{} imports {module}", script.path);
            }
        }
    }

    #[test]
    fn the_page_is_small() {
        let size: usize = ASSETS.iter().map(|asset| asset.body.len()).sum();
        assert!(size <= LARGEST_PAGE, "{size} bytes");
    }

    #[test]
    fn nothing_refers_to_another_origin() {
        // The namespace of SVG is a name, not an address.
        let allowed = "http://www.w3.org/2000/svg";
        for asset in ASSETS {
            let text = text(asset).replace(allowed, "");
            for other in ["http://", "https://", "//cdn", "@import", "url(//"] {
                assert!(!text.contains(other), "{} holds {other}", asset.path);
            }
        }
    }

    #[test]
    fn nothing_needs_an_exception_from_the_policy() {
        let html = text(&ASSETS[0]);
        for inline in ["style=", "<style", "onclick=", "javascript:", "<script>"] {
            assert!(!html.contains(inline), "index.html holds {inline}");
        }
        assert!(!POLICY.contains("unsafe"));
    }

    #[test]
    fn nothing_is_kept_in_the_browser() {
        for script in ASSETS.iter().filter(|asset| asset.content_type == SCRIPT) {
            for store in [
                "localStorage",
                "sessionStorage",
                "indexedDB",
                "cookie",
                "caches.",
            ] {
                assert!(
                    !text(script).contains(store),
                    "{} uses {store}",
                    script.path
                );
            }
        }
    }

    #[tokio::test]
    async fn every_response_carries_the_policy() {
        for asset in ASSETS {
            let response = fetch(asset.path).await;
            assert_eq!(response.status(), StatusCode::OK, "{}", asset.path);
            let headers = response.headers();
            assert_eq!(headers[CONTENT_SECURITY_POLICY], POLICY);
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers[CONTENT_TYPE], asset.content_type);
            let body = to_bytes(response.into_body(), LARGEST_PAGE).await.unwrap();
            assert_eq!(body, asset.body, "{}", asset.path);
        }
    }

    #[tokio::test]
    async fn other_paths_are_not_found() {
        for path in [
            "/softphone/",
            "/softphone/app.ts",
            "/softphone/../Cargo.toml",
            "/index.html",
        ] {
            assert_eq!(fetch(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}

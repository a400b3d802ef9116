//! The page's files, embedded in the program. `--ui-dir` serves them from a folder instead, while they are written.
//!
//! Files are served under `/ui/HASH/`, where the hash is that of all files together, and may be kept for ever there; the
//! HTML names them so. Under `/ui/` alone they are served as well, to be asked for anew each time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{FromRef, Path as UrlPath};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use sha2::{Digest as _, Sha256};

use crate::dashboard::access::Viewer;
use crate::dashboard::http::access::local;
use crate::dashboard::http::error::HttpError;
use crate::dashboard::store::Store;

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

macro_rules! table {
    ($($name:literal),* $(,)?) => {
        /// Every file of the page. A test compares it with the folder.
        const FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../ui/", $name)))),*];
    };
}

table![
    "alerts.css",
    "amounts.js",
    "api.js",
    "app.js",
    "chart.css",
    "chart.js",
    "colours.css",
    "dom.js",
    "favicon.svg",
    "fleet.js",
    "format.js",
    "hosts.css",
    "icons.js",
    "index.html",
    "live.js",
    "log.css",
    "log/ansi.js",
    "log/blocks.js",
    "log/build_lines.js",
    "log/colour.js",
    "log/follow.js",
    "log/gaps.js",
    "log/loader.js",
    "log/marks.js",
    "log/panel.js",
    "log/rows.js",
    "log/scroll.js",
    "log/toolbar.js",
    "login.html",
    "login.js",
    "page.css",
    "progress.js",
    "recent.js",
    "router.js",
    "run.css",
    "setup.html",
    "theme.js",
    "types.js",
    "view/alert_row.js",
    "view/alerts.js",
    "view/build_log.js",
    "view/channels.js",
    "view/commands.js",
    "view/dialogs.js",
    "view/first_error.js",
    "view/host.js",
    "view/host_charts.js",
    "view/host_events.js",
    "view/host_parts.js",
    "view/host_row.js",
    "view/hosts.js",
    "view/now.js",
    "view/outcome.js",
    "view/phases.js",
    "view/resources.js",
    "view/run.js",
    "view/run_head.js",
    "view/stop.js",
    "view/top.js",
    "view/trouble.js",
    "view/waiting.js",
    "words.js",
];

/// The pages' names and, for each, its file.
#[derive(Debug)]
struct Assets {
    /// Sixteen hexadecimal digits of the files' hash.
    hash: String,
    /// Serve from here instead.
    ui_dir: Option<PathBuf>,
}

impl Assets {
    fn new(ui_dir: Option<PathBuf>) -> Self {
        let mut all = Sha256::new();
        for (name, bytes) in FILES {
            all.update(name.as_bytes());
            all.update((bytes.len() as u64).to_le_bytes());
            all.update(bytes);
        }
        Self {
            hash: hex16(&all.finalize()),
            ui_dir,
        }
    }

    /// The bytes of a file that is in the table.
    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let (name, embedded) = FILES.iter().find(|(known, _)| *known == name)?;
        match &self.ui_dir {
            Some(dir) => std::fs::read(dir.join(name)).ok(),
            None => Some(embedded.to_vec()),
        }
    }

    fn html(&self, name: &str, headers: &HeaderMap) -> Response {
        let Some(mut bytes) = self.bytes(name) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if self.ui_dir.is_none() {
            let text = String::from_utf8_lossy(&bytes);
            bytes = text
                .replace("\"/ui/", &format!("\"/ui/{}/", self.hash))
                .into_bytes();
        }
        answer(name, bytes, ASK_AGAIN, headers)
    }

    fn file(&self, path: &str, headers: &HeaderMap) -> Response {
        let hashed = path
            .strip_prefix(self.hash.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .filter(|_| self.ui_dir.is_none());
        let name = hashed.unwrap_or(path);
        match self.bytes(name) {
            Some(bytes) if !is_page(name) => {
                let caching = if hashed.is_some() {
                    FOR_EVER
                } else {
                    ASK_AGAIN
                };
                answer(name, bytes, caching, headers)
            }
            _ => HttpError::NotFound(String::from("the page has no such file")).into_response(),
        }
    }
}

fn hex16(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn is_page(name: &str) -> bool {
    media_type(name).starts_with("text/html")
}

fn media_type(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|end| end.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn answer(name: &str, bytes: Vec<u8>, caching: HeaderValue, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex16(&Sha256::digest(&bytes)));
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().trim_start_matches("W/") == etag);
    let mut answer = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type(name))], bytes).into_response()
    };
    let answered = answer.headers_mut();
    answered.insert(header::CACHE_CONTROL, caching);
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        answered.insert(header::ETAG, etag);
    }
    answer
}

/// The pages and their files. With `ui_dir`, the files are read from there at each request.
pub fn routes<S>(ui_dir: Option<PathBuf>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Store: FromRef<S>,
{
    Router::new()
        .route("/", get(page))
        .route("/hosts/{host}", get(page))
        .route("/alerts", get(page))
        .route("/runs/{id}", get(page))
        .route("/login", get(login))
        .route("/setup", get(setup))
        .route(
            "/favicon.ico",
            get(|| async { Redirect::permanent("/ui/favicon.svg") }),
        )
        .route("/ui/{*path}", get(file))
        .layer(Extension(Arc::new(Assets::new(ui_dir))))
}

/// The one page that shows everything; who is not logged in goes to the login page.
async fn page(
    uri: Uri,
    viewer: Result<Viewer, HttpError>,
    Extension(assets): Extension<Arc<Assets>>,
    headers: HeaderMap,
) -> Response {
    match viewer {
        Ok(_) => assets.html("index.html", &headers),
        Err(HttpError::Unauthorized) => match local(Some(uri.path())) {
            "/" => Redirect::to("/login").into_response(),
            path => Redirect::to(&format!("/login?next={path}")).into_response(),
        },
        Err(error) => error.into_response(),
    }
}

async fn login(Extension(assets): Extension<Arc<Assets>>, headers: HeaderMap) -> Response {
    assets.html("login.html", &headers)
}

async fn setup(Extension(assets): Extension<Arc<Assets>>, headers: HeaderMap) -> Response {
    assets.html("setup.html", &headers)
}

async fn file(
    Extension(assets): Extension<Arc<Assets>>,
    UrlPath(path): UrlPath<String>,
    headers: HeaderMap,
) -> Response {
    assets.file(&path, &headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(dir: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folder(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }

    #[test]
    fn the_table_is_the_folder() {
        let mut found = Vec::new();
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard/ui");
        folder(&dir, "", &mut found);
        found.sort();
        let table: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(table, found);
        for name in table {
            assert_ne!(media_type(name), "application/octet-stream", "{name}");
        }
    }

    fn caching(response: &Response) -> &str {
        response.headers()[header::CACHE_CONTROL].to_str().unwrap()
    }

    #[test]
    fn files_may_be_kept_only_under_their_hash() {
        let assets = Assets::new(None);
        let none = HeaderMap::new();
        let kept = assets.file(&format!("{}/app.js", assets.hash), &none);
        assert_eq!(kept.status(), StatusCode::OK);
        assert!(caching(&kept).contains("immutable"));
        let plain = assets.file("view/host.js", &none);
        assert_eq!(caching(&plain), "no-cache");
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, plain.headers()[header::ETAG].clone());
        assert_eq!(
            assets.file("view/host.js", &again).status(),
            StatusCode::NOT_MODIFIED
        );
        for path in [
            "nothing.js",
            "0000000000000000/app.js",
            "../assets.rs",
            "index.html",
            "",
        ] {
            assert_eq!(
                assets.file(path, &none).status(),
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn pages_name_their_files_by_hash_and_are_asked_for_anew() {
        let assets = Assets::new(None);
        let page = assets.html("login.html", &HeaderMap::new());
        assert_eq!(caching(&page), "no-cache");
        let body = axum::body::to_bytes(page.into_body(), 1 << 20)
            .await
            .unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            body.contains(&format!("src=\"/ui/{}/", assets.hash)),
            "{body}"
        );
        assert!(!body.contains("\"/ui/login"), "{body}");
    }

    #[test]
    fn a_folder_can_stand_in() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("app.js"), "1").unwrap();
        let assets = Assets::new(Some(dir.path().to_owned()));
        let none = HeaderMap::new();
        assert_eq!(assets.file("app.js", &none).status(), StatusCode::OK);
        assert_eq!(
            assets.file("live.js", &none).status(),
            StatusCode::NOT_FOUND
        );
    }
}

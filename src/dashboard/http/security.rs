//! Headers that every response has.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

/// Nothing but our own files runs or loads; nobody may show us in a frame.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];
/// One year; only where people come by HTTPS, or the dashboard could not be reached by HTTP any more.
const HSTS: &str = "max-age=31536000";

/// Puts the headers on every response of `router`. What does not say how it may be cached must not be.
pub fn headers<S: Clone + Send + Sync + 'static>(router: Router<S>, https: bool) -> Router<S> {
    router.layer(from_fn_with_state(https, add))
}

async fn add(State(https): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if https {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static(HSTS),
        );
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    async fn answer(https: bool, path: &str) -> axum::http::HeaderMap {
        let router = headers(
            Router::<()>::new().route("/", get(|| async { "hello" })),
            https,
        );
        let request = Request::get(path).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap().headers().clone()
    }

    #[tokio::test]
    async fn every_response_has_them() {
        for path in ["/", "/nowhere"] {
            let plain = answer(false, path).await;
            for (name, value) in ALWAYS {
                assert_eq!(plain[&name], value, "{path} {name}");
            }
            assert_eq!(plain[header::CACHE_CONTROL], "no-store");
            assert!(!plain.contains_key(header::STRICT_TRANSPORT_SECURITY));
            assert_eq!(
                answer(true, path).await[header::STRICT_TRANSPORT_SECURITY],
                HSTS
            );
        }
    }

    #[test]
    fn the_policy_allows_nothing_inline_and_no_frame() {
        assert!(POLICY.starts_with("default-src 'self';"));
        assert!(!POLICY.contains("unsafe") && !POLICY.contains('*'));
        assert!(POLICY.contains("frame-ancestors 'none'"));
    }
}

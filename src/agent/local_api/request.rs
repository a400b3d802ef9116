//! The head of a request, as far as this API needs it.

/// The longest head, in bytes.
pub(super) const MAX_HEAD: usize = 8 * 1024;
/// The most header lines.
const MAX_HEADERS: usize = 32;

/// What was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// `GET` and the like.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// After the question mark.
    pub query: String,
    /// `Accept`.
    pub accept: Option<String>,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Host`.
    pub host: Option<String>,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
    /// Whether a body follows, which nobody reads.
    pub has_body: bool,
}

/// What the bytes are so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A beginning.
    More,
    /// A whole head, and how many bytes it has.
    Head(Request, usize),
    /// Nothing that could become one: the status to answer, and why.
    Bad(u16, &'static str),
}

/// Reads a head from the beginning of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Complete(_)) => return Parsed::Bad(431, "the request is too long"),
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Parsed::More,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Bad(431, "the request is too long");
        }
        Err(_) => return Parsed::Bad(400, "this is no HTTP request"),
    };
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        keep_alive: head.version == Some(1),
        ..Request::default()
    };
    for header in head.headers.iter() {
        let value = || std::str::from_utf8(header.value).ok().map(str::to_owned);
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("accept") {
            request.accept = value();
        } else if is("authorization") {
            request.authorization = value();
        } else if is("host") {
            request.host = value();
        } else if is("connection") {
            let closes = |value: String| value.to_ascii_lowercase().contains("close");
            request.keep_alive &= !value().is_some_and(closes);
        } else if is("content-length") {
            request.has_body |= header.value != b"0";
        } else if is("transfer-encoding") {
            request.has_body = true;
        }
    }
    Parsed::Head(request, length)
}

/// Whether figures are wanted as Prometheus' text: it is asked for by name, before JSON.
pub(super) fn wants_text(request: &Request) -> bool {
    if let Some(format) = request
        .query
        .split('&')
        .find_map(|pair| pair.strip_prefix("format="))
    {
        return format == "prometheus";
    }
    let accept = request.accept.as_deref().unwrap_or_default();
    let (mut text, mut json) = (0.0, 0.0);
    for (rank, part) in accept.split(',').enumerate() {
        let mut pieces = part.split(';').map(str::trim);
        let kind = pieces.next().unwrap_or_default();
        let quality = pieces
            .find_map(|piece| piece.strip_prefix("q="))
            .and_then(|quality| quality.parse::<f64>().ok())
            .unwrap_or(1.0);
        // Of equals, the first one counts.
        let quality = quality - rank as f64 * 1e-6;
        if kind.eq_ignore_ascii_case("text/plain")
            || kind.eq_ignore_ascii_case("application/openmetrics-text")
        {
            text = f64::max(text, quality);
        } else if kind.eq_ignore_ascii_case("application/json") {
            json = f64::max(json, quality);
        }
    }
    text > json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Request {
        match parse(text.as_bytes()) {
            Parsed::Head(request, length) => {
                assert_eq!(length, text.len());
                request
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn heads() {
        let request = head(
            "GET /metrics?format=prometheus HTTP/1.1\r\nHost: a\r\nACCEPT: x\r\nauthorization: Bearer t\r\n\r\n",
        );
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("GET", "/metrics")
        );
        assert_eq!(request.query, "format=prometheus");
        assert_eq!(request.host.as_deref(), Some("a"));
        assert_eq!(request.accept.as_deref(), Some("x"));
        assert_eq!(request.authorization.as_deref(), Some("Bearer t"));
        assert!(request.keep_alive && !request.has_body);
        assert!(!head("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(!head("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").keep_alive);
        assert!(head("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n").has_body);
        assert!(!head("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").has_body);
        assert!(head("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").has_body);
    }

    #[test]
    fn what_is_no_head() {
        assert_eq!(parse(b""), Parsed::More);
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost"), Parsed::More);
        assert!(matches!(parse(b"\x16\x03\x01\x02"), Parsed::Bad(400, _)));
        assert!(matches!(
            parse(b"GET / HTTP/9.9\r\n\r\n"),
            Parsed::Bad(400, _)
        ));
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(MAX_HEAD));
        assert!(matches!(parse(long.as_bytes()), Parsed::Bad(431, _)));
        let whole = format!("{long}\r\n");
        assert!(matches!(parse(whole.as_bytes()), Parsed::Bad(431, _)));
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "a: b\r\n".repeat(MAX_HEADERS + 1)
        );
        assert!(matches!(parse(many.as_bytes()), Parsed::Bad(431, _)));
    }

    #[test]
    fn prometheus_and_people_get_what_they_ask_for() {
        let check = |query: &str, accept: Option<&str>, expected: bool| {
            let request = Request {
                query: query.into(),
                accept: accept.map(str::to_owned),
                ..Request::default()
            };
            assert_eq!(wants_text(&request), expected, "{query} {accept:?}");
        };
        check("", None, false);
        check("", Some("*/*"), false);
        check("", Some("text/plain"), true);
        check("", Some("application/json, text/plain, */*"), false);
        check("", Some("text/plain, application/json"), true);
        check("", Some("application/json;q=0.1, text/plain;q=0.9"), true);
        check("", Some("text/plain;q=0, application/json"), false);
        check(
            "",
            Some(
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
            ),
            true,
        );
        check("format=prometheus", Some("application/json"), true);
        check("a=b&format=json", Some("text/plain"), false);
    }
}

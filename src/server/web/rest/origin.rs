//! Which requests other web pages make in the name of their visitors. Those may neither write nor open a socket, which
//! browsers do without asking us first.

use crate::server::endpoint::permission::same_host;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;

/// The name that a request reached us by.
pub fn host(parts: &Parts) -> Option<&str> {
    // HTTP/2 has it in the address (RFC 9113, 8.3.1).
    let field = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    field.or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
}

/// Whether another page makes this request.
pub fn is_foreign(parts: &Parts) -> bool {
    let origin = parts.headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    let site = parts.headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    origin.is_some_and(|origin| !same_host(origin, host(parts)))
        || matches!(site, Some("cross-site" | "same-site"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    #[test]
    fn pages_of_other_hosts_are_told_apart() {
        let foreign = |fields: &[(&str, &str)]| {
            let mut request = Request::builder().uri("/");
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            is_foreign(&request.body(()).unwrap().into_parts().0)
        };
        let host = ("host", "a.example:8000");
        assert!(!foreign(&[host]) && !foreign(&[host, ("origin", "http://a.example:8000")]));
        assert!(!foreign(&[host, ("origin", "http://a.example:8000"), ("sec-fetch-site", "same-origin")]));
        for origin in [
            "http://a.example",
            "http://evil.example:8000",
            "null",
            "a.example:8000",
            "http://a.example:8001",
        ] {
            assert!(foreign(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(foreign(&[host, ("sec-fetch-site", "cross-site")]) && foreign(&[("origin", "http://a")]));
    }
}

//! Refuses requests that do not come from a page of this server, and adds the headers that restrict what its pages may do.
//!
//! The token in the address keeps other programs and web pages out. The checks here keep them out even if the token leaks:
//! a web page whose name resolves to this machine (DNS rebinding) sends its own name as `Host`, and a browser says where a
//! request comes from (`Origin`, `Sec-Fetch-Site`).

use crate::error::Refusal;
use crate::site::Site;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The largest body of a request, in bytes: a note is text.
pub(crate) const LARGEST_BODY: usize = 64 << 10;

/// The policy of the page, and no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src \
                      'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// Answers a request if it is allowed.
pub(crate) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match check(site.port, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn check(port: u16, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    // A header that is given twice counts as one that is not understood.
    let text = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().unwrap_or_default());
        if values.next().is_some() { Some("") } else { first }
    };
    let fetch = |part: &'static str| text(HeaderName::from_static(part));
    let forbidden = |what: &str| Err(Refusal(StatusCode::FORBIDDEN, what.to_owned()));
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let Some(host) = text(HOST).filter(|host| hosts.iter().any(|known| known == host)) else {
        return forbidden("wrong host; allowed: the address that `maquette review` printed");
    };
    if matches!(*method, Method::GET | Method::HEAD) {
        // A link to the page may be followed from anywhere, but no other page may embed or fetch what is served.
        let elsewhere = fetch("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
        return match elsewhere && fetch("sec-fetch-mode") != Some("navigate") {
            true => forbidden("pages of another site may not read here"),
            false => Ok(()),
        };
    }
    // Before any of it is read; a body without a length is cut off while it is read.
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > LARGEST_BODY as u64) {
        let what = format!("the body is too large; allowed: at most {LARGEST_BODY} bytes");
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, what));
    }
    if text(ORIGIN).is_some_and(|origin| origin != format!("http://{host}")) {
        return forbidden("pages of another origin may not write here");
    }
    if fetch("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return forbidden("pages of another site may not write here");
    }
    let json = text(CONTENT_TYPE)
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    // Browsers never send these methods or this type to another site without asking it first.
    if !json && *method != Method::DELETE {
        let what = "the content type is not application/json".to_owned();
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
    }
    Ok(())
}

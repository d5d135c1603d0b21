//! Why a request failed, from the error of the client.

use object_store::Error;
use object_store::client::HttpError;
use std::fmt;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// There is no bucket of that name.
    NoBucket,
    /// The store knows no such key or session token, or the signature does not belong to it.
    WrongKey {
        /// The answer, such as `403 InvalidAccessKeyId`.
        answer: String,
    },
    /// The key may not do that.
    Denied {
        /// The answer, such as `403 AccessDenied`.
        answer: String,
    },
    /// The clock of this machine is wrong.
    WrongClock,
    /// The bucket is in another region.
    WrongRegion,
    /// The store cannot do it now.
    Busy {
        /// The answer, such as `503 SlowDown`.
        answer: String,
    },
    /// There is no answer.
    Unreachable {
        /// The system's error.
        why: String,
    },
    /// Anything else.
    Other {
        /// The client's error.
        why: String,
    },
}

impl Problem {
    /// The client's own kinds are not enough: it has none for listings that are refused, and none for the store's codes.
    pub(crate) fn of(error: &Error) -> Problem {
        let mut innermost: &(dyn std::error::Error + 'static) = error;
        let mut has_answer = true;
        while let Some(source) = innermost.source() {
            has_answer &= !source.is::<HttpError>();
            innermost = source;
        }
        let text = innermost.to_string();
        if !has_answer {
            return Problem::Unreachable { why: text };
        }
        if text.starts_with("Received redirect") {
            return Problem::WrongRegion;
        }
        match status(&text) {
            Some(status) => answered(status, between(&text, "<Code>", "</Code>").unwrap_or_default()),
            None => Problem::Other { why: text },
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Problem::Busy { .. } | Problem::Unreachable { .. })
    }

    /// What to do about it, in a sentence.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Problem::NoBucket => {
                "Check the name in --runs, and AWS_ENDPOINT_URL and AWS_REGION, which choose the store."
            }
            Problem::WrongKey { answer } if answer.contains("Token") => {
                "Check AWS_SESSION_TOKEN, which belongs to AWS_ACCESS_KEY_ID and expires. With keys that do not expire, it must not be set."
            }
            Problem::WrongKey { answer } if answer.contains("Signature") => {
                "Check AWS_SECRET_ACCESS_KEY, which belongs to AWS_ACCESS_KEY_ID."
            }
            Problem::WrongKey { .. } => {
                "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that AWS_ENDPOINT_URL and AWS_REGION name the store that they belong to."
            }
            Problem::Denied { .. } => {
                "A worker has to read, list, write and remove objects; `status`, `runs` and `pull` only read and list. The key is AWS_ACCESS_KEY_ID."
            }
            Problem::WrongClock => "Set the clock.",
            Problem::WrongRegion => "Check AWS_REGION and AWS_ENDPOINT_URL.",
            Problem::Busy { .. } => "Finished cells are kept: run again.",
            Problem::Unreachable { .. } => {
                "Is the store reachable? The endpoint is AWS_ENDPOINT_URL; http:// needs AWS_ALLOW_HTTP=true. Finished cells are kept: run again."
            }
            Problem::Other { .. } => {
                "The store is chosen by AWS_ENDPOINT_URL and AWS_REGION. Finished cells are kept: run again."
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NoBucket => write!(f, "has no such bucket"),
            Problem::WrongKey { answer } => write!(f, "does not accept the key ({answer})"),
            Problem::Denied { answer } => write!(f, "does not allow it with this key ({answer})"),
            Problem::WrongClock => write!(f, "has another time than this machine (RequestTimeTooSkewed)"),
            Problem::WrongRegion => write!(f, "has the bucket in another region"),
            Problem::Busy { answer } => write!(f, "cannot do it now ({answer})"),
            Problem::Unreachable { why } => write!(f, "does not answer ({why})"),
            Problem::Other { why } => write!(f, "failed ({why})"),
        }
    }
}

/// What an answer of the store means, by S3's table of error codes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>). Answers without a body have no code.
fn answered(status: u16, code: &str) -> Problem {
    let answer = format!("{status} {code}").trim_end().to_owned();
    match (status, code) {
        (_, "NoSuchBucket") => Problem::NoBucket,
        (
            _,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "ExpiredToken"
            | "TokenRefreshRequired",
        )
        | (401, _) => Problem::WrongKey { answer },
        (_, "RequestTimeTooSkewed") => Problem::WrongClock,
        (_, "PermanentRedirect" | "AuthorizationHeaderMalformed") | (300..=399, _) => Problem::WrongRegion,
        (403, _) => Problem::Denied { answer },
        // A store that will never do it.
        (501, _) => Problem::Other { why: answer },
        (_, "ConditionalRequestConflict") | (408 | 429 | 500.., _) => Problem::Busy { answer },
        _ => Problem::Other { why: answer },
    }
}

/// The status in the text of the client's error for an answer that is none of success.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let check = |status: u16, code: &str, expected: &str| {
            assert_eq!(answered(status, code).to_string(), expected);
        };
        check(404, "NoSuchBucket", "has no such bucket");
        check(403, "InvalidAccessKeyId", "does not accept the key (403 InvalidAccessKeyId)");
        check(403, "SignatureDoesNotMatch", "does not accept the key (403 SignatureDoesNotMatch)");
        check(400, "ExpiredToken", "does not accept the key (400 ExpiredToken)");
        check(403, "AccessDenied", "does not allow it with this key (403 AccessDenied)");
        check(403, "", "does not allow it with this key (403)");
        check(403, "RequestTimeTooSkewed", "has another time than this machine (RequestTimeTooSkewed)");
        check(400, "AuthorizationHeaderMalformed", "has the bucket in another region");
        check(503, "SlowDown", "cannot do it now (503 SlowDown)");
        check(409, "ConditionalRequestConflict", "cannot do it now (409 ConditionalRequestConflict)");
        check(501, "NotImplemented", "failed (501 NotImplemented)");
        check(400, "InvalidArgument", "failed (400 InvalidArgument)");
    }
}

//! Our own server, in its own form: what a supervisor tells it of its ladder, and the counters of single streams.

use super::{Client, SourceError};
use crate::model::stream_counts::StreamList;
use crate::model::{HttpUrl, LadderFact};

/// Most streams of one answer.
const MOST: usize = 4096;

/// The answer is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not answer as msconv does ({0})")]
pub struct ParseError(String);

/// Tells the server at `api` what is published from now on.
///
/// # Errors
/// As [`Client::post`]; 404 from a server that is not ours.
pub async fn tell(client: &Client, api: &HttpUrl, fact: &LadderFact) -> Result<(), SourceError> {
    let json = serde_json::to_string(fact).map_err(|e| ParseError(e.to_string()))?;
    client.post(api, "/msconv/v1/ladders", json).await?;
    Ok(())
}

/// What the server at `api` knows of the streams `names` in `application`.
///
/// # Errors
/// As [`Client::get`]; 404 from a server that is not ours.
pub async fn streams(
    client: &Client,
    api: &HttpUrl,
    application: &str,
    names: &[String],
) -> Result<StreamList, SourceError> {
    let asked: Vec<String> = names.iter().map(|name| format!("name={application}/{name}")).collect();
    let body = client.get(api, &format!("/msconv/v1/streams?{}", asked.join("&"))).await?;
    Ok(parse(&body)?)
}

/// Reads an answer.
///
/// # Errors
/// It is none, or lists more than any server carries.
pub fn parse(body: &[u8]) -> Result<StreamList, ParseError> {
    let list: StreamList = serde_json::from_slice(body).map_err(|e| ParseError(e.to_string()))?;
    if list.streams.len() > MOST {
        return Err(ParseError("more streams than it can carry".into()));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_told_from_what_is() {
        let one = r#"{"streams":[{"application":"live","name":"cam_720p","ladder":"cam","label":"720p","run":2,
            "published":true,"ready":true,"bytes_in":7,"bytes_out":9,"readers":1,"silent_ms":null,"later":1}]}"#;
        let list = parse(one.as_bytes()).unwrap();
        assert_eq!(list.streams.first().map(|s| (s.bytes_in, s.readers, s.published)), Some((7, 1, true)));
        assert_eq!(parse(br#"{"streams":[]}"#), Ok(StreamList::default()));
        for other in [&b"{}"[..], b"<rtmp/>", br#"{"streams":[{"name":"x"}]}"#, b""] {
            assert!(parse(other).is_err());
        }
        let many =
            format!(r#"{{"streams":[{}]}}"#, vec![one.get(12..one.len() - 2).unwrap(); 4097].join(","));
        assert_eq!(parse(many.as_bytes()).unwrap_err(), ParseError("more streams than it can carry".into()));
    }
}

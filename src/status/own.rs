//! Our own server, in its own form: what a supervisor tells it of its ladder, and the counters of single streams.

use super::nginx_stat::{self, Application, AudioMeta, Snapshot, StreamStat, VideoMeta};
use super::{Client, SourceError};
use crate::model::server_listing::{ListedStream, ServerListing};
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

/// Everything that the server at `api` carries.
///
/// # Errors
/// As [`Client::get`]; 404 from a server that is not ours.
pub async fn listing(client: &Client, api: &HttpUrl) -> Result<ServerListing, SourceError> {
    let body = client.get(api, "/msconv/v1/server").await?;
    let listing: ServerListing = serde_json::from_slice(&body).map_err(|e| ParseError(e.to_string()))?;
    if listing.streams.len() > MOST {
        return Err(ParseError("more streams than it can carry".into()).into());
    }
    Ok(listing)
}

/// The same as the status page of that server shows it.
pub fn snapshot(listing: &ServerListing) -> Snapshot {
    let application = |name: &String| Application {
        name: name.clone(),
        live: true,
        streams: listing.streams.iter().filter(|s| s.application == *name).map(stat).collect(),
    };
    Snapshot {
        server: Some(format!("msconv-{}", listing.version)),
        version: None,
        pid: Some(listing.pid),
        uptime_s: listing.uptime_s,
        applications: listing.applications.iter().map(application).collect(),
    }
}

fn stat(stream: &ListedStream) -> StreamStat {
    let publishing = stream.publisher.is_some();
    let publisher = stream.publisher.as_ref().map(|publisher| nginx_stat::Client {
        address: publisher.address.clone(),
        time_ms: publisher.age_ms,
        publishing: true,
        active: true,
        ..nginx_stat::Client::default()
    });
    StreamStat {
        name: stream.name.clone(),
        time_ms: stream.age_ms,
        bytes_in: stream.bytes_in,
        bytes_out: stream.bytes_out,
        bw_in_bps: stream.bw_in_bps,
        publishing,
        active: publishing,
        nclients: stream.readers.saturating_add(u64::from(publishing)),
        clients: publisher.into_iter().collect(),
        video: stream.video.as_ref().map(|video| VideoMeta {
            width: video.width,
            height: video.height,
            // As the page: a whole number.
            frame_rate: video.frame_rate.map_or(0, |fps| fps as u32),
            codec: Some(video.codec.clone()),
            ..VideoMeta::default()
        }),
        audio: stream.audio.as_ref().map(|audio| AudioMeta {
            codec: Some(audio.codec.clone()),
            profile: None,
            channels: audio.channels,
            sample_rate: audio.sample_rate,
        }),
    }
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

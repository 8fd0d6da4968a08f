//! Where events may be sent. Webhooks are the operator's own, so loopback and private networks are fine; link-local addresses,
//! behind which clouds keep their secrets, never.

use crate::model::network::is_link_local;
use reqwest::Url;
use std::net::IpAddr;

/// Characters of an address.
const LONGEST: usize = 2000;

/// What is wrong with the address of a hook.
///
/// # Errors
/// Why it cannot be one.
pub fn check(text: &str) -> Result<Url, String> {
    if text.len() > LONGEST {
        return Err(format!("it has more than {LONGEST} characters"));
    }
    let url = Url::parse(text).map_err(|e| format!("it is no address: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it begins with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has no user and no password: messages are signed".into());
    }
    let host = url.host_str().unwrap_or_default();
    let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    match literal {
        Some(address) if is_link_local(address) => Err("link-local addresses are not sent to".into()),
        _ => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_refused_however_they_are_written() {
        for wrong in [
            "http://169.254.169.254/latest",
            "http://169.254.1.1:80",
            "http://0xa9fea9fe/",
            "http://2852039166/",
            "http://0251.0376.1.1/",
            "https://[fe80::1]/",
            "http://[febf::1]/",
            "http://[::ffff:169.254.1.1]/",
            "http://[::169.254.1.1]/",
            "http://[64:ff9b::a9fe:101]/",
        ] {
            assert!(check(wrong).is_err_and(|why| why.contains("link-local")), "{wrong}");
        }
        for wrong in ["ftp://a/", "", "a", "http://", "file:///etc/passwd", "http://u:p@a/", "http://u@a/"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        assert!(check(&format!("http://a/{}", "x".repeat(LONGEST))).is_err());
        for right in [
            "http://localhost:8080/x?y=z",
            "https://10.1.2.3/",
            "http://[::1]/",
            "http://192.168.1.1/",
            "https://example.org",
            "http://[fec0::1]/",
        ] {
            assert!(check(right).is_ok(), "{right}");
        }
    }
}

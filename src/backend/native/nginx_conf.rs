//! The configuration of the private nginx. Pure: values in, text out; the golden file shows the whole.
//!
//! Every path in it is relative to the prefix (`logs` there is a link to `logs/nginx`), so that no home folder's name
//! ever has to be quoted.

use super::addresses::Addresses;
use std::path::PathBuf;

/// What varies.
#[derive(Clone, Debug)]
pub struct NginxConf<'a> {
    /// The rtmp module, where it is not built in.
    pub module: Option<PathBuf>,
    /// User and group of the worker, where we are root.
    pub user: Option<(String, String)>,
    /// How many files the worker may open.
    pub open_files: u64,
    /// Where to listen.
    pub addresses: &'a Addresses,
}

impl NginxConf<'_> {
    /// The whole file.
    pub fn text(&self) -> String {
        let Addresses { rtmp, stat, application, stat_path, .. } = self.addresses;
        let load = self.module.as_ref().map(|m| format!("load_module {};\n", quoted(&m.to_string_lossy())));
        let user =
            self.user.as_ref().map(|(user, group)| format!("user {} {};\n", quoted(user), quoted(group)));
        let (load, user) = (load.unwrap_or_default(), user.unwrap_or_default());
        let open_files = self.open_files;
        // A connection takes one descriptor; some are needed for logs, sockets and channels.
        let connections = open_files.saturating_sub(64).clamp(64, 4096);
        format!(
            r#"# Written by `msconv up`; it is written anew each time.
{load}{user}daemon off;
# /stat shows the streams of the worker that answers, so there is one.
worker_processes 1;
worker_rlimit_nofile {open_files};
pid nginx.pid;
error_log logs/error.log notice;

events {{
    worker_connections {connections};
}}

rtmp {{
    # Without $args: they may hold passwords.
    log_format short '$remote_addr [$time_local] $command "$app" "$name" $bytes_received $bytes_sent $session_readable_time';
    access_log logs/rtmp.log short;

    # A peer that vanished without a word is noticed within 15 s.
    ping 10s;
    ping_timeout 5s;
    timeout 20s;
    max_streams 32;
    # Key frames of a high bitrate pass 1 MB, the module's default. But a command of this size may hold nothing but
    # objects within objects, and each level costs the worker some 240 bytes of its 128 MiB of stack: 2300k killed it.
    max_message 1536k;

    server {{
        listen {rtmp};

        application {application} {{
            live on;
            wait_key on;
            # A silent publisher's name is free again after this, and its readers learn that it has ended.
            drop_idle_publisher 10s;
            idle_streams off;
        }}
    }}
}}

http {{
    log_format short '$remote_addr [$time_local] $request_method $uri $status $bytes_sent';
    access_log logs/http.log short;
    server_tokens off;

    client_body_temp_path tmp;
    proxy_temp_path tmp;
    fastcgi_temp_path tmp;
    uwsgi_temp_path tmp;
    scgi_temp_path tmp;

    client_header_timeout 10s;
    client_body_timeout 10s;
    client_max_body_size 1k;
    send_timeout 30s;
    keepalive_timeout 30s;

    server {{
        listen {stat};

        location = {stat_path} {{
            access_log off;
            limit_except GET {{
                deny all;
            }}
            allow 127.0.0.0/8;
            allow ::1;
            deny all;
            rtmp_stat all;
        }}

        location / {{
            return 404;
        }}
    }}
}}
"#
        )
    }
}

/// A word in nginx's quotes.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_golden_one() {
        let addresses = Addresses {
            rtmp: "127.0.0.1:1935".parse().unwrap(),
            stat: "127.0.0.1:8080".parse().unwrap(),
            api: "127.0.0.1:9997".parse().unwrap(),
            rtsp: "127.0.0.1:8554".parse().unwrap(),
            metrics: None,
            hls: None,
            application: "live".into(),
            stat_path: "/stat".into(),
        };
        let conf = NginxConf {
            module: Some("/usr/lib/nginx/modules/ngx_rtmp_module.so".into()),
            user: Some(("nobody".into(), "nogroup".into())),
            open_files: 65536,
            addresses: &addresses,
        };
        super::super::golden("nginx.conf", &conf.text());
        let plain = NginxConf { module: None, user: None, open_files: 256, addresses: &addresses }.text();
        assert!(!plain.contains("load_module") && !plain.contains("\nuser "), "{plain}");
        assert!(plain.contains("worker_connections 192;"), "{plain}");
    }

    #[test]
    fn quotes() {
        assert_eq!(quoted(r#"/a b/"c"\d$e"#), r#""/a b/\"c\"\\d\$e""#);
    }
}

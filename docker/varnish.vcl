# Varnish (6 and later) before msconv: many viewers of a ladder cost the server one request for each address.
#
#   varnishd -a :80 -f docker/varnish.vcl -s malloc,256m
#
# What may be kept how long msconv says itself, so there is little to set. Streams with a read password go past the cache.
vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "8000";
    # A request of low-latency HLS waits at the server until there is something new, 1.3 s at most; the first of all 5 s.
    .first_byte_timeout = 15s;
    .between_bytes_timeout = 10s;
}

sub vcl_recv {
    # Nothing here depends on cookies, and with one of another site on the same host every viewer would be alone.
    unset req.http.Cookie;
}

sub vcl_backend_response {
    # No answer is given beyond its time: a playlist of a moment ago would leave a player waiting for what it lists.
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    # A playlist that is asked for without directives is new with each part. A tenth of a second is what a part lasts, and
    # lets those who ask at the same moment have the same answer; without it each would be fetched alone.
    if (beresp.status == 200 && beresp.ttl <= 0s && beresp.http.Cache-Control ~ "public") {
        set beresp.ttl = 100ms;
    }
}

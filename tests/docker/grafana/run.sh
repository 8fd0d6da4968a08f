#!/usr/bin/perl
# Stands in for Grafana in the tests of the docker stack: says that it is healthy, and nothing else. It wants what the real
# one wants of its container: a folder that it may write to, the provisioning and the dashboards in their places.
use strict;
use warnings;
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';
for my $file (qw(provisioning/datasources/prometheus.yml provisioning/dashboards/msconv.yml dashboards/overview.json)) {
    -r "/etc/grafana/$file" or die "error: /etc/grafana/$file cannot be read\n";
}
open(my $kept, '>', '/var/lib/grafana/grafana.db') or die "error: /var/lib/grafana: $!\n";
my $socket = IO::Socket::INET->new(LocalPort => 3000, Listen => 16, ReuseAddr => 1) or die "error: 3000: $!\n";
while (1) {
    my $client = $socket->accept or next;
    my $line = <$client> // '';
    while (defined(my $head = <$client>)) { last if $head =~ /^\r?\n$/ }
    my ($status, $body) = $line =~ m{^GET /api/health } ? ('200 OK', '{"database":"ok"}') : ('404 Not Found', '{}');
    print {$client} "HTTP/1.1 $status\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}

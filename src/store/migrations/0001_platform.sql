-- TEXT, BIGINT and DOUBLE PRECISION only, so that one file does for SQLite and PostgreSQL. Times are milliseconds since
-- 1970, flags 0 or 1, hashes hexadecimal SHA-256, policies JSON that no statement looks into.

-- Numbers that each change takes one of; taking it also keeps two writers apart.
CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counters (name, value) VALUES ('streams', 0), ('events', 0);

CREATE TABLE streams (
    public_id TEXT PRIMARY KEY,
    private_hash TEXT NOT NULL UNIQUE,
    key_hash TEXT NOT NULL UNIQUE,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    listed BIGINT NOT NULL,
    ladder TEXT NOT NULL,
    record TEXT NOT NULL,
    chat TEXT NOT NULL,
    read_policy TEXT NOT NULL,
    source TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    live_ms BIGINT,
    ended_ms BIGINT,
    expires_ms BIGINT,
    deleted_ms BIGINT,
    version BIGINT NOT NULL
);
CREATE INDEX streams_by_version ON streams (version);

CREATE TABLE users (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE tokens (
    token_id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    public_id TEXT,
    scopes TEXT NOT NULL,
    label TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    used_ms BIGINT
);

CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    public_id TEXT,
    at_ms BIGINT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (at_ms);

CREATE TABLE hooks (
    hook_id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    types TEXT NOT NULL,
    secret TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    why TEXT NOT NULL,
    after_seq BIGINT NOT NULL,
    failing_since_ms BIGINT,
    created_ms BIGINT NOT NULL,
    -- Which server sends to it, and until when no other does.
    holder TEXT NOT NULL,
    lease_ms BIGINT NOT NULL
);

CREATE TABLE deliveries (
    hook_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    next_ms BIGINT NOT NULL,
    done_ms BIGINT,
    status BIGINT,
    why TEXT NOT NULL,
    PRIMARY KEY (hook_id, seq)
);

-- A room of a registered stream is called as its public id, any other by its name. What moderators decide stands here;
-- the pinned message apart, so that its text goes when it is deleted.
CREATE TABLE chat_rooms (
    room TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    settings TEXT NOT NULL,
    pinned_seq BIGINT,
    pinned TEXT,
    at_ms BIGINT NOT NULL
);

CREATE TABLE chat_entries (
    room TEXT NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (room, seq)
);
CREATE INDEX chat_entries_by_time ON chat_entries (at_ms);

CREATE TABLE chat_bans (
    room TEXT NOT NULL,
    author TEXT NOT NULL,
    seq BIGINT NOT NULL,
    name TEXT NOT NULL,
    -- A salted hash of the neighbourhood of an address.
    place TEXT,
    until_ms BIGINT,
    PRIMARY KEY (room, author)
);

CREATE TABLE chat_names (
    room TEXT NOT NULL,
    author TEXT NOT NULL,
    seq BIGINT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (room, author)
);

-- What the hashes of addresses are salted with, one row: as old as the oldest ban.
CREATE TABLE chat_salts (name TEXT PRIMARY KEY, salt TEXT NOT NULL);

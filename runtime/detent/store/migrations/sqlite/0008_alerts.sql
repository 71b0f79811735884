-- Failures of runs, grouped by the fingerprint of their error. `message` and `last_run` are of the latest failure.
-- `changed_at`: when somebody resolved or ignored it. It is ignored until `ignored_until`, until its count reaches
-- `ignored_count`, or, without either, until somebody says otherwise.
CREATE TABLE error_groups (
    seq           INTEGER PRIMARY KEY,
    env           TEXT    NOT NULL,
    fingerprint   TEXT    NOT NULL,
    type          TEXT    NOT NULL,
    message       TEXT    NOT NULL,
    code          TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    count         INTEGER NOT NULL,
    first_at      INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    first_run     TEXT    NOT NULL,
    last_run      TEXT    NOT NULL,
    changed_at    INTEGER,
    ignored_until INTEGER,
    ignored_count INTEGER,
    regressions   INTEGER NOT NULL DEFAULT 0,
    regressed_at  INTEGER,
    UNIQUE (env, fingerprint)
);
CREATE INDEX error_groups_latest ON error_groups (env, last_at, seq);
CREATE INDEX error_groups_old ON error_groups (last_at);

-- The tasks that a group was met in.
CREATE TABLE error_tasks (
    env         TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    task        TEXT    NOT NULL,
    count       INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    PRIMARY KEY (env, fingerprint, task)
) WITHOUT ROWID;

-- The latest runs of a group, by the event of their end.
CREATE TABLE error_runs (
    env         TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    event       INTEGER NOT NULL,
    run_id      TEXT    NOT NULL,
    PRIMARY KEY (env, fingerprint, event)
) WITHOUT ROWID;

-- How far the history has been read for all of this; one row, made when it is first read.
CREATE TABLE digest (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
);

-- Who is told of what. `events`, `filters`: JSON. `target` (JSON) and the secrets are sealed. `old_secret` signs as well until `old_secret_until`.
-- `failures`: messages in a row that did not arrive.
CREATE TABLE alerts (
    seq              INTEGER PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    env              TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    events           TEXT    NOT NULL,
    filters          TEXT    NOT NULL,
    window_ms        INTEGER NOT NULL,
    channel          TEXT    NOT NULL,
    target           TEXT    NOT NULL,
    shown_target     TEXT    NOT NULL,
    secret           TEXT,
    old_secret       TEXT,
    old_secret_until INTEGER,
    enabled          INTEGER NOT NULL DEFAULT 1,
    disabled_reason  TEXT,
    failures         INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
);
CREATE INDEX alerts_of_env ON alerts (env, seq);
CREATE INDEX alerts_enabled ON alerts (seq) WHERE enabled = 1;

-- What has happened since the last message on the same matter and is not told yet.
CREATE TABLE alert_windows (
    alert_id  TEXT    NOT NULL,
    event     TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    env       TEXT    NOT NULL,
    count     INTEGER NOT NULL,
    data      TEXT    NOT NULL,
    opened_at INTEGER NOT NULL,
    closes_at INTEGER NOT NULL,
    PRIMARY KEY (alert_id, event, key)
) WITHOUT ROWID;
CREATE INDEX alert_windows_due ON alert_windows (closes_at);

-- States that alerts watch for, while they last and a little longer: a queue that is too long, no worker. `gone_at`:
-- when it ended; set while it may still turn out to have been a pause. `told`: there was a message.
CREATE TABLE alert_states (
    alert_id TEXT    NOT NULL,
    event    TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    since    INTEGER NOT NULL,
    gone_at  INTEGER,
    told     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (alert_id, event, key)
) WITHOUT ROWID;

-- Messages and how they fare. `tries`: of the present round, a replay begins another; `attempts`: of all.
CREATE TABLE alert_deliveries (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    env        TEXT    NOT NULL,
    alert_id   TEXT    NOT NULL,
    event      TEXT    NOT NULL,
    count      INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    most_tries INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER
);
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_at) WHERE status = 'PENDING';
CREATE INDEX alert_deliveries_of_env ON alert_deliveries (env, seq);
CREATE INDEX alert_deliveries_of_alert ON alert_deliveries (alert_id, seq);
CREATE INDEX alert_deliveries_old ON alert_deliveries (created_at) WHERE status <> 'PENDING';

CREATE TABLE alert_attempts (
    delivery_id TEXT    NOT NULL,
    n           INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    ok          INTEGER NOT NULL,
    status_code INTEGER,
    error       TEXT,
    response    TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (delivery_id, n)
) WITHOUT ROWID;

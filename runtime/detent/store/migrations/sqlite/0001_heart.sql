-- `resume`: 0 for a run that goes on from its beginning, 1 for one that goes on ahead of new ones, -1 for one that is
-- reserved until `sticky_until` for the worker that holds its frame. `resume` first in the order keeps what is reserved
-- for others out of the way of a claim.
CREATE TABLE runs (
    seq                INTEGER PRIMARY KEY,
    id                 TEXT    NOT NULL UNIQUE,
    env                TEXT    NOT NULL,
    task               TEXT    NOT NULL,
    queue              TEXT    NOT NULL,
    concurrency_key    TEXT    NOT NULL DEFAULT '',
    state              TEXT    NOT NULL,
    epoch              INTEGER NOT NULL DEFAULT 0,
    attempt            INTEGER NOT NULL DEFAULT 1,
    max_attempts       INTEGER,
    crashes            INTEGER NOT NULL DEFAULT 0,
    worker_id          TEXT,
    version            TEXT,
    order_at           INTEGER NOT NULL,
    resume             INTEGER NOT NULL DEFAULT 0,
    sticky_worker      TEXT,
    sticky_until       INTEGER,
    wake_at            INTEGER,
    expires_at         INTEGER,
    ttl_ms             INTEGER,
    created_at         INTEGER NOT NULL,
    queued_at          INTEGER,
    claimed_at         INTEGER,
    attempt_started_at INTEGER,
    started_at         INTEGER,
    finished_at        INTEGER,
    used_ms            INTEGER NOT NULL DEFAULT 0,
    max_duration_ms    INTEGER,
    priority           REAL    NOT NULL DEFAULT 0,
    payload            TEXT,
    payload_ref        TEXT,
    output             TEXT,
    output_ref         TEXT,
    error              TEXT,
    metadata           TEXT,
    tags               TEXT    NOT NULL DEFAULT '[]',
    idempotency_key    TEXT,
    parent_id          TEXT,
    root_id            TEXT,
    batch_id           TEXT,
    awaited            INTEGER NOT NULL DEFAULT 0,
    has_waits          INTEGER NOT NULL DEFAULT 0,
    cancel_requested_at INTEGER,
    cancel_reason      TEXT
);
CREATE INDEX runs_queued    ON runs (env, queue, concurrency_key, resume DESC, order_at, seq, task) WHERE state = 'QUEUED';
CREATE INDEX runs_reserved  ON runs (sticky_worker, env, queue, concurrency_key, order_at) WHERE state = 'QUEUED' AND resume = -1;
CREATE INDEX runs_reserved_until ON runs (sticky_until) WHERE state = 'QUEUED' AND resume = -1;
CREATE INDEX runs_executing ON runs (env, queue, concurrency_key) WHERE state = 'EXECUTING';
CREATE INDEX runs_held      ON runs (worker_id) WHERE state = 'EXECUTING';
CREATE INDEX runs_sticky    ON runs (sticky_worker) WHERE sticky_worker IS NOT NULL;
CREATE INDEX runs_delayed   ON runs (wake_at) WHERE state = 'DELAYED';
CREATE INDEX runs_expiring  ON runs (expires_at) WHERE state = 'QUEUED' AND expires_at IS NOT NULL;
CREATE INDEX runs_versionless ON runs (env, task) WHERE state = 'PENDING_VERSION';
CREATE INDEX runs_cancelling ON runs (cancel_requested_at) WHERE state = 'EXECUTING' AND cancel_requested_at IS NOT NULL;
CREATE INDEX runs_parent    ON runs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX runs_batch     ON runs (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX runs_by_task   ON runs (env, task, seq);

-- A lane is a concurrency key of a queue ('' without one) that may have queued runs. A lane that is left over is
-- harmless; a missing one would hide runs, so a trigger keeps the two together. A new lane joins the end of the row:
-- a key that comes and goes gets no more turns than one with a long backlog.
CREATE TABLE lanes (
    env             TEXT    NOT NULL,
    queue           TEXT    NOT NULL,
    concurrency_key TEXT    NOT NULL,
    served          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (env, queue, concurrency_key)
) WITHOUT ROWID;
CREATE INDEX lanes_in_turn ON lanes (env, queue, served);
CREATE TRIGGER lane_of_new AFTER INSERT ON runs WHEN NEW.state = 'QUEUED' BEGIN
    INSERT INTO lanes (env, queue, concurrency_key, served)
    SELECT NEW.env, NEW.queue, NEW.concurrency_key,
           1 + coalesce((SELECT max(served) FROM lanes WHERE env = NEW.env AND queue = NEW.queue), 0)
    WHERE NOT EXISTS (SELECT 1 FROM lanes WHERE env = NEW.env AND queue = NEW.queue
                                            AND concurrency_key = NEW.concurrency_key);
END;
CREATE TRIGGER lane_of_queued AFTER UPDATE OF state ON runs WHEN NEW.state = 'QUEUED' BEGIN
    INSERT INTO lanes (env, queue, concurrency_key, served)
    SELECT NEW.env, NEW.queue, NEW.concurrency_key,
           1 + coalesce((SELECT max(served) FROM lanes WHERE env = NEW.env AND queue = NEW.queue), 0)
    WHERE NOT EXISTS (SELECT 1 FROM lanes WHERE env = NEW.env AND queue = NEW.queue
                                            AND concurrency_key = NEW.concurrency_key);
END;

CREATE TABLE queues (
    env           TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    limit_n       INTEGER,
    limit_per_key INTEGER,
    paused        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (env, name)
) WITHOUT ROWID;

CREATE TABLE tasks (
    env        TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    spec       TEXT    NOT NULL,
    worker_id  TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (env, id)
) WITHOUT ROWID;

CREATE TABLE batches (
    id         TEXT PRIMARY KEY,
    env        TEXT    NOT NULL,
    parent_id  TEXT,
    total      INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE idempotency (
    env        TEXT    NOT NULL,
    task       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (env, task, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_old ON idempotency (expires_at);

-- What a run asked of the engine, by journal key: the base of replay.
CREATE TABLE journal (
    run_id  TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    value   TEXT,
    at      INTEGER NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

-- The runs that a journal entry started or found, in the order of the call.
CREATE TABLE children (
    run_id   TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    place    INTEGER NOT NULL,
    child_id TEXT    NOT NULL,
    attempt  INTEGER NOT NULL,
    cached   INTEGER NOT NULL DEFAULT 0,
    awaited  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, key, place)
) WITHOUT ROWID;
CREATE INDEX children_awaited ON children (child_id) WHERE awaited = 1;

-- Waits that are not satisfied yet, or whose results are not fetched yet.
CREATE TABLE waits (
    run_id  TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    pending INTEGER NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

CREATE TABLE workers (
    id          TEXT PRIMARY KEY,
    env         TEXT    NOT NULL,
    host        TEXT    NOT NULL,
    pid         INTEGER NOT NULL,
    pid_started REAL    NOT NULL,
    version     TEXT,
    state       TEXT    NOT NULL,
    beat_at     INTEGER NOT NULL,
    lag_ms      INTEGER NOT NULL DEFAULT 0,
    blocked_by  TEXT,
    problems    TEXT    NOT NULL DEFAULT '[]'
) WITHOUT ROWID;

-- The history: one row for each edge of the state machine.
CREATE TABLE events (
    seq       INTEGER PRIMARY KEY,
    run_id    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    epoch     INTEGER NOT NULL,
    attempt   INTEGER NOT NULL,
    worker_id TEXT,
    data      TEXT
);
CREATE INDEX events_of_run ON events (run_id, seq);

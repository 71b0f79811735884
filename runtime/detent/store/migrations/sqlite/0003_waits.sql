-- `has_journal`: another execution of the run has something to recall. `paused`: JSON on why a WAITING run goes on only
-- when somebody says so. `replay_of`: the run that this one repeats; with `forked_at` it kept the steps before that
-- journal key, or, where it is empty, all that were finished. `machine`: what the run needs, where its trigger or an out-of-memory retry says so.
ALTER TABLE runs ADD COLUMN has_journal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN paused TEXT;
ALTER TABLE runs ADD COLUMN machine TEXT;
ALTER TABLE runs ADD COLUMN replay_of TEXT;
ALTER TABLE runs ADD COLUMN forked_at TEXT;
-- The metadata that the run was triggered with, once it is another one: what a replay begins with.
ALTER TABLE runs ADD COLUMN given_metadata TEXT;

-- The worker that a cell belongs to: a process for one run at a time.
ALTER TABLE workers ADD COLUMN parent TEXT;
CREATE INDEX workers_cells ON workers (parent) WHERE parent IS NOT NULL;

-- `seq`: place among the entries of its run, as they began. `done`: place among what the run was told, where it has
-- several branches. `status`: open (a wait that is not over), ok, error, left (ended from inside, by a time-out say).
ALTER TABLE journal ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal ADD COLUMN done INTEGER;
ALTER TABLE journal ADD COLUMN status TEXT NOT NULL DEFAULT 'ok';
ALTER TABLE journal ADD COLUMN value_ref TEXT;
ALTER TABLE journal ADD COLUMN error TEXT;

-- A wait is for children (`pending` of them), until `due_at`, or for a waitpoint, until `due_at` where that is set.
ALTER TABLE waits ADD COLUMN kind TEXT NOT NULL DEFAULT 'children';
ALTER TABLE waits ADD COLUMN due_at INTEGER;
ALTER TABLE waits ADD COLUMN waitpoint_id TEXT;
CREATE INDEX waits_due ON waits (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX waits_for_waitpoint ON waits (waitpoint_id) WHERE waitpoint_id IS NOT NULL;

-- Tokens, and moments that have a key or tags of their own. `due_at`: a token times out then, a moment is reached.
-- `completed_by` names the call that completed it, so that the same call made again is answered the same.
CREATE TABLE waitpoints (
    seq                    INTEGER PRIMARY KEY,
    id                     TEXT    NOT NULL UNIQUE,
    env                    TEXT    NOT NULL,
    kind                   TEXT    NOT NULL,
    status                 TEXT    NOT NULL,
    output                 TEXT,
    output_ref             TEXT,
    due_at                 INTEGER,
    tags                   TEXT    NOT NULL DEFAULT '[]',
    idempotency_key        TEXT,
    idempotency_expires_at INTEGER,
    run_id                 TEXT,
    completed_by           TEXT,
    created_at             INTEGER NOT NULL,
    completed_at           INTEGER
);
CREATE UNIQUE INDEX waitpoints_by_key ON waitpoints (env, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX waitpoints_due ON waitpoints (due_at) WHERE status = 'WAITING' AND due_at IS NOT NULL;
CREATE INDEX waitpoints_by_status ON waitpoints (env, kind, status, seq);

-- The tags of waitpoints, one row each, kept by triggers; they never change.
CREATE TABLE waitpoint_tags (
    env TEXT    NOT NULL,
    tag TEXT    NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (env, tag, seq)
) WITHOUT ROWID;
CREATE TRIGGER waitpoint_tags_of_new AFTER INSERT ON waitpoints WHEN NEW.tags <> '[]' BEGIN
    INSERT OR IGNORE INTO waitpoint_tags (env, tag, seq) SELECT NEW.env, value, NEW.seq FROM json_each(NEW.tags);
END;
CREATE TRIGGER waitpoint_tags_of_gone AFTER DELETE ON waitpoints WHEN OLD.tags <> '[]' BEGIN
    DELETE FROM waitpoint_tags WHERE env = OLD.env AND seq = OLD.seq AND tag IN (SELECT value FROM json_each(OLD.tags));
END;

-- Hooks that are still to run for a run that ended without its code: cancelled while it waited, crashed, expired.
-- `epoch` counts on from that of the run, so that nothing that still speaks for the run can be taken for its duty.
-- `tries`: workers lost with it.
CREATE TABLE duties (
    run_id     TEXT PRIMARY KEY,
    env        TEXT    NOT NULL,
    task       TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    worker_id  TEXT,
    epoch      INTEGER NOT NULL DEFAULT 0,
    tries      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX duties_of_worker ON duties (worker_id) WHERE worker_id IS NOT NULL;
CREATE INDEX duties_open ON duties (env, task, created_at) WHERE worker_id IS NULL;
CREATE INDEX duties_old ON duties (created_at) WHERE worker_id IS NULL;

-- The run that a debounced trigger pushes on until it starts, which will be at `until`. `asked_by`: the id of the run
-- that the latest trigger brought, so that the same trigger sent again changes nothing.
CREATE TABLE debounces (
    env        TEXT    NOT NULL,
    task       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    first_at   INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    asked_by   TEXT    NOT NULL,
    PRIMARY KEY (env, task, key)
) WITHOUT ROWID;
CREATE INDEX debounces_old ON debounces (until);

-- Digest of the payload that came with the key; NULL, of older rows, fits every payload.
ALTER TABLE idempotency ADD COLUMN payload_digest TEXT;

-- Retention: what ended long ago, who was told of it, and objects that more than one row may name.
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL;
DROP INDEX children_awaited;
CREATE INDEX children_by_child ON children (child_id, awaited);
CREATE INDEX debounces_of_run ON debounces (run_id);
CREATE INDEX runs_payload_ref ON runs (payload_ref) WHERE payload_ref IS NOT NULL;
CREATE INDEX runs_output_ref ON runs (output_ref) WHERE output_ref IS NOT NULL;
CREATE INDEX journal_value_ref ON journal (value_ref) WHERE value_ref IS NOT NULL;
CREATE INDEX waitpoints_output_ref ON waitpoints (output_ref) WHERE output_ref IS NOT NULL;

-- What the store itself must remember, such as the secret that callback addresses are made with.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

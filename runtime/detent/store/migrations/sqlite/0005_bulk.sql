-- Filters of lists of runs, and what leads to other runs of a run. Partial: a run without such a value costs nothing.
CREATE INDEX runs_by_version ON runs (env, version, seq) WHERE version IS NOT NULL;
CREATE INDEX runs_by_root ON runs (root_id, seq) WHERE root_id IS NOT NULL;
CREATE INDEX runs_by_source ON runs (replay_of, seq) WHERE replay_of IS NOT NULL;
CREATE INDEX batches_by_env ON batches (env, id);

-- Items of a batch for which a run was found instead of made, by their place; those that were made are the runs of the
-- batch, in the order of seq, at the other places.
CREATE TABLE batch_found (
    batch_id TEXT    NOT NULL,
    place    INTEGER NOT NULL,
    run_id   TEXT    NOT NULL,
    PRIMARY KEY (batch_id, place)
) WITHOUT ROWID;
CREATE TRIGGER batch_found_of_gone AFTER DELETE ON batches BEGIN
    DELETE FROM batch_found WHERE batch_id = OLD.id;
END;

-- `limit_n` is the limit that holds, `declared_n` what code, settings or a trigger said last; they differ only while
-- `overridden_at` is set, at the latest until `override_until`.
ALTER TABLE queues ADD COLUMN declared_n INTEGER;
ALTER TABLE queues ADD COLUMN overridden_at INTEGER;
ALTER TABLE queues ADD COLUMN override_until INTEGER;
UPDATE queues SET declared_n = limit_n;
CREATE INDEX queues_override_until ON queues (override_until) WHERE override_until IS NOT NULL;

-- Work on many runs. `wanted` (JSON) is a filter of runs with a seq up to `last_seq`, walked downwards from below
-- `before_seq`; or `ids` (JSON) are the runs, done up to the place `done`. `expected`: how many there were at first.
CREATE TABLE bulk_actions (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    env        TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    status     TEXT    NOT NULL DEFAULT 'PENDING',
    name       TEXT    NOT NULL DEFAULT '',
    reason     TEXT    NOT NULL DEFAULT '',
    wanted     TEXT,
    ids        TEXT,
    last_seq   INTEGER NOT NULL,
    before_seq INTEGER NOT NULL,
    done       INTEGER NOT NULL DEFAULT 0,
    expected   INTEGER NOT NULL,
    succeeded  INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    skipped    INTEGER NOT NULL DEFAULT 0,
    problems   TEXT    NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    served_at  INTEGER NOT NULL DEFAULT 0,
    ended_at   INTEGER
);
CREATE INDEX bulk_actions_by_env ON bulk_actions (env, seq);
CREATE INDEX bulk_actions_open ON bulk_actions (served_at) WHERE ended_at IS NULL;
CREATE INDEX bulk_actions_old ON bulk_actions (ended_at) WHERE ended_at IS NOT NULL;

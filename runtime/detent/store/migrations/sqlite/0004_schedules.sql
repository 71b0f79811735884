-- What makes runs by the clock. `kind`: "declared" with a task in the code, or "created" at run time under a key that
-- its maker chose. `next_at` is the slot that is due next; NULL while nothing is to come, as when it is not `active`.
-- `last_at` is the slot of the latest run, `problem` says why the latest slot made none.
CREATE TABLE schedules (
    seq               INTEGER PRIMARY KEY,
    id                TEXT    NOT NULL UNIQUE,
    env               TEXT    NOT NULL,
    task              TEXT    NOT NULL,
    kind              TEXT    NOT NULL,
    deduplication_key TEXT,
    external_id       TEXT,
    cron              TEXT    NOT NULL,
    timezone          TEXT    NOT NULL,
    active            INTEGER NOT NULL DEFAULT 1,
    next_at           INTEGER,
    last_at           INTEGER,
    problem           TEXT,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX schedules_of_env ON schedules (env, seq);
CREATE UNIQUE INDEX schedules_by_key ON schedules (env, deduplication_key) WHERE deduplication_key IS NOT NULL;
CREATE UNIQUE INDEX schedules_declared ON schedules (env, task) WHERE kind = 'declared';

ALTER TABLE runs ADD COLUMN schedule_id TEXT;
CREATE INDEX runs_schedule ON runs (schedule_id) WHERE schedule_id IS NOT NULL;

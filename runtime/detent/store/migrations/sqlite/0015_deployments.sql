-- Deployments: tries to bring the code of a project to an environment. `version` is YYYYMMDD.N, where `number` counts
-- the deployments of a day; `git`, `manifest` and `error` are JSON. The bundle is an object by its hash.
CREATE TABLE deployments (
    id             TEXT    PRIMARY KEY,
    env            TEXT    NOT NULL,
    version        TEXT    NOT NULL,
    day            TEXT    NOT NULL,
    number         INTEGER NOT NULL,
    state          TEXT    NOT NULL,
    skip_promotion INTEGER NOT NULL DEFAULT 0,
    created_by     TEXT,
    detent         TEXT,
    git            TEXT,
    bundle_hash    TEXT,
    bundle_bytes   INTEGER,
    bundle_files   INTEGER,
    lock_hash      TEXT,
    python         TEXT,
    manifest       TEXT,
    tasks          INTEGER,
    error          TEXT,
    note           TEXT,
    created_at     INTEGER NOT NULL,
    touched_at     INTEGER NOT NULL,
    finished_at    INTEGER,
    promoted_at    INTEGER,
    UNIQUE (env, version),
    UNIQUE (env, day, number)
) WITHOUT ROWID;
CREATE INDEX deployments_open ON deployments (touched_at) WHERE state IN ('PENDING', 'BUILDING', 'DEPLOYING');

-- What was said while a version was built.
CREATE TABLE deployment_lines (
    deployment_id TEXT    NOT NULL,
    line          INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    text          TEXT    NOT NULL,
    PRIMARY KEY (deployment_id, line)
) WITHOUT ROWID;

-- The tasks of a version: runs that are pinned to it trigger them after others have been promoted.
CREATE TABLE version_tasks (
    env     TEXT NOT NULL,
    version TEXT NOT NULL,
    id      TEXT NOT NULL,
    spec    TEXT NOT NULL,
    PRIMARY KEY (env, version, id)
) WITHOUT ROWID;

-- The version that takes the runs of an environment that are not pinned. Environments to which nothing was deployed
-- have none: there, workers of any code take them.
CREATE TABLE current_versions (
    env           TEXT PRIMARY KEY,
    version       TEXT    NOT NULL,
    deployment_id TEXT    NOT NULL,
    at            INTEGER NOT NULL
) WITHOUT ROWID;

-- Who prepares versions and keeps their workers running; `ready` and `failed` are JSON.
CREATE TABLE supervisors (
    id      TEXT PRIMARY KEY,
    env     TEXT    NOT NULL,
    host    TEXT    NOT NULL,
    beat_at INTEGER NOT NULL,
    ready   TEXT    NOT NULL,
    failed  TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX supervisors_of_env ON supervisors (env, beat_at);

-- Which runs a worker takes, JSON; NULL: any.
ALTER TABLE workers ADD COLUMN queues TEXT;
ALTER TABLE workers ADD COLUMN machines TEXT;

CREATE INDEX runs_pinned ON runs (env, version, state) WHERE version IS NOT NULL AND finished_at IS NULL;

-- Deployments: tries to bring the code of a project to an environment. `version` is YYYYMMDD.N, where `number` counts
-- the deployments of a day; `git`, `manifest` and `error` are JSON. The bundle is an object by its hash.
CREATE TABLE detent.deployments (
    id             TEXT COLLATE "C" PRIMARY KEY,
    env            TEXT COLLATE "C" NOT NULL,
    version        TEXT COLLATE "C" NOT NULL,
    day            TEXT COLLATE "C" NOT NULL,
    number         BIGINT NOT NULL,
    state          TEXT    NOT NULL,
    skip_promotion BIGINT NOT NULL DEFAULT 0,
    created_by     TEXT,
    detent         TEXT,
    git            TEXT,
    bundle_hash    TEXT,
    bundle_bytes   BIGINT,
    bundle_files   BIGINT,
    lock_hash      TEXT,
    python         TEXT,
    manifest       TEXT,
    tasks          BIGINT,
    error          TEXT,
    note           TEXT,
    created_at     BIGINT NOT NULL,
    touched_at     BIGINT NOT NULL,
    finished_at    BIGINT,
    promoted_at    BIGINT,
    UNIQUE (env, version),
    UNIQUE (env, day, number)
);
CREATE INDEX deployments_open ON detent.deployments (touched_at) WHERE state IN ('PENDING', 'BUILDING', 'DEPLOYING');

-- What was said while a version was built.
CREATE TABLE detent.deployment_lines (
    deployment_id TEXT COLLATE "C" NOT NULL,
    line          BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    text          TEXT    NOT NULL,
    PRIMARY KEY (deployment_id, line)
);

-- The tasks of a version: runs that are pinned to it trigger them after others have been promoted.
CREATE TABLE detent.version_tasks (
    env     TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    spec    TEXT NOT NULL,
    PRIMARY KEY (env, version, id)
);

-- The version that takes the runs of an environment that are not pinned. Environments to which nothing was deployed
-- have none: there, workers of any code take them.
CREATE TABLE detent.current_versions (
    env           TEXT COLLATE "C" PRIMARY KEY,
    version       TEXT COLLATE "C" NOT NULL,
    deployment_id TEXT COLLATE "C" NOT NULL,
    at            BIGINT NOT NULL
);

-- Who prepares versions and keeps their workers running; `ready` and `failed` are JSON.
CREATE TABLE detent.supervisors (
    id      TEXT COLLATE "C" PRIMARY KEY,
    env     TEXT COLLATE "C" NOT NULL,
    host    TEXT    NOT NULL,
    beat_at BIGINT NOT NULL,
    ready   TEXT    NOT NULL,
    failed  TEXT    NOT NULL
);
CREATE INDEX supervisors_of_env ON detent.supervisors (env, beat_at);

-- Which runs a worker takes, JSON; NULL: any.
ALTER TABLE detent.workers ADD COLUMN queues TEXT;
ALTER TABLE detent.workers ADD COLUMN machines TEXT;

CREATE INDEX runs_pinned ON detent.runs (env, version, state) WHERE version IS NOT NULL AND finished_at IS NULL;

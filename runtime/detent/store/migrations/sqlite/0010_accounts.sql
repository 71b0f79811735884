-- Organisations have projects, projects have environments. What happens in one environment is seen from no other: its
-- id stands in the column `env` of everything else. The environments of a server's first project are named as their
-- kind, so that a store which knew no accounts goes on as it was.
CREATE TABLE organizations (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE projects (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    org_id     TEXT    NOT NULL,
    slug       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (org_id, slug)
);

CREATE TABLE environments (
    id          TEXT PRIMARY KEY,
    project_id  TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    branch      TEXT    NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    archived_at INTEGER,
    UNIQUE (project_id, kind, branch)
) WITHOUT ROWID;

CREATE TABLE people (
    id         TEXT PRIMARY KEY,
    email      TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE members (
    org_id    TEXT NOT NULL,
    person_id TEXT NOT NULL,
    role      TEXT NOT NULL,
    PRIMARY KEY (org_id, person_id)
) WITHOUT ROWID;
CREATE INDEX members_of_person ON members (person_id);

-- Only the hash of a key is kept. A key of an environment has `env`, a personal one `person_id`. `scopes`: JSON, what it
-- may do where that is less than all.
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    hash         TEXT    NOT NULL UNIQUE,
    start        TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    env          TEXT,
    person_id    TEXT,
    scopes       TEXT,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    rotated_to   TEXT
) WITHOUT ROWID;
CREATE INDEX api_keys_of_env ON api_keys (env) WHERE env IS NOT NULL;
CREATE INDEX api_keys_of_person ON api_keys (person_id) WHERE person_id IS NOT NULL;

-- Log-ins that wait for a person's consent. The hash of the device's code is kept, and the key, for the one time that
-- it is fetched.
CREATE TABLE device_logins (
    device_hash TEXT PRIMARY KEY,
    user_code   TEXT    NOT NULL UNIQUE,
    client      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    person_id   TEXT,
    denied      INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX device_logins_old ON device_logins (expires_at);

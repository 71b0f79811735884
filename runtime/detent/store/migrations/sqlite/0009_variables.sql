-- Environment variables. `sealed`: the value, encrypted (see `vault.py`); that of a secret is shown to nobody.
CREATE TABLE variables (
    env        TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    sealed     TEXT    NOT NULL,
    is_secret  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (env, name)
) WITHOUT ROWID;

-- Answers to requests that came with an Idempotency-Key, so that the same request is answered the same. Only hashes of
-- the key and of the request are kept; an answer is sealed like a secret, since it may hold one. Until `sealed` is
-- there, the request is under way.
CREATE TABLE answers (
    env     TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    request TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    sealed  TEXT,
    PRIMARY KEY (env, key)
) WITHOUT ROWID;
CREATE INDEX answers_old ON answers (at);

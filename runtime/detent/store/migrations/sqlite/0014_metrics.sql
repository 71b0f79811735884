-- The counters of an environment that Prometheus is told: `seen` is the last event that is in `figures`, JSON.
CREATE TABLE metrics (
    env     TEXT PRIMARY KEY,
    seen    INTEGER NOT NULL,
    figures TEXT    NOT NULL
) WITHOUT ROWID;

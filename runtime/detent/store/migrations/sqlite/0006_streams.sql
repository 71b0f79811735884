-- What is not in the history of a run but may be watched, metadata, tags and the start of an attempt, leaves a note: one
-- for each run, which moves to the end with each change. With `seq` of the history it says where a reader is.
CREATE TABLE run_notes (
    note   INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    env    TEXT NOT NULL
);
CREATE TRIGGER note_of_changed AFTER UPDATE OF metadata, tags ON runs
WHEN NEW.metadata IS NOT OLD.metadata OR NEW.tags <> OLD.tags BEGIN
    INSERT OR REPLACE INTO run_notes (run_id, env) VALUES (NEW.id, NEW.env);
END;

-- Streams that runs write. `held`: parts that stand; `settled`: those before the latest journal entry, which no execution
-- writes again. `writer`: the epoch with which the execution that writes it began; `base`: how many stood then. `next_seq`:
-- the place of the next part, never used twice. `bytes`: of all parts.
CREATE TABLE streams (
    run_id   TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    env      TEXT    NOT NULL,
    writer   INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    held     INTEGER NOT NULL DEFAULT 0,
    settled  INTEGER NOT NULL DEFAULT 0,
    base     INTEGER NOT NULL DEFAULT 0,
    next_seq INTEGER NOT NULL DEFAULT 1,
    bytes    INTEGER NOT NULL DEFAULT 0,
    closed   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, name)
) WITHOUT ROWID;

-- Parts that came together, a JSON array in `parts`; the first of the `n` has the place `seq`. `kind`: part, restart (what
-- stands from the part number `parts` on is written again), close.
CREATE TABLE stream_chunks (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id  TEXT    NOT NULL,
    stream  TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    parts   TEXT    NOT NULL,
    at      INTEGER NOT NULL
);
CREATE UNIQUE INDEX stream_chunks_in_order ON stream_chunks (run_id, stream, seq);

-- Values that were sent to a run. `taken_by`: the journal entry that has it. `by` names the call that sent it.
CREATE TABLE inputs (
    run_id   TEXT    NOT NULL,
    stream   TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    env      TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    by       TEXT,
    at       INTEGER NOT NULL,
    taken_by TEXT,
    PRIMARY KEY (run_id, stream, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX inputs_by_call ON inputs (run_id, by) WHERE by IS NOT NULL;
CREATE INDEX inputs_untaken ON inputs (run_id, stream, seq) WHERE taken_by IS NULL;

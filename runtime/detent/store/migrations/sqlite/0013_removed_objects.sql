-- Objects of runs that were removed, which are deleted when nothing else names them; again later where that fails.
CREATE TABLE removed_objects (
    key    TEXT PRIMARY KEY,
    due_at INTEGER NOT NULL,
    tries  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX removed_objects_due ON removed_objects (due_at);

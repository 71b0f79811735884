-- Objects of runs that were removed, which are deleted when nothing else names them; again later where that fails.
CREATE TABLE detent.removed_objects (
    key    TEXT   COLLATE "C" PRIMARY KEY,
    due_at BIGINT NOT NULL,
    tries  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX removed_objects_due ON detent.removed_objects (due_at);

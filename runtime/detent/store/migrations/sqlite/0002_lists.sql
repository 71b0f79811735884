-- What lists of runs are filtered by, newest first. An index for each filter, ending in seq, gives pages in order.
CREATE INDEX runs_by_state ON runs (env, state, seq);
-- Without env, so that the engine, which asks for env and queue, keeps to the small index of what executes.
CREATE INDEX runs_by_queue ON runs (queue, seq);
CREATE INDEX runs_with_error ON runs (env, seq) WHERE error IS NOT NULL;

-- The tags of runs, one row each, kept by triggers.
CREATE TABLE run_tags (
    env TEXT    NOT NULL,
    tag TEXT    NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (env, tag, seq)
) WITHOUT ROWID;
CREATE TRIGGER tags_of_new AFTER INSERT ON runs WHEN NEW.tags <> '[]' BEGIN
    INSERT OR IGNORE INTO run_tags (env, tag, seq) SELECT NEW.env, value, NEW.seq FROM json_each(NEW.tags);
END;
CREATE TRIGGER tags_of_changed AFTER UPDATE OF tags ON runs WHEN NEW.tags <> OLD.tags BEGIN
    DELETE FROM run_tags WHERE env = OLD.env AND seq = OLD.seq AND tag IN (SELECT value FROM json_each(OLD.tags));
    INSERT OR IGNORE INTO run_tags (env, tag, seq) SELECT NEW.env, value, NEW.seq FROM json_each(NEW.tags);
END;
CREATE TRIGGER tags_of_gone AFTER DELETE ON runs WHEN OLD.tags <> '[]' BEGIN
    DELETE FROM run_tags WHERE env = OLD.env AND seq = OLD.seq AND tag IN (SELECT value FROM json_each(OLD.tags));
END;
INSERT OR IGNORE INTO run_tags (env, tag, seq)
SELECT r.env, t.value, r.seq FROM runs r, json_each(r.tags) t WHERE r.tags <> '[]';

-- What each worker can run. It goes with the worker.
CREATE TABLE worker_tasks (
    worker_id TEXT NOT NULL,
    task      TEXT NOT NULL,
    PRIMARY KEY (worker_id, task)
) WITHOUT ROWID;
CREATE TRIGGER tasks_of_dead AFTER UPDATE OF state ON workers WHEN NEW.state = 'dead' BEGIN
    DELETE FROM worker_tasks WHERE worker_id = NEW.id;
END;

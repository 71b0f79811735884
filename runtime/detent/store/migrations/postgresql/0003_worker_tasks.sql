-- What each worker can run. It goes with the worker.
CREATE TABLE detent.worker_tasks (
    worker_id TEXT COLLATE "C" NOT NULL,
    task      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (worker_id, task)
);
CREATE FUNCTION detent.forget_tasks_of_dead() RETURNS trigger LANGUAGE plpgsql SET search_path = detent, pg_catalog AS $$
BEGIN
    DELETE FROM worker_tasks WHERE worker_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER tasks_of_dead AFTER UPDATE OF state ON detent.workers
    FOR EACH ROW WHEN (NEW.state = 'dead') EXECUTE FUNCTION detent.forget_tasks_of_dead();

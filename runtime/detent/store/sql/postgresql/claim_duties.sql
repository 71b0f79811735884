UPDATE duties SET worker_id = :worker, epoch = epoch + 1
WHERE run_id = ANY (ARRAY(
    SELECT d.run_id FROM duties d
    WHERE d.env = :env AND d.worker_id IS NULL AND d.task = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:tasks AS json))))
      AND EXISTS (
        SELECT 1 FROM runs r WHERE r.id = d.run_id AND (
            r.version = CAST(:version AS TEXT) OR (r.version IS NULL AND coalesce(
                (SELECT c.version FROM current_versions c WHERE c.env = :env), CAST(:version AS TEXT)) IS NOT DISTINCT FROM CAST(:version AS TEXT))))
    ORDER BY d.created_at, d.run_id LIMIT :n FOR UPDATE SKIP LOCKED))
  AND EXISTS (SELECT 1 FROM workers w WHERE w.id = :worker AND w.state <> 'dead')
RETURNING run_id, status, epoch

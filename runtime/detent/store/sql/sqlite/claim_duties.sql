UPDATE duties SET worker_id = :worker, epoch = epoch + 1
WHERE run_id IN (
    SELECT d.run_id FROM json_each(:tasks) t CROSS JOIN duties d ON d.env = :env AND d.task = t.value AND d.worker_id IS NULL
      AND EXISTS (
        SELECT 1 FROM runs r WHERE r.id = d.run_id AND (
            r.version = :version OR (r.version IS NULL AND coalesce(
                (SELECT c.version FROM current_versions c WHERE c.env = :env), :version) IS :version)))
    ORDER BY d.created_at, d.run_id LIMIT :n)
  AND EXISTS (SELECT 1 FROM workers w WHERE w.id = :worker AND w.state <> 'dead')
RETURNING run_id, status, epoch

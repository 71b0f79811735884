INSERT OR IGNORE INTO duties (run_id, env, task, status, epoch, created_at)
SELECT :run_id, env, id, :status, :epoch, :now FROM tasks
WHERE env = :env AND id = :task AND EXISTS (SELECT 1 FROM json_each(spec, '$.hooks') h WHERE h.value IN (:event, 'on_complete'))

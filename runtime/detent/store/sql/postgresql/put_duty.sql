INSERT INTO duties (run_id, env, task, status, epoch, created_at)
SELECT :run_id, env, id, :status, :epoch, :now FROM tasks
WHERE env = :env AND id = :task
  AND EXISTS (SELECT 1 FROM json_array_elements_text(CAST(replace(spec, '\u0000', '') AS json) -> 'hooks') AS h (value)
              WHERE h.value IN (:event, 'on_complete'))
ON CONFLICT (run_id) DO NOTHING

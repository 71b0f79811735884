UPDATE runs SET worker_id = :to_worker
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING'
  AND EXISTS (SELECT 1 FROM workers w WHERE w.id = :to_worker AND w.parent = :worker AND w.state <> 'dead')
RETURNING id, env, task, queue, epoch, attempt

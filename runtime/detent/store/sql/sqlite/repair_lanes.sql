INSERT OR IGNORE INTO lanes (env, queue, concurrency_key)
SELECT DISTINCT env, queue, concurrency_key FROM runs WHERE state = 'QUEUED'

UPDATE waits SET pending = pending - ended.n
FROM (SELECT run_id, key, count(*) AS n FROM children
      WHERE child_id IN (SELECT value FROM json_each(:ids)) AND awaited = 1 GROUP BY run_id, key) AS ended
WHERE waits.run_id = ended.run_id AND waits.key = ended.key AND waits.pending > 0
RETURNING run_id, key, pending

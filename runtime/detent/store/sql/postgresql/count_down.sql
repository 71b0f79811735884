UPDATE waits SET pending = waits.pending - ended.n
FROM (SELECT run_id, key, count(*) AS n FROM children
      WHERE child_id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND awaited = 1 GROUP BY run_id, key) AS ended
WHERE waits.run_id = ended.run_id AND waits.key = ended.key AND waits.pending > 0
RETURNING waits.run_id, waits.key, waits.pending

SELECT e.seq AS seq, e.at AS at, e.state AS state, r.id AS id, r.env AS env, r.task AS task, r.tags AS tags,
       r.queue AS queue, r.version AS version, r.attempt AS attempt, r.error AS error
FROM events e JOIN runs r ON r.id = e.run_id
WHERE e.seq > :after AND e.seq <= :upto AND e.kind = 'finish' AND e.state = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:states AS json))))
ORDER BY e.seq LIMIT :n

SELECT e.seq AS seq, e.kind AS kind, e.state AS state, r.task AS task, r.used_ms AS used_ms
FROM events e JOIN runs r ON r.id = e.run_id
WHERE e.seq > :after AND r.env = :env AND e.kind IN ('trigger', 'claim', 'retry', 'park', 'lose_lease', 'finish')
ORDER BY e.seq LIMIT :n

SELECT e.seq AS seq, e.run_id AS run_id, e.at AS at, e.kind AS kind, e.state AS state, e.attempt AS attempt,
       r.task AS task, r.started_at AS started_at, r.error AS error
FROM events e JOIN runs r ON r.id = e.run_id WHERE e.seq > :seq ORDER BY e.seq LIMIT 5000

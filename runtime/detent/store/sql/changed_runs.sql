SELECT run_id, seq AS event, 0 AS note FROM (SELECT run_id, seq FROM events WHERE seq > :event ORDER BY seq LIMIT :n) AS later_events
UNION ALL
SELECT run_id, 0, note FROM (SELECT run_id, note FROM run_notes WHERE note > :note ORDER BY note LIMIT :n) AS later_notes

SELECT r.id AS id, r.task AS task, r.state AS state, r.output AS output, r.output_ref AS output_ref, r.error AS error
FROM children c JOIN runs r ON r.id = c.child_id
WHERE c.run_id = :run_id AND c.key = :key ORDER BY c.place

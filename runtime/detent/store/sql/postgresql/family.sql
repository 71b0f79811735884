WITH RECURSIVE family (id) AS (
    SELECT CAST(:id AS TEXT) COLLATE "C"
    UNION
    -- OFFSET 0 keeps the children of each one a look-up by an index.
    SELECT c.id FROM family f CROSS JOIN LATERAL (SELECT r.id FROM runs r WHERE r.parent_id = f.id OFFSET 0) AS c
)
SELECT m.id AS id
FROM family f CROSS JOIN LATERAL (SELECT r.id, r.state FROM runs r WHERE r.id = f.id OFFSET 0) AS m
WHERE m.state NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'CRASHED', 'TIMED_OUT', 'EXPIRED', 'SYSTEM_FAILURE')

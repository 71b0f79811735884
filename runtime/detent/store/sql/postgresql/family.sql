WITH RECURSIVE family (id) AS (
    SELECT CAST(:id AS TEXT) COLLATE "C" UNION SELECT r.id FROM runs r JOIN family f ON r.parent_id = f.id
)
SELECT r.id AS id FROM family f JOIN runs r ON r.id = f.id
WHERE r.state NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'CRASHED', 'TIMED_OUT', 'EXPIRED', 'SYSTEM_FAILURE')

SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(:ids)) AND finished_at IS NOT NULL
UNION ALL
SELECT id FROM waitpoints WHERE id IN (SELECT value FROM json_each(:ids)) AND status <> 'WAITING'

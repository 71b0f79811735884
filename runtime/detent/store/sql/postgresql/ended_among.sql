SELECT id FROM runs WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND finished_at IS NOT NULL
UNION ALL
SELECT id FROM waitpoints WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND status <> 'WAITING'

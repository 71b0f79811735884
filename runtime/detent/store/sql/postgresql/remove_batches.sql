DELETE FROM batches
WHERE id IN (SELECT r.batch_id FROM runs r WHERE r.id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND r.batch_id IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.batch_id = batches.id AND r.id NOT IN (SELECT value FROM json_array_elements_text(CAST(:ids AS json))))

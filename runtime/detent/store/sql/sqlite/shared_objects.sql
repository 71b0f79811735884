SELECT k.value AS key FROM json_each(:keys) k
WHERE EXISTS (SELECT 1 FROM runs r WHERE r.payload_ref = k.value AND r.id NOT IN (SELECT value FROM json_each(:ids)))
   OR EXISTS (SELECT 1 FROM runs r WHERE r.output_ref = k.value AND r.id NOT IN (SELECT value FROM json_each(:ids)))
   OR EXISTS (SELECT 1 FROM journal j WHERE j.value_ref = k.value AND j.run_id NOT IN (SELECT value FROM json_each(:ids)))
   OR EXISTS (SELECT 1 FROM waitpoints w WHERE w.output_ref = k.value)

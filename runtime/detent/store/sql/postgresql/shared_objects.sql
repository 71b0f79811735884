SELECT payload_ref AS key FROM runs
WHERE payload_ref = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:keys AS json))))
  AND id <> ALL (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json))))
UNION
SELECT output_ref FROM runs
WHERE output_ref = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:keys AS json))))
  AND id <> ALL (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json))))
UNION
SELECT value_ref FROM journal
WHERE value_ref = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:keys AS json))))
  AND run_id <> ALL (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json))))
UNION
SELECT output_ref FROM waitpoints
WHERE output_ref = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:keys AS json))))

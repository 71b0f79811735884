SELECT CASE WHEN
   EXISTS (SELECT 1 FROM runs r WHERE r.payload_ref = :key AND r.env = :env)
   OR EXISTS (SELECT 1 FROM runs r WHERE r.output_ref = :key AND r.env = :env)
   OR EXISTS (SELECT 1 FROM journal j JOIN runs r ON r.id = j.run_id WHERE j.value_ref = :key AND r.env = :env)
   OR EXISTS (SELECT 1 FROM waitpoints w WHERE w.output_ref = :key AND w.env = :env)
THEN 1 ELSE 0 END AS named

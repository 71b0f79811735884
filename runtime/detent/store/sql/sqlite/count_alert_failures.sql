UPDATE alerts SET failures = CASE WHEN :ok THEN 0 ELSE failures + 1 END WHERE id = :id RETURNING failures

UPDATE alerts SET failures = CASE WHEN :ok = 1 THEN 0 ELSE failures + 1 END WHERE id = :id RETURNING failures

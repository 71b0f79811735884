SELECT * FROM schedules
WHERE env = :env AND seq < :before AND (CAST(:task AS TEXT) IS NULL OR task = :task) AND (CAST(:external_id AS TEXT) IS NULL OR external_id = :external_id)
  AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind) AND (CAST(:active AS BIGINT) IS NULL OR active = :active)
ORDER BY seq DESC LIMIT :n

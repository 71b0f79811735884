SELECT * FROM schedules
WHERE env = :env AND seq < :before AND (:task IS NULL OR task = :task) AND (:external_id IS NULL OR external_id = :external_id)
  AND (:kind IS NULL OR kind = :kind) AND (:active IS NULL OR active = :active)
ORDER BY seq DESC LIMIT :n

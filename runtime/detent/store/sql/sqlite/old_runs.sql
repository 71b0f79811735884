SELECT r.id AS id FROM runs r
WHERE r.finished_at IS NOT NULL AND r.finished_at <= :before
  AND NOT EXISTS (SELECT 1 FROM idempotency i
                  WHERE r.idempotency_key IS NOT NULL AND i.env = r.env AND i.task = r.task AND i.key = r.idempotency_key
                    AND i.run_id = r.id AND i.expires_at > :now)
  AND NOT EXISTS (SELECT 1 FROM debounces d WHERE d.run_id = r.id AND d.until > :now)
  AND NOT EXISTS (SELECT 1 FROM duties d WHERE d.run_id = r.id)
  AND NOT EXISTS (SELECT 1 FROM runs t WHERE t.id = r.root_id AND (t.finished_at IS NULL OR t.finished_at > :before))
  AND NOT EXISTS (SELECT 1 FROM children c JOIN runs p ON p.id = c.run_id
                  WHERE c.child_id = r.id AND (p.finished_at IS NULL OR p.finished_at > :before))
  AND NOT EXISTS (SELECT 1 FROM digest g CROSS JOIN events e
                  WHERE e.run_id = r.id AND e.seq > g.seq AND e.kind = 'finish')
ORDER BY r.finished_at LIMIT :n

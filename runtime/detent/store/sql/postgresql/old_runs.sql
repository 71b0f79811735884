SELECT r.id AS id FROM runs r
-- OFFSET 0 keeps each look-up one by an index: the planner would else join whole tables where its figures are old.
WHERE r.finished_at IS NOT NULL AND r.finished_at <= :before
  AND NOT EXISTS (SELECT 1 FROM idempotency i
                  WHERE r.idempotency_key IS NOT NULL AND i.env = r.env AND i.task = r.task AND i.key = r.idempotency_key
                    AND i.run_id = r.id AND i.expires_at > :now OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM debounces d WHERE d.run_id = r.id AND d.until > :now OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM duties d WHERE d.run_id = r.id OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM runs t WHERE t.id = r.root_id AND (t.finished_at IS NULL OR t.finished_at > :before) OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM children c JOIN runs p ON p.id = c.run_id
                  WHERE c.child_id = r.id AND (p.finished_at IS NULL OR p.finished_at > :before) OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM digest g JOIN events e ON e.seq > g.seq
                  WHERE e.run_id = r.id AND e.kind = 'finish' OFFSET 0)
ORDER BY r.finished_at LIMIT :n

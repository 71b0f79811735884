UPDATE bulk_actions SET status = CASE WHEN :ended = 1 THEN 'COMPLETED' ELSE 'PROCESSING' END, before_seq = :before_seq, done = :done,
       succeeded = succeeded + :succeeded, failed = failed + :failed, skipped = skipped + :skipped, problems = :problems,
       served_at = :now, ended_at = CASE WHEN :ended = 1 THEN CAST(:now AS BIGINT) END
WHERE id = :id

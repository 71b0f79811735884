INSERT INTO bulk_actions (id, env, action, name, reason, wanted, ids, last_seq, before_seq, expected, created_at)
VALUES (:id, :env, :action, :name, :reason, :wanted, :ids, :last_seq, CAST(:last_seq AS BIGINT) + 1, :expected, :now) ON CONFLICT DO NOTHING

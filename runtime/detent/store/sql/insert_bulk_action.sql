INSERT INTO bulk_actions (id, env, action, name, reason, wanted, ids, last_seq, before_seq, expected, created_at)
VALUES (:id, :env, :action, :name, :reason, :wanted, :ids, :last_seq, :last_seq + 1, :expected, :now) ON CONFLICT DO NOTHING

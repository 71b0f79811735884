INSERT INTO batches (id, env, parent_id, total, created_at) VALUES (:id, :env, :parent_id, :total, :now)
ON CONFLICT DO NOTHING

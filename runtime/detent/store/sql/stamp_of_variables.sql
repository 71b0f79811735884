SELECT count(*) AS n, coalesce(max(updated_at), 0) AS at FROM variables WHERE env = :env

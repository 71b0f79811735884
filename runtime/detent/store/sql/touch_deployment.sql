UPDATE deployments SET touched_at = :now, state = CASE WHEN state = 'PENDING' AND :building = 1 THEN 'BUILDING' ELSE state END
WHERE id = :id AND state IN ('PENDING', 'BUILDING', 'DEPLOYING')

SELECT * FROM deployments
WHERE env = :env AND (day, number) < (:day, :number) AND state = 'DEPLOYED' AND promoted_at IS NOT NULL
ORDER BY day DESC, number DESC LIMIT 1

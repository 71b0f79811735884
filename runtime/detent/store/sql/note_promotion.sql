UPDATE deployments SET promoted_at = :now, note = :note WHERE id = :id

UPDATE alerts SET enabled = 0, disabled_reason = :reason, updated_at = :now WHERE id = :id AND enabled = 1

UPDATE workers SET beat_at = :now, lag_ms = :lag_ms, blocked_by = :blocked_by WHERE id = :id AND state <> 'dead'

UPDATE workers SET beat_at = :now WHERE beat_at > :now AND state <> 'dead'

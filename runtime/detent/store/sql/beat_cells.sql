UPDATE workers SET beat_at = :now WHERE parent = :parent AND state <> 'dead'

UPDATE workers SET state = 'dead' WHERE id = :id AND state <> 'dead'

UPDATE workers SET state = 'draining' WHERE id = :id AND state = 'alive'

DELETE FROM members WHERE org_id = :org_id AND person_id = :person_id

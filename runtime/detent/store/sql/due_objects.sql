SELECT key, tries FROM removed_objects WHERE due_at <= :now ORDER BY due_at LIMIT :n

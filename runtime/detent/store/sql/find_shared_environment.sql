SELECT p.id FROM environments e
JOIN environments p ON p.project_id = e.project_id AND p.kind = e.kind AND p.branch = ''
WHERE e.id = :env AND e.kind = 'preview' AND e.branch <> ''

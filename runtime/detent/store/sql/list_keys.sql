SELECT k.id, k.start, k.name, k.env, k.person_id, k.scopes, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       k.rotated_to, e.kind, e.branch, e.project_id, u.email
FROM api_keys k LEFT JOIN environments e ON e.id = k.env LEFT JOIN people u ON u.id = k.person_id
WHERE e.project_id = :project_id
   OR k.person_id IN (SELECT person_id FROM members WHERE org_id = :org_id)
ORDER BY k.created_at DESC, k.id

SELECT k.id, k.start, k.name, k.env, k.person_id, k.scopes, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       k.rotated_to, e.kind, e.branch, p.email
FROM api_keys k LEFT JOIN environments e ON e.id = k.env LEFT JOIN people p ON p.id = k.person_id
WHERE k.id = :id

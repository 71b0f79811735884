SELECT k.id, k.env, k.person_id, k.scopes, k.expires_at, k.revoked_at, e.kind, e.branch, e.archived_at, e.project_id,
       p.slug AS project_slug, p.org_id
FROM api_keys k LEFT JOIN environments e ON e.id = k.env LEFT JOIN projects p ON p.id = e.project_id
WHERE k.hash = :hash

SELECT coalesce(max(line), 0) AS n FROM deployment_lines WHERE deployment_id = :id

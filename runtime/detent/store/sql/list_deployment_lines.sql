SELECT line, at, text FROM deployment_lines WHERE deployment_id = :id AND line > :after ORDER BY line LIMIT :n

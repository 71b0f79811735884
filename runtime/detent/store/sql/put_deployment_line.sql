INSERT INTO deployment_lines (deployment_id, line, at, text) VALUES (:id, :line, :now, :text)

UPDATE environments SET archived_at = NULL WHERE project_id = :project_id AND kind = :kind AND branch = :branch

SELECT * FROM bulk_actions WHERE id = :id AND env = :env

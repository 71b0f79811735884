UPDATE alerts SET target = :target, secret = :secret, old_secret = :old_secret WHERE id = :id AND target = :before

UPDATE runs SET replay_of = :replay_of, forked_at = :forked_at, has_journal = :has_journal WHERE id = :id

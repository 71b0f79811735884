UPDATE bulk_actions SET status = 'ABORTED', ended_at = :now WHERE id = :id AND env = :env AND ended_at IS NULL

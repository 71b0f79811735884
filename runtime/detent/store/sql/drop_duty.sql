DELETE FROM duties WHERE run_id = :id

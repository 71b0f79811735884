DELETE FROM children WHERE run_id = :run_id AND key = :key AND place >= :places

UPDATE journal SET status = :status, value = :value, value_ref = :value_ref, error = :error
WHERE run_id = :run_id AND key = :key AND status = 'open'

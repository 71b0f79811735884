INSERT INTO alert_attempts (delivery_id, n, at, duration_ms, ok, status_code, error, response)
VALUES (:delivery_id, :n, :at, :duration_ms, :ok, :status_code, :error, :response)

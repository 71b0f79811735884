INSERT INTO alert_deliveries (id, env, alert_id, event, count, body, status, most_tries, next_at, created_at)
VALUES (:id, :env, :alert_id, :event, :count, :body, 'PENDING', :most_tries, :now, :now)

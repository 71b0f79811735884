SELECT count(*) AS n FROM alert_windows WHERE alert_id = :alert_id AND event = :event

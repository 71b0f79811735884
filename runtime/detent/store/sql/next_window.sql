SELECT min(closes_at) AS at FROM alert_windows

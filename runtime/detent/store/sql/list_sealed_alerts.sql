SELECT id, target, secret, old_secret FROM alerts

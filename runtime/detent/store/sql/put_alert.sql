INSERT INTO alerts (id, env, name, events, filters, window_ms, channel, target, shown_target, secret, old_secret,
                    old_secret_until, enabled, disabled_reason, failures, created_at, updated_at)
VALUES (:id, :env, :name, :events, :filters, :window_ms, :channel, :target, :shown_target, :secret, :old_secret,
        :old_secret_until, :enabled, :disabled_reason, :failures, :created_at, :updated_at)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, events = excluded.events, filters = excluded.filters, window_ms = excluded.window_ms,
    channel = excluded.channel, target = excluded.target, shown_target = excluded.shown_target,
    secret = excluded.secret, old_secret = excluded.old_secret, old_secret_until = excluded.old_secret_until,
    enabled = excluded.enabled, disabled_reason = excluded.disabled_reason, failures = excluded.failures,
    updated_at = excluded.updated_at

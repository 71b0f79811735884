-- Another value after every start and every crash of the server: what was committed before, and was not on the disk, may
-- be gone then. A connection alone does not tell, since a pooler keeps it through all of them.
CREATE FUNCTION detent.life() RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT concat(extract(epoch FROM pg_postmaster_start_time()), ' ',
                  extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()))
$$;

-- What a state transaction begins with: its turn, the time, the life of the server.
--
-- A process that is frozen, or cut off, while it holds the lock is thrown out by the server, and the others go on; so is
-- one that waits for the lock for longer than anybody may hold it. One plan for each statement is kept, since to plan a
-- claim anew takes five times as long as the claim, and the tables are empty when it is made: what a state transaction
-- asks has an index, always. Nothing is compiled for a statement of three milliseconds.
CREATE FUNCTION detent.enter(turn BIGINT, OUT now BIGINT, OUT life TEXT) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', '20s', true), set_config('statement_timeout', '30s', true),
            set_config('idle_in_transaction_session_timeout', '8s', true),
            set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
            set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
            set_config('plan_cache_mode', 'force_generic_plan', true);
    PERFORM pg_advisory_xact_lock(turn);
    now := CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT);
    life := detent.life();
END
$$;

-- set_timeouts --
-- global: the session's own settings. Durations as PostgreSQL writes them ('5s'); 0 is without limit.
SELECT set_config('lock_timeout', :lock, false), set_config('statement_timeout', :statement, false);

-- lock_migrations --
-- global: one migration run at a time; held by the session, so a killed run leaves nothing locked.
SELECT pg_advisory_lock(7061823904517);

-- unlock_migrations --
-- global: the counterpart, for a session that lives on.
SELECT pg_advisory_unlock(7061823904517);

SELECT * FROM alert_states

"""nightcast's computing side: readings ─► panel ─► network ─► evaluation ─► registry ─► forecasts."""

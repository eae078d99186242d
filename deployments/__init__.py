"""Where it runs: the scheduled deployments, and `nightcast up`, which keeps both dashboards and them alive."""

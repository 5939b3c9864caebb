"""The training page: its form, its list of runs, and one run looked at closely."""

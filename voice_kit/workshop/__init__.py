"""What teaches and measures: the doctor, checks, demo, bench, scenarios, plugins."""

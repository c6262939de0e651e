"""Is it speech, has the turn ended, what was said. It knows neither thinking nor speaking."""

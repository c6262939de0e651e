"""Which way to answer, and the answer. It knows neither hearing nor speaking."""

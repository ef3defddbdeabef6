"""The benchmarks that ``python -m benchmarks`` runs, one in each file."""

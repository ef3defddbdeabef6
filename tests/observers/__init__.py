"""Tests of what observers, the log and traces are told."""

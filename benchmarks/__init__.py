"""Measurements: ratios of medians, contenders in turn, each in fresh processes."""

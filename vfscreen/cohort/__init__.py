"""Epidemiology on the lake's views: named questions, each one documented SQL file in queries/."""

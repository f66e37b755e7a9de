"""Holds Patrol to what the network makes unavoidable: `make bench`. Development only."""

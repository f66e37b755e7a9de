"""Development only, never deployed: what stands in for Azure on one machine."""

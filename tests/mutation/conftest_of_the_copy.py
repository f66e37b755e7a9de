"""Hypothesis in the copy: the same examples in every run, no search for the smallest that fails, no look at the time.

A busy machine would otherwise fail a test, and the mutant would pass for noticed.
"""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants",
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutants")

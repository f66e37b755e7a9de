"""Mutation testing of what decides and acts: the planner, the executor and its breaker. The command is `make mutants`.

Copies of the code are changed in one place each (`functions`, `declarations`), and the tests of those modules have to
notice. A change that none of them notices makes no difference that matters and is listed with the reason
(`equivalent.toml`), or a test is missing.
"""

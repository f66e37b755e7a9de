"""Requests to try by hand, as a Postman collection and as an `.http` file: our own routes, and the calls below them.

`python -m local.collection` writes both into docs/. Our routes come from the OpenAPI document.
"""

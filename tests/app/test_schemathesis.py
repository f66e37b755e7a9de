"""Requests that nobody would write by hand, made from the OpenAPI document, against the app that serves it."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

import pytest

from shared.contract import OPERATIONS, Operation
from tests.app.conftest import Deployment
from tests.app.fuzz.campaign import Campaign, run
from tests.app.stories import Deploy
from tests.described import DOCUMENT

EXAMPLES = 400
# Half a minute on two idle cores.
AT_LEAST = 2000


def refused(campaign: Campaign, operation: Operation) -> int:
    return sum(
        count
        for (method, path, status), count in campaign.answers.items()
        if (method, path) == (operation.method, operation.path) and 400 <= status < 500
    )


def done(campaign: Campaign, operation: Operation) -> int:
    return sum(campaign.answers[operation.method, operation.path, int(status)] for status in operation.answers)


def takes_input(operation: Operation) -> bool:
    models = (operation.path_model, operation.query_model, operation.headers_model, operation.body_model)
    return any(model.model_fields for model in models)


@pytest.mark.timeout(300)
def test_thousands_of_requests_are_answered_as_the_document_says(deploy: Deploy, tmp_path: Path) -> None:
    app = deploy()
    app.run()
    app.cloud.observers.clear()  # force and other people's PATs are part of it

    campaign = run(app, tmp_path, examples=EXAMPLES)

    assert campaign.found == ""
    # Schemathesis leaves out the address that it has the document from.
    asked = {name: operation for name, operation in OPERATIONS.items() if name != "get_openapi"}
    assert [name for name, operation in asked.items() if done(campaign, operation) < 3] == []
    assert [name for name, known in asked.items() if takes_input(known) and refused(campaign, known) < 10] == []
    assert campaign.answers.total() >= AT_LEAST
    assert {path for _, path, status in campaign.answers if status >= HTTPStatus.INTERNAL_SERVER_ERROR} <= {"/status"}


def test_an_answer_that_the_document_does_not_know_is_found(app: Deployment, tmp_path: Path) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    health = document["components"]["schemas"]["HealthView"]["properties"]
    health["status"] = {"const": "well"}
    del document["paths"]["/problems/{reason}"]["get"]["responses"]["400"]
    document["paths"] = {path: document["paths"][path] for path in ("/health", "/problems/{reason}")}
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document), encoding="utf-8")

    campaign = run(app, tmp_path, examples=5, document=path)

    assert "Undocumented status code" in campaign.found
    assert "Response violates schema" in campaign.found

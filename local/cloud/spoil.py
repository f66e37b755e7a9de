"""Turns an answer into what a scripted fault makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from local.cloud.devops_api import rate_limit_headers
from local.cloud.vss import sign_in_page, sign_in_redirect

if TYPE_CHECKING:
    from local.cloud.exchange import Exchange, Service
    from local.cloud.faults import Fault
    from local.cloud.web import Response


def spoil(service: Service, exchange: Exchange, fault: Fault, answer: Response) -> Response:
    """The answer in the shape of the fault's kind; `answer` is the real one, if there is one."""
    match fault.kind:
        case "reset" | "cut-head" | "truncated" as wire:
            spoiled = replace(answer, wire=wire)
        case "timeout":
            spoiled = replace(answer, wire="drop", seconds=fault.seconds)
        case "drip":
            spoiled = replace(answer, wire="drip", seconds=fault.seconds)
        case "cut-json":
            spoiled = replace(answer, body=answer.body[: len(answer.body) // 2])
        case "retry-after-200":
            seconds = 1 if fault.retry_after is None else fault.retry_after
            extra = {"Retry-After": str(seconds), **rate_limit_headers(seconds)}
            spoiled = replace(answer, headers=answer.headers | extra)
        case "html" if fault.status == 302:
            spoiled = sign_in_redirect(exchange.request)
        case "html":
            spoiled = sign_in_page(fault.status or 203)
        case _:
            spoiled = service.failure(exchange, fault)
    if fault.retry_after is not None:
        spoiled.headers["Retry-After"] = str(fault.retry_after)
    return spoiled

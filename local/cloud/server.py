"""The simulated cloud as a whole: its services, its clock and faults, and the two ports that lead to them.

Every call goes the same way: named, perhaps spoiled, carried out, perhaps spoiled again, written to the journal, shown
to the observers, and only then answered. So a test that has the answer in hand also has the journal entry.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from local.cloud import devops_api, entra_api, keyvault_api
from local.cloud.ca import Authority
from local.cloud.clock import Clock
from local.cloud.control import PREFIX, Control
from local.cloud.devops import DevOps
from local.cloud.entra import Entra, Tenant
from local.cloud.exchange import Exchange, Service
from local.cloud.faults import Faults
from local.cloud.identity import PATH, IdentityEndpoint
from local.cloud.journal import Call, Journal
from local.cloud.keyvault import Vault
from local.cloud.proxy import Proxy
from local.cloud.spoil import spoil
from local.cloud.web import Connections, Request, Response, html_response, json_response, serve

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import TracebackType

# The tenant that the vaults and the app's managed identity live in; the technical users may live in others.
HOME_TENANT = Tenant("home.onmicrosoft.com", "7c1b5d7e-93c5-4a5c-9d0e-1c9b5a3f2e10")


class Cloud:
    """A running simulated cloud. Use it as a context manager, or call `close`.

    `latency` is added to every call of an outbound service, in seconds. `observers` are called after every applied
    call, in the thread that serves it, with no lock held. What they raise does not disturb the app: it is kept, and
    raised by `check`, which `reset` and `close` call as well.
    """

    def __init__(self, pat_vault: str = "contoso-pats", credential_vault: str = "contoso-credentials") -> None:
        self.clock = Clock()
        self.journal = Journal()
        self.faults = Faults()
        self.latency = 0.0
        self.observers: list[Callable[[Call], None]] = []
        self.violations: list[Exception] = []
        self.entra = Entra(self.clock)
        self.devops = DevOps(self.clock, self.entra)
        self.identity = IdentityEndpoint(self.entra, HOME_TENANT)
        self.vaults: dict[str, Vault] = {}
        self._first_vaults = list(dict.fromkeys((pat_vault.lower(), credential_vault.lower())))
        for name in self._first_vaults:
            self.add_vault(name)
        self._entra_api = entra_api.EntraApi(self.entra)
        self._devops_api = devops_api.DevOpsApi(self.devops)
        self._keyvault_api = keyvault_api.KeyVaultApi(self.vaults, self.entra, HOME_TENANT)
        self._control = Control(self)
        self._authority = Authority()
        self._connections = Connections()
        self.proxy = Proxy(self._connections, self._authority.context, self._admits, self._serve_tls)
        self._plain_port = self._connections.listen(self._serve_plain, "plain")
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def env(self) -> dict[str, str]:
        """The variables that lead a process here. Remove other proxy variables from its environment as well."""
        bundle = str(self._authority.bundle)
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.proxy.port}",
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": bundle,
            "CURL_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._plain_port}{PATH}",
            "IDENTITY_HEADER": self.identity.header,
        }

    @property
    def control_url(self) -> str:
        """Where a person drives the cloud by curl."""
        return f"http://127.0.0.1:{self._plain_port}{PREFIX}"

    def add_vault(self, name: str) -> Vault:
        """One more vault, with all rights for the app's identities."""
        principals = (self.identity.system_assigned.object_id, self.identity.user_assigned.object_id)
        self.vaults[name.lower()] = vault = Vault(name.lower(), self.clock, principals)
        return vault

    def reset(self) -> None:
        """Back to the state after construction; ports, certificates, `env` and issued access tokens stay.

        Access tokens stay because a host process that lives on keeps using the ones it has cached.
        """
        self.clock.reset()
        self.faults.clear()
        self.observers.clear()
        self.latency = 0.0
        self.entra.reset()
        self.entra.add_tenant(HOME_TENANT.domain, HOME_TENANT.id)
        self.devops.reset()
        for name in [name for name in self.vaults if name not in self._first_vaults]:
            del self.vaults[name]
        for vault in self.vaults.values():
            vault.reset()
        self.journal.clear()
        self.proxy.blocked.clear()
        self.proxy.tunnels.clear()
        self.check()

    def check(self) -> None:
        """Raise, once, what observers found wrong."""
        found, self.violations = self.violations, []
        if found:
            raise ExceptionGroup("the simulated cloud's observers object", found)

    def close(self) -> None:
        """Stop serving; hanging calls are cut off."""
        self._connections.close()
        self._authority.close()
        self.check()

    def _admits(self, host: str) -> bool:
        return self._service(host) is not None

    def _service(self, host: str) -> Service | None:
        if host in entra_api.HOSTS:
            return self._entra_api
        if host in devops_api.HOSTS:
            return self._devops_api
        name = host.removesuffix(keyvault_api.SUFFIX)
        return self._keyvault_api if name != host and name in self.vaults else None

    def _serve_tls(self, connection: socket.socket) -> None:
        serve(connection, self._answer_tls, self._connections.closing)

    def _serve_plain(self, connection: socket.socket) -> None:
        serve(connection, self._answer_plain, self._connections.closing)

    def _answer_tls(self, request: Request) -> Response:
        service = self._service(request.host)
        if service is None:
            return html_response(421, "No such host here.")
        return self._answer(service, request, self.latency)

    def _answer_plain(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            return self._control.answer(request)
        return self._answer(self.identity, request, 0.0)

    def _answer(self, service: Service, request: Request, latency: float) -> Response:
        started = time.perf_counter()
        exchange = Exchange(request)
        service.identify(exchange)
        if latency:
            time.sleep(latency)
        response, applied, struck = self._carry_out(service, exchange)
        # The product takes its time from here, so this is the simulated clock.
        moment = self.clock.now()
        response.headers.setdefault("Date", moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        call = Call(
            seq=self.journal.next_seq(),
            at=moment,
            service=service.name,
            operation=exchange.operation,
            method=request.method,
            host=request.host,
            path=request.path,
            query=request.query,
            status=response.status if response.wire not in {"reset", "drop", "cut-head"} else 0,
            organization=exchange.organization,
            vault=exchange.vault,
            secret=exchange.secret,
            principal=exchange.principal,
            authorization_id=exchange.authorization_id,
            auth=request.scheme,
            fault=struck,
            applied=applied,
            duration=time.perf_counter() - started,
        )
        self.journal.add(call)
        if applied:
            self._show(call)
        return response

    def _show(self, call: Call) -> None:
        for observer in list(self.observers):
            try:
                observer(call)
            except Exception as violation:  # noqa: BLE001 -- whatever an observer finds wrong is raised by `check`
                violation.add_note(f"after {call.service} {call.operation}, call {call.seq}")
                self.violations.append(violation)

    def _carry_out(self, service: Service, exchange: Exchange) -> tuple[Response, bool, str | None]:
        fault = self.faults.strike("before", exchange)
        if fault is not None:
            if fault.action is not None:
                fault.action()
            if fault.kind is not None:
                return spoil(service, exchange, fault, json_response(200, {})), False, fault.name
        struck = fault.name if fault is not None else None
        response = service.answer(exchange)
        applied = response.status < 400 and response.status not in {203, 302} and not exchange.refused
        if not applied:
            return response, False, struck
        fault = self.faults.strike("after", exchange)
        if fault is None:
            return response, True, struck
        if fault.action is not None:
            fault.action()
        if fault.kind is not None:
            response = spoil(service, exchange, fault, response)
        return response, True, fault.name

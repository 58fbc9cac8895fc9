"""The control plane as one ASGI application: the handlers, the guard before them, the envelope after them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import structlog
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException

from innoai.access.routes import allowed_methods, match
from innoai.api import (
    activity,
    audit,
    auth,
    billing,
    credentials,
    customers,
    deliveries,
    docs,
    event_stream,
    forward,
    health,
    keys,
    leaks,
    members,
    models,
    requests,
    statements,
    tiers,
    top,
    usage,
    webhooks,
)
from innoai.api.admission import ADMISSION_KEY, HEAD_KEY, guard, provide_caller
from innoai.api.services import Services
from innoai.envelope import REQUEST_ID_KEY, rate_headers, refusal_body, refusal_headers
from innoai.errors import InnoError, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from innoai.cors import Cors
    from innoai.door import Admission
    from innoai.errors import Refusal

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Any], Awaitable[None]]

HANDLERS = (
    auth.issue_token,
    auth.refresh_token,
    auth.validate,
    forward.forward,
    credentials.revoke_token,
    credentials.introspect,
    credentials.explain,
    keys.create_key,
    keys.list_keys,
    keys.get_key,
    keys.change_key,
    keys.rotate_key,
    keys.revoke_key,
    leaks.report_leak,
    activity.show_activity,
    activity.give_advice,
    activity.preview_change,
    requests.stream_requests,
    requests.list_refusals,
    customers.add_customer,
    customers.list_customers,
    customers.get_customer,
    customers.change_customer,
    customers.delete_customer,
    members.invite_member,
    members.list_members,
    members.get_member,
    members.change_member,
    members.remove_member,
    webhooks.create_endpoint,
    webhooks.list_endpoints,
    webhooks.list_event_types,
    webhooks.get_endpoint,
    webhooks.change_endpoint,
    webhooks.delete_endpoint,
    webhooks.rotate_secret,
    deliveries.list_deliveries,
    deliveries.get_delivery,
    deliveries.send_test,
    deliveries.replay_failed,
    deliveries.replay_delivery,
    event_stream.stream_events,
    audit.show_log,
    usage.show_usage,
    billing.show_summary,
    top.show_top,
    billing.show_settings,
    billing.change_settings,
    billing.replace_settings,
    statements.list_statements,
    statements.get_statement,
    tiers.show_matrix,
    models.list_models,
    models.get_model,
    health.alive,
    health.ready,
    health.metrics,
    health.jwks,
    docs.show_document,
    docs.show_docs,
    docs.show_asset,
)
_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
}

log = structlog.get_logger()


class ControlPlane:
    """Litestar, with a request id on every answer and the rate limit's state on every admitted one."""

    def __init__(self, services: Services, new_request_id: Callable[[], str], cors: Cors) -> None:
        self._new_request_id = new_request_id
        self._cors = cors
        self._app = Litestar(
            route_handlers=list(HANDLERS),
            guards=[guard],
            dependencies={
                "services": Provide(lambda: services, sync_to_thread=False),
                "caller": Provide(provide_caller, sync_to_thread=False),
            },
            exception_handlers={
                InnoError: _refuse_known,
                HTTPException: _refuse_http,
                Exception: _refuse_unexpected,
            },
            openapi_config=None,
            logging_config=None,
        )
        self._app.state.services = services
        self._tail = services.door.tail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if REQUEST_ID_KEY not in scope:
            scope[REQUEST_ID_KEY] = self._new_request_id()
        request_id = scope[REQUEST_ID_KEY]
        scope = forward.as_asked_by_envoy(scope)
        if scope["method"] == "HEAD":
            # A HEAD is answered as the GET; uvicorn, whose scope this copy leaves alone, sends no body.
            scope = {**scope, "method": "GET", HEAD_KEY: True}

        began, status = time.monotonic(), 0

        async def send_with_headers(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = list(message["headers"])
                if not any(name == b"x-request-id" for name, _ in headers):
                    headers.append((b"x-request-id", request_id.encode()))
                admitted = scope.get(ADMISSION_KEY)
                if admitted is not None:
                    headers.extend(rate_headers(admitted.rate))
                headers.extend(self._cors.headers(_origin(scope)))
            await send(message)

        if scope["method"] == "OPTIONS" and allowed_methods(scope["path"]):
            await self._answer_options(scope, send, request_id)
        elif _is_canonical(scope["path"]):
            await self._app(scope, receive, send_with_headers)  # type: ignore[arg-type]
            self._tell(scope, status, began)
        else:
            await _send_refusal(send_with_headers, _nowhere(scope["path"]), request_id)

    async def _answer_options(self, scope: Scope, send: Send, request_id: str) -> None:
        """Say what a web page may send to a path; nobody else has a use for OPTIONS."""
        methods = _methods(scope["path"])
        wanted = _header(scope, b"access-control-request-headers")
        allowed = self._cors.preflight(_origin(scope), methods, wanted)
        if allowed is None or _header(scope, b"access-control-request-method") is None:
            allow = ", ".join(methods).encode()
            await _send_refusal(send, refusal("method_not_allowed"), request_id, [(b"allow", allow)])
            return
        headers = [*allowed, (b"x-request-id", request_id.encode())]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _tell(self, scope: Scope, status: int, began: float) -> None:
        """Tell whoever watches that an admitted request is over."""
        admitted: Admission | None = scope.get(ADMISSION_KEY)
        if admitted is None or not self._tail.is_watched:
            return
        duration_ms = (time.monotonic() - began) * 1000
        path = match(scope["method"], scope["path"])
        asked = scope["path"] if path is None else path.path
        self._tail.answered(admitted.principal, scope[REQUEST_ID_KEY], asked, status, duration_ms)


def _is_canonical(path: str) -> bool:
    """Whether a path is spelled as the matrix would; Litestar overlooks slashes too many, Postgres no NUL."""
    return path == "/" or not (path.endswith("/") or "//" in path or "\0" in path)


def _nowhere(path: str) -> Refusal:
    """That nothing is at a path, and what may have been meant: a base URL ends in /v1, and in no slash."""
    plain = re.sub("/+", "/", path)
    meant = next((one for one in (plain, f"/v1{plain}") if one != path and allowed_methods(one)), None)
    if meant is None:
        return refusal("not_found")
    return refusal("not_found", f"Nothing is here. {meant} may be meant: a base URL ends in /v1.")


def _origin(scope: Scope) -> bytes | None:
    """Where the page is from that asks for a path of the API."""
    return _header(scope, b"origin") if scope["path"].startswith("/v1/") else None


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for one, value in scope["headers"] if one == name), None)


async def _send_refusal(
    send: Send, refused: Refusal, request_id: str, added: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    body = refusal_body(refused, request_id)
    headers = [*refusal_headers(refused, request_id), *added, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": refused.kind.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _refuse_known(request: Request[Any, Any, Any], error: InnoError) -> Response[bytes]:
    return _envelope(request, error.refusal, error.headers)


def _refuse_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals, in our words: what the caller sent was not what the route takes."""
    code = _CODES.get(error.status_code, "invalid_request" if error.status_code < 500 else "internal_error")
    return _envelope(request, _nowhere(request.url.path) if code == "not_found" else refusal(code), [])


def _refuse_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("unexpected", path=request.url.path, exc_info=error)
    return _envelope(request, refusal("internal_error"), [])


def _envelope(
    request: Request[Any, Any, Any], refused: Refusal, added: list[tuple[bytes, bytes]]
) -> Response[bytes]:
    scope: Scope = request.scope  # type: ignore[assignment]
    request_id = scope[REQUEST_ID_KEY]
    headers = {
        name.decode(): value.decode()
        for name, value in [*refusal_headers(refused, request_id), *added]
        if name != b"content-type"
    }
    if refused.code == "method_not_allowed":
        headers["allow"] = ", ".join(_methods(scope["path"]))
    return Response(
        refusal_body(refused, request_id),
        status_code=refused.kind.status,
        media_type="application/json",
        headers=headers,
    )


def _methods(path: str) -> list[str]:
    """What a path takes: as the matrix says, and GET outside it; HEAD goes with GET."""
    methods = list(allowed_methods(path) or ("GET",))
    return [*methods, "HEAD"] if "GET" in methods else methods

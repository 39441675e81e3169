"""Whether a port of Ray answers a call, with this process' token or without any.

Ray itself tries a wrong token for 20 s, a line each second, and then reports a lost connection.
"""

from typing import Literal

import grpc  # type: ignore[import-untyped]
from ray.exceptions import AuthenticationError

from raysearch.errors import InfrastructureError
from raysearch.ray_cluster.ray_internals import (
    GCS_METHOD,
    RAYLET_METHOD,
    get_auth_headers_if_auth_enabled,
    is_token_auth_enabled,
)

__all__ = ["GCS_METHOD", "RAYLET_METHOD", "Answer", "ask", "check_token"]

Answer = Literal["answered", "refused", "silent"]

TIMEOUT_S = 5.0

_SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def ask(address: str, method: str, headers: dict[str, str] | None = None) -> Answer:
    """Make an empty call of ``method`` to ``address`` (host:port), and name the kind of answer.

    ``silent`` is anything that is no gRPC in the clear, a port closed by TLS included.
    """
    # The token is for that port alone: gRPC would take http_proxy as well.
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(address, options) as channel:
        try:
            metadata = tuple((headers or {}).items())
            channel.unary_unary(method)(b"", timeout=TIMEOUT_S, metadata=metadata)
        except grpc.RpcError as error:
            code = error.code()
            if code is grpc.StatusCode.UNAUTHENTICATED:
                return "refused"
            return "silent" if code in _SILENT else "answered"
    return "answered"


def check_token(address: str) -> None:
    """Refuse at once a cluster that refuses this process.

    Raises:
        InfrastructureError: a token is missing, or is not the cluster's.
    """
    try:
        headers = get_auth_headers_if_auth_enabled({})
    except AuthenticationError as error:
        raise InfrastructureError(f"no Ray token: {error.message}") from error
    if ask(address, GCS_METHOD, headers) != "refused":
        return
    where = "put the cluster's (`ray get-auth-token` on its head prints it) into ~/.ray/auth_token"
    if is_token_auth_enabled():
        where += "; RAY_AUTH_TOKEN and RAY_AUTH_TOKEN_PATH go before that file"
        raise InfrastructureError(f"the Ray cluster at {address!r} refuses this token: {where}")
    raise InfrastructureError(
        f"the Ray cluster at {address!r} wants a token: export RAY_AUTH_MODE=token and {where}"
    )

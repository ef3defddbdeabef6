"""What became of an attempt that ended in an exception, whoever raised it and wherever.

If an answer has come by then, it is what counts. Else the error says whether the request may have reached the
server. No cause of it shows the API key or a proxy's password.
"""

from __future__ import annotations

import os

import aiohttp

from .._core.sending import Sending
from .._foreign import bare, is_of_the_caller, shows_password
from .._privacy.hiding import masked_card_numbers, origins, shortened, without_userinfo
from .._privacy.secret import Secret
from .._wire.messages import COUNTED_FROM, MOST_VALUES, WireRequest, WireResponse, values_in, with_evidence
from ..errors import (
    ConfigurationError,
    ConnectError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    UnreadableResponseError,
)
from .direct import AnyResponse

__all__ = ["failed", "looked_at"]

PROXY_AUTHENTICATION = 407
_OF_NO_KNOWN_AUTHORITY = frozenset((2, 18, 19, 20, 21))
"""OpenSSL's codes: the issuer is not known, or the certificate has signed itself."""
_OUT_OF_TIME = frozenset((9, 10))
"""Not yet valid, or no longer."""
_OF_ANOTHER_HOST = frozenset((62, 64))
"""Of another host name, or another address."""


def failed(
    error: BaseException,
    request: WireRequest,
    sending: Sending,
    response: AnyResponse | None,
    *,
    key: Secret[str],
    handled: BaseException | None,
    is_closed: bool,
    proxy: str | None,
) -> WireResponse | PlexyPayError:
    """Return what became of an attempt that ended in an exception.

    Args:
        error: The exception.
        request: What was asked.
        sending: What is known of the attempt.
        response: aiohttp's response, where it has come back.
        key: The API key that was sent, which an answer may show.
        handled: What the caller was handling when the call was made; its frames are the caller's own.
        is_closed: Whether the client, or the session given to it, is closed.
        proxy: What messages call the proxy, if there is one.
    """
    seen = sending.response if response is None else response
    cause = _shown(error, handled)
    if seen is not None and seen.status:
        # A hook or a middleware may have raised after the answer had come.
        return _answered(seen, request, sending, key, cause)
    failure = _failure(error, request, sending, is_closed=is_closed, proxy=proxy)
    failure.__cause__ = cause
    failure.lasting = _is_lasting(failure, error)
    return failure


def _answered(
    response: AnyResponse,
    request: WireRequest,
    sending: Sending,
    key: Secret[str],
    cause: BaseException | None,
) -> WireResponse | PlexyPayError:
    """Return the answer, as far as it has come, and close its connection."""
    stream = response.content
    whole = stream.is_eof() and stream.exception() is None
    content = b"".join(sending.parts or ()) or getattr(response, "_body", None) or b""
    if not content:
        # What a broken stream holds it gives to nobody; whether it began as a success is to be told.
        content = stream.read_nowait() if whole else b"".join(getattr(stream, "_buffer", ()))
    if not response.closed:
        response.close()
    answer = WireResponse(response.status, content, response.headers, key=key)
    answer.complete, answer.cause = whole, cause
    return looked_at(answer, request, len(content))


def _failure(
    error: BaseException, request: WireRequest, sending: Sending, *, is_closed: bool, proxy: str | None
) -> PlexyPayError:
    """Return the error of an attempt without an answer."""
    call = f"{request.method} {_shown_target(request)}"
    if is_closed and (not sending.begun or request.method == "GET"):
        return ConfigurationError(
            f"{call}: this client, or the session given to it, is closed: make a new one"
        )
    connecting = isinstance(
        error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
    )
    # Of what goes wrong on the way, such as a proxy that closes: it has not come to the API.
    on_the_way = sending.connection is None and isinstance(error, (aiohttp.ClientError, OSError))
    # A DELETE or PUT may have been sent before aiohttp connected once more; a GET has no body to tell.
    if not sending.begun or (request.method == "GET" and (connecting or on_the_way)):
        if isinstance(error, aiohttp.ClientHttpProxyError):
            told = _refused_by(proxy or "the proxy", error)
        else:
            told = _told(error)
        through = "" if proxy is None or proxy in told else f" through {proxy}"
        return ConnectError(f"{call}: no connection{through}: {told}")
    return OutcomeUnknownError(f"{call}: no answer: {_told(error)}")


def looked_at(
    answer: WireResponse, request: WireRequest, most: int
) -> WireResponse | UnreadableResponseError:
    """Return an answer, or the error of one that is too large, or would be when it is read as JSON."""
    body = answer.body
    if len(body) > most:
        told = f"the answer is larger than {most} bytes; max_response_size allows for more"
        return _too_large(told, answer, request)
    if not answer.is_success or len(body) < COUNTED_FROM or values_in(body) <= MOST_VALUES:
        return answer
    return _too_large(f"the answer has more than {MOST_VALUES} values", answer, request)


def _shown_target(request: WireRequest) -> str:
    return shortened(masked_card_numbers(request.target), 300)


def _too_large(told: str, answer: WireResponse, request: WireRequest) -> UnreadableResponseError:
    error = UnreadableResponseError(
        f"{_shown_target(request)}: {told}", status=answer.status, outcome=Outcome.UNKNOWN
    )
    return with_evidence(error, answer)


def _told(error: BaseException) -> str:
    # The request that a ClientResponseError shows has the key in its headers.
    # Its message goes on with what the server sent, which may be the key again.
    if isinstance(error, aiohttp.ClientConnectorError):
        return masked_card_numbers(without_userinfo(_not_connected(error)))
    text = str(error)
    if isinstance(error, aiohttp.ClientResponseError):
        text = error.message.partition(":")[0]
    if isinstance(error, aiohttp.InvalidURL) and "@" in text:
        # Of a proxy, and its password may hold anything.
        text = f"[hidden]@{text.rpartition('@')[2]}"
    if isinstance(error, UnicodeError):
        # Its own text has the letter that cannot be written, which may be a password's.
        text = str(getattr(error, "reason", ""))
    text = masked_card_numbers(without_userinfo(text))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _refused_by(proxy: str, error: aiohttp.ClientHttpProxyError) -> str:
    """Say which proxy lets nobody through, and what to do."""
    told = f"{proxy} answers HTTP {error.status}"
    if error.status == PROXY_AUTHENTICATION:
        return f"{told}: it wants a user name and a password that it knows (http://user:password@...)"
    return f"{told}, and has not connected to the API"


def _advice(error: BaseException) -> str:
    """Return what to do about a certificate that proves nothing."""
    code = getattr(error, "verify_code", None)
    if code in _OF_NO_KNOWN_AUTHORITY:
        return (
            "; if a company's own authority has signed it, name its file (PEM) by ssl=, or by --ca-file for"
            " the command"
        )
    if code in _OUT_OF_TIME:
        return "; it is the server's to renew, unless the clock of this machine is wrong"
    if code in _OF_ANOTHER_HOST:
        return "; it is another server's: look at base_url, and at what is between"
    return ""


def _not_connected(error: aiohttp.ClientConnectorError) -> str:
    """Say in plain words why there is no connection: the name, the certificate, or what refused it."""
    host = f"[{error.host}]" if ":" in error.host else error.host
    server = host if error.port is None else f"{host}:{error.port}"
    cause: BaseException = error.os_error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        told = getattr(cause, "verify_message", None) or next(iter(cause.args[-1:]), type(cause).__name__)
        return f"the certificate of {server} proves nothing: {told}{_advice(cause)}"
    number, text = error.errno, error.strerror or str(cause) or type(cause).__name__
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"no address is known for {host} (DNS): {text}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"no TLS connection with {server}: {text}"
    if number is not None and number > 0:
        # asyncio's text names the address once more, and not what happened.
        text = os.strerror(number)
    proxy = "the proxy " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
    return f"cannot connect to {proxy}{server}: {text}"


def _shown(error: BaseException, handled: BaseException | None) -> BaseException | None:
    """Return an error as a cause; none of a ClientResponseError, which shows the headers of the request.

    What holds a password is stood in for by an error that has its name and its masked text.
    """
    if isinstance(error, aiohttp.ClientResponseError):
        return None
    bare(error, handled)
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        # What it came from it tells itself, and has as its `os_error`.
        below = [one for one in origins(error, handled) if one is not error]
        if not any(is_of_the_caller(one) for one in below):
            error.__cause__ = error.__context__ = None
    is_of_a_proxy = isinstance(error, aiohttp.InvalidURL) and "@" in str(error)
    if not is_of_a_proxy and not shows_password(error, handled):
        return error
    # It is asked later whether the attempt ended in silence.
    told, name = _told(error), type(error).__name__
    told = told if told.startswith(name) else f"{name}: {told}"
    return TimeoutError(told) if isinstance(error, TimeoutError) else ConnectionError(told)


def _is_lasting(failure: PlexyPayError, error: BaseException) -> bool:
    """Tell whether trying again cannot help after an exception that has ended an attempt.

    The server's certificate does not prove who it is, or what raised is no matter of the network: a hook or
    a middleware of the caller's, before the request was sent or after it.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return True
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return error.status == PROXY_AUTHENTICATION
    if isinstance(error, (aiohttp.ClientError, OSError)):
        return False
    return isinstance(failure, ConnectError) or is_of_the_caller(error)

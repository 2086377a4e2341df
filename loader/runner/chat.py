"""Any endpoint that speaks the OpenAI chat-completions protocol.

HTTP by httpx2, which langsmith needs too; retries by stamina. Only attempts that cannot
have produced an answer are repeated at no charge; one that may be billed all the same
counts with its bound against `--max-cost-usd`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
import stamina

from ..errors import ConfigurationError, SourceUnavailable
from ..tools.extras import needed
from ..tools.retry_after import seconds_of
from ..tools.secrets import remember
from .answers import Answer, CallFailed, detail, redact
from .pipes import MOST_OUTPUT_BYTES
from .targets import within

with needed("run"):
    import httpx2

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ..tools.prices import Price
    from .tasks import Task

OPENAI_HOST: Final = "api.openai.com"
OPENAI_KEY: Final = "OPENAI_API_KEY"
ATTEMPTS: Final = 5
FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 60.0
_CONNECT_SECONDS: Final = 10.0
_SHOWN: Final = 300
# Tokens that a server's chat template adds to each message, and to the whole: generous.
_MESSAGE_TOKENS: Final = 64
_TOO_MANY, _SERVER_ERROR = 429, 500
_WRONG_KEY: Final = (401, 403)
_REPEATABLE: Final = (408, 409, 425, 429)
_log = logging.getLogger(__name__)


class _Message(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    model: Any = None
    usage: Any = None
    """What of it is no count is left out: an answer is not lost over it."""


class _Bearer(httpx2.Auth):
    """Adds the key to a request; unlike a header, it shows in no representation."""

    def __init__(self, variable: str) -> None:
        self._variable = variable

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["Authorization"] = f"Bearer {os.environ[self._variable]}"
        yield request


class _AttemptFailed(Exception):  # noqa: N818  reads as what happened
    """One attempt failed; the next may not."""

    def __init__(
        self, reason: str, *, pause: float | None = None, is_charged: bool = False
    ) -> None:
        super().__init__(reason)
        self.pause = pause
        self.is_charged = is_charged


class ChatTarget:
    """A model behind a chat-completions endpoint."""

    def __init__(  # noqa: PLR0913  the protocol's own settings
        self,
        endpoint: str,
        model: str,
        *,
        key_variable: str | None = None,
        system_prompt: str | None = None,
        max_tokens: int | None = None,
        parameters: Mapping[str, object] | None = None,
        price: Price | None = None,
        attempts: int = ATTEMPTS,
        first_wait: float = FIRST_WAIT_SECONDS,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            endpoint: its address, with or without `/chat/completions`.
            model: the model's name there; the record's `model_version`.
            key_variable: the environment variable that holds the key. Without it, only
                `api.openai.com` is sent one: that of OPENAI_API_KEY.
            system_prompt: sent before each task's prompt.
            max_tokens: longest answer; needed for a bound of what a call costs.
            parameters: further fields of the request, such as temperature.
            price: of the model, if known.
            attempts: how often a call is tried when the endpoint is busy or fails.
            first_wait: seconds before the second attempt; doubles from there.

        Raises:
            ConfigurationError: the address is none or holds a secret, or the variable is
                not set.

        """
        address = urlsplit(endpoint)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ConfigurationError(
                "--endpoint is no address: write http://… or https://…, such as "
                "https://api.openai.com/v1"
            )
        if address.username or address.password or address.query:
            raise ConfigurationError(
                "--endpoint must hold no user, password or query: put the key into an "
                "environment variable and name that with --api-key-env"
            )
        if key_variable and not os.environ.get(key_variable):
            raise ConfigurationError(f"the environment variable {key_variable} is not set")
        remember(os.environ.get(key_variable or ""))
        if not key_variable and address.hostname == OPENAI_HOST and os.environ.get(OPENAI_KEY):
            key_variable = OPENAI_KEY
        path = endpoint.rstrip("/")
        self._url = path if path.endswith("/chat/completions") else f"{path}/chat/completions"
        self._key_variable = key_variable
        self.name = f"{model} at {address.hostname}"
        self.model_version = model
        self._system_prompt = system_prompt
        self._max_tokens = max_tokens
        # OpenAI's own newer models refuse the older name, other servers ignore the newer
        self._limit_field = (
            "max_completion_tokens" if address.hostname == OPENAI_HOST else "max_tokens"
        )
        self._parameters = {**(parameters or {}), "stream": False}
        self.price = price
        self._attempts = attempts
        self._first_wait = first_wait
        self._client: httpx2.AsyncClient | None = None
        self._has_said_why = False

    def cost_bound(self, task: Task) -> float | None:
        """Return the price of the longest prompt and answer that a call can have."""
        if self.price is None or self._max_tokens is None:
            return None
        messages = self._messages(task)
        # a token is at least one byte
        prompt = len(json.dumps(messages, ensure_ascii=False).encode())
        prompt += _MESSAGE_TOKENS * (len(messages) + 1)
        return self.price.bound(prompt, self._max_tokens)

    async def run(self, task: Task, seconds: float | None = None) -> Answer:
        """Ask the model, again while the endpoint is busy or fails; the limit is per attempt."""
        content = json.dumps(self._request(task)).encode()
        charged = False
        number = 0
        try:
            async for attempt in stamina.retry_context(
                on=_pause,
                attempts=self._attempts,
                timeout=None,
                wait_initial=self._first_wait,
                wait_max=LONGEST_WAIT_SECONDS,
                wait_jitter=self._first_wait,
            ):
                with attempt:
                    number = attempt.num
                    try:
                        return await within(
                            seconds, self._attempt(content, number, is_charged=charged)
                        )
                    except _AttemptFailed as error:
                        charged = charged or error.is_charged
                        raise
        except _AttemptFailed as error:
            reason = str(error)
            cause = error.__cause__
            if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
                raise SourceUnavailable(f"{self.name} cannot be reached: {reason}") from None
        raise CallFailed(
            f"{reason} ({number} attempts)", may_be_charged=charged, attempts=number
        ) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _request(self, task: Task) -> dict[str, object]:
        limit = {} if self._max_tokens is None else {self._limit_field: self._max_tokens}
        return {
            "model": self.model_version,
            "messages": self._messages(task),
            **limit,
            **self._parameters,
        }

    def _messages(self, task: Task) -> list[dict[str, Any]]:
        """Take the task's own messages, else its prompt, else its inputs as JSON."""
        inputs = task.inputs
        before = [{"role": "system", "content": self._system_prompt}] if self._system_prompt else []
        messages = inputs.get("messages")
        if isinstance(messages, list):
            return [*before, *messages]
        prompt = inputs.get("prompt")
        if prompt is None and len(inputs) == 1:
            prompt = next(iter(inputs.values()))
        if not isinstance(prompt, str):
            prompt = json.dumps(dict(inputs), ensure_ascii=False)
        return [*before, {"role": "user", "content": prompt}]

    async def _attempt(self, content: bytes, number: int, *, is_charged: bool) -> Answer:
        """Send one request and read its answer."""
        if self._client is None:
            self._client = httpx2.AsyncClient(
                auth=_Bearer(self._key_variable) if self._key_variable else None,
                # how long an answer may take is the run's affair
                timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
                limits=httpx2.Limits(max_connections=None),
            )
        started = time.perf_counter()
        try:
            async with self._client.stream(
                "POST",
                self._url,
                content=content,
                headers={"Content-Type": "application/json"},
            ) as response:
                text = await _text_of(response)
        except httpx2.TransportError as error:
            is_lost = not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
            raise _AttemptFailed(
                redact(f"{type(error).__name__}: {error}"), is_charged=is_lost
            ) from error
        latency = (time.perf_counter() - started) * 1000
        if not response.is_success:
            self._refuse(response, text, latency)
        return self._read(response, text, latency, number, is_charged=is_charged)

    def _refuse(self, response: httpx2.Response, text: str, latency: float) -> None:
        """Turn an error status into what it means."""
        status = response.status_code
        said = f"HTTP {status}: {_error_message(text)}"
        if status in _WRONG_KEY:
            remedy = (
                f"check the key in {self._key_variable}"
                if self._key_variable
                else "name the variable that holds its key with --api-key-env"
            )
            raise ConfigurationError(f"{self.name} refuses us, {said}; {remedy}")
        if status == _TOO_MANY and "insufficient_quota" in text:
            raise SourceUnavailable(f"{self.name}: the quota is used up, {said}")
        if status in _REPEATABLE or status >= _SERVER_ERROR:
            raise _AttemptFailed(said, pause=seconds_of(response.headers.get("retry-after")))
        raise CallFailed(said, latency_ms=latency)

    def _read(
        self,
        response: httpx2.Response,
        text: str,
        latency: float,
        number: int,
        *,
        is_charged: bool,
    ) -> Answer:
        """Read a successful response."""
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            raise CallFailed(
                "the endpoint answered with a stream, though asked not to",
                latency_ms=latency,
                may_be_charged=True,
            )
        try:
            completion = _completion(text)
            choice = completion.choices[0]
        except RecursionError:
            raise CallFailed(
                "the answer is nested too deeply", latency_ms=latency, may_be_charged=True
            ) from None
        except (msgspec.MsgspecError, ValueError, IndexError):
            raise _AttemptFailed(
                f"the answer is no chat completion: {_error_message(text)}", is_charged=True
            ) from None
        usage = completion.usage if isinstance(completion.usage, dict) else {}
        prompt, output = detail(usage, "prompt_tokens"), detail(usage, "completion_tokens")
        cached = detail(usage.get("prompt_tokens_details"), "cached_tokens")
        reasoning = detail(usage.get("completion_tokens_details"), "reasoning_tokens")
        cost, at_most = self._cost(prompt, output, cached or 0, reasoning or 0)
        outputs: dict[str, Any] = {"output": _text(choice.message.content)}
        if choice.message.tool_calls:
            outputs["tool_calls"] = choice.message.tool_calls
        metadata: dict[str, object] = {
            "finish_reason": choice.finish_reason,
            "answered_model": None if completion.model is None else str(completion.model),
            "cost_usd_at_most": at_most if cost is None else None,
            "attempts": number,
            "unbilled_attempts_uncertain": is_charged or None,
        }
        total = detail(usage, "total_tokens")
        if total is None and prompt is not None and output is not None:
            total = prompt + output
        return Answer(
            outputs=outputs,
            latency_ms=latency,
            tokens_used=total,
            prompt_tokens=prompt,
            completion_tokens=output,
            cached_tokens=cached,
            reasoning_tokens=reasoning,
            cost_usd=cost,
            metadata={name: value for name, value in metadata.items() if value is not None},
        )

    def _cost(
        self, prompt: int | None, output: int | None, cached: int, reasoning: int
    ) -> tuple[float | None, float | None]:
        """Return what a call cost, and at most; None for what cannot be told."""
        if self.price is None or prompt is None or output is None:
            return None, None
        cost = self.price.cost(prompt, output, cached, reasoning)
        if cost is None and not self._has_said_why:
            self._has_said_why = True
            _log.warning(
                "%s counts %d cached tokens of %d, %d of reasoning of %d, which model_prices.csv "
                "cannot price (cached_input_usd_per_million_tokens): such costs stay empty",
                self.name, cached, prompt, reasoning, output,
            )  # fmt: skip
        # counted beside the others, not among them, they come on top
        prompt += cached if cached > prompt else 0
        output += reasoning if reasoning > output else 0
        return cost, self.price.bound(prompt, output)


async def _text_of(response: httpx2.Response) -> str:
    """Read what an endpoint answers, as text without secrets.

    Raises:
        CallFailed: it is longer than an answer may be.

    """
    body = bytearray()
    async for block in response.aiter_bytes():
        body += block
        if len(body) > MOST_OUTPUT_BYTES:
            body.clear()
            block = b""  # noqa: PLW2901  what a traceback shows of this frame has no secret
            raise CallFailed(
                f"the endpoint answered more than {MOST_OUTPUT_BYTES:,} bytes", may_be_charged=True
            )
    return redact(body.decode(response.encoding or "utf-8", errors="replace"))


def _completion(text: str) -> _Completion:
    """Read an answer; NaN and the like, which are no JSON, are left to those who look at them."""
    try:
        return msgspec.json.decode(text, type=_Completion)
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(text), _Completion)


def _pause(error: Exception) -> bool | float:
    """Tell stamina whether to try again, and when the endpoint has said so."""
    if not isinstance(error, _AttemptFailed):
        return False
    if error.pause is None:
        return True
    # stamina takes zero for no
    return (error.pause or True) if error.pause <= LONGEST_WAIT_SECONDS else False


def _error_message(text: str) -> str:
    """Return what an error body says, in any of the usual shapes."""
    with contextlib.suppress(ValueError, AttributeError, TypeError, RecursionError):
        error = json.loads(text).get("error")
        message = error.get("message") if isinstance(error, dict) else error
        if message:
            return str(message)[:_SHOWN]
    return text.strip()[:_SHOWN] or "an empty body"


def _text(content: str | list[dict[str, Any]] | None) -> str | None:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content

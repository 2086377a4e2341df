"""`--trace`: tell LangSmith of every run as well, so that both can be joined."""

from __future__ import annotations

import logging
import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..tools.extras import needed
from .answers import redact, redact_all

if TYPE_CHECKING:
    from .answers import Answer, CallFailed
    from .arms import Job, Settings
    from .scoring import Scores

_log = logging.getLogger(__name__)


class Tracer:
    """Sends runs to LangSmith from the SDK's own background thread.

    A run that cannot be sent is lost there and kept here: recording does not depend on it.
    """

    def __init__(self, settings: Settings, project: str | None = None) -> None:
        """Connect.

        Args:
            settings: of the run.
            project: the project's name; the experiment's id if not given.

        Raises:
            ConfigurationError: no key is set, or the SDK is not installed.

        """
        with needed("langsmith"):
            from langsmith import Client  # slow to import, and seldom needed

        if not (os.environ.get("LANGSMITH_API_KEY") or os.environ.get("LANGCHAIN_API_KEY")):
            raise ConfigurationError("--trace needs LANGSMITH_API_KEY")
        self._client = Client()
        self._settings = settings
        self.project = project or settings.experiment_id

    def trace(
        self, job: Job, answer: Answer | None, failure: CallFailed | None, scores: Scores
    ) -> str:
        """Send one finished run; return the id it has there."""
        run_id = uuid.uuid4()
        ended = datetime.now(UTC)
        latency = answer.latency_ms if answer else (failure.latency_ms if failure else None) or 0.0
        usage = {
            "input_tokens": answer.prompt_tokens if answer else None,
            "output_tokens": answer.completion_tokens if answer else None,
            "total_tokens": answer.tokens_used if answer else None,
        }
        metadata = {
            "experiment_id": self._settings.experiment_id,
            "experiment_group": job.arm.group,
            "task_id": job.task.task_id,
            "extension_version": job.arm.version,
            "model_version": job.arm.target.model_version,
            "repetition": job.repetition,
            "evalmart_source_run_id": job.run_id,
            "ls_model_name": job.arm.target.model_version,
            "usage_metadata": {name: value for name, value in usage.items() if value is not None},
        }
        try:
            self._client.create_run(
                name=job.arm.target.name,
                run_type="llm",
                project_name=self.project,
                id=run_id,
                trace_id=run_id,
                dotted_order=f"{ended:%Y%m%dT%H%M%S%f}Z{run_id}",
                inputs=redact_all(dict(job.task.inputs)),
                outputs=redact_all(dict(answer.outputs)) if answer else None,
                error=redact(str(failure)) if failure else None,
                start_time=ended - timedelta(milliseconds=latency),
                end_time=ended,
                extra={"metadata": metadata},
            )
            for key, value in scores.values.items():
                if value is not None:
                    self._client.create_feedback(run_id, key, score=value, trace_id=run_id)
            for key, label in scores.labels.items():
                self._client.create_feedback(run_id, key, value=label, trace_id=run_id)
        except Exception as error:  # noqa: BLE001  whatever the SDK raises
            _log.warning("LangSmith was not told of a run: %s", redact(str(error)))
        return str(run_id)

    def close(self) -> None:
        """Send what waits."""
        self._client.flush()
        self._client.cleanup()

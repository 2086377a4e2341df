"""Whether a build that failed says that the server could not go on, or that a model is wrong."""

from __future__ import annotations

import pytest

FULL = 'could not extend file "base/16384/t7_17697"'


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (f"{FULL}: No space left on device", f"{FULL}: No space left on device"),
        # PostgreSQL 15, where half a page had room
        (
            f"{FULL}: wrote only 4096 of 8192 bytes at block 51\n  HINT:  Check free disk space.",
            f"{FULL}: wrote only 4096 of 8192 bytes at block 51",
        ),
        ("terminating connection due to administrator command",) * 2,
        ('column "acuracy" does not exist', None),
    ],
)
def test_what_the_server_says_of_itself_is_told_from_what_it_says_of_a_model(
    message: str, said: str | None
) -> None:
    from dbt.cli.main import dbtRunnerResult  # slow to import

    from loader.warehouse import dbt_faults

    failed = dbtRunnerResult(
        success=False,
        exception=RuntimeError(f"Database Error in model evaluation_trials\n  {message}"),
    )
    assert dbt_faults.of_server(failed) == said

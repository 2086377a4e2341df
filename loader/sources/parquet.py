"""Parquet: the columns of a table, typed, read some rows at a time."""

from __future__ import annotations

import io
import tempfile
from contextlib import contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from ..errors import InvalidRecord
from ..records.json_text import too_deep
from ..tools.extras import needed
from . import Rejection, SourceRow
from .binding import bind
from .blocks import MOST_EXPANSION, InputBroken
from .mapped import Objects

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .blocks import Blocks
    from .mapping import Mapping

MAGIC: Final = b"PAR1"
_ROWS: Final = 1024
_MANY_ROWS: Final = 1_000_000
_LARGE_BYTES: Final = 256 * 1024 * 1024
_encode = msgspec.json.Encoder(enc_hook=repr).encode


def read(
    blocks: Blocks, origin: str, supplied: Collection[str], mapping: Mapping
) -> Iterator[SourceRow]:
    """Yield a row for every row of the table; its number is its place.

    Args:
        blocks: of the file, which is kept in a temporary file while it is read, because its
            table of contents stands at its end.
        origin: the file's name.
        supplied: required fields that options supply.
        mapping: what was said of the columns.

    Raises:
        ConfigurationError: the extra that reads Parquet is not installed.

    """
    try:
        with _stored(blocks) as stream:
            yield from _rows(stream, origin, supplied, mapping)
    except InputBroken as end:
        yield SourceRow(1, origin, b"", None, end.rejection)


def sample(blocks: Blocks, most: int) -> list[dict[str, Any]]:
    """Return the first rows; none of a file that cannot be read."""
    found: list[dict[str, Any]] = []
    with suppress(InvalidRecord, InputBroken), _stored(blocks) as stream:
        for batch in _batches(stream):
            found += batch
            if len(found) >= most:
                break
    return found[:most]


@contextmanager
def _stored(blocks: Blocks) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as stream:
        for block in blocks:
            stream.write(block)
        stream.seek(0)
        yield stream


def _rows(
    stream: IO[bytes], origin: str, supplied: Collection[str], mapping: Mapping
) -> Iterator[SourceRow]:
    number = 0
    objects = Objects(mapping, supplied, origin)
    try:
        for batch in _batches(stream):
            if number == 0:
                bind(list(batch[0]), mapping, supplied, is_nested=True)
            for found in batch:
                number += 1
                yield objects.row(SourceRow(number, origin, _encode(found), found, None))
    except InvalidRecord as error:
        yield SourceRow(number + 1, origin, b"", None, Rejection(error.code, error.reason))


def _batches(stream: IO[bytes]) -> Iterator[list[dict[str, Any]]]:
    """Yield rows, some at a time.

    Raises:
        ConfigurationError: the extra is not installed.
        InvalidRecord: this is no Parquet, or is damaged.

    """
    with needed("parquet"):
        import pyarrow as pa
        from pyarrow import parquet
    try:
        file = parquet.ParquetFile(stream)
        _refuse_expansion(file.metadata, stream)
        for batch in file.iter_batches(batch_size=_ROWS):
            if batch.num_rows:
                columns = [_in_microseconds(column) for column in batch.columns]
                table = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
                yield [_plain(row) for row in table.to_pylist()]
    except RecursionError:
        raise too_deep() from None
    # dates past the year 9999, text that is not UTF-8
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise InvalidRecord(
            "", "corrupt_parquet", f"not Parquet, or damaged ({error}); write the file again"
        ) from None


def _refuse_expansion(metadata: Any, stream: IO[bytes]) -> None:  # noqa: ANN401  of pyarrow
    """Raise InvalidRecord where a small file says that it holds a large table."""
    here = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(here)
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    unpacked = max((group.total_byte_size for group in groups), default=0)
    is_large = unpacked > max(_LARGE_BYTES, MOST_EXPANSION * size)
    if is_large or metadata.num_rows > max(_MANY_ROWS, MOST_EXPANSION * size):
        raise InvalidRecord(
            "",
            "expansion_too_large",
            f"{size:,} bytes of Parquet say that they hold {metadata.num_rows:,} rows and "
            f"{unpacked:,} bytes at once; write the table in smaller row groups, or as CSV",
        )


def _in_microseconds(column: Any) -> Any:  # noqa: ANN401  an Arrow array
    """Cut times in nanoseconds, which data frames write, to what a record keeps."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    return column


def _plain(value: Any) -> Any:  # noqa: ANN401  any value of a table
    """Turn what JSON has no type for into what a record has."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value

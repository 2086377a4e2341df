"""PostgreSQL advisory locks, one database each: who waits for whom.

Keys of one namespace stand together, so that no two of them are the same.
"""

from typing import Final

MIGRATE: Final = 7_043_116_201
"""Held while the raw schema is created or migrated."""
LOAD: Final = 7_043_116_202
"""Held from when a load draws its id until it commits: ids become visible in order."""

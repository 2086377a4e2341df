"""LangSmith experiments as a source: runs, every feedback row, tokens, cost, latency.

Importing this package does not import the langsmith SDK; connecting does.
"""

from .client import LangSmith, Patience
from .experiment import LangSmithSource, Wishes
from .projects import (
    Dataset,
    Project,
    dataset_names,
    find_dataset,
    find_project,
    list_projects,
)
from .selection import Selection, select_sources
from .tasks import DatasetTasks, read_tasks

__all__ = [
    "Dataset",
    "DatasetTasks",
    "LangSmith",
    "LangSmithSource",
    "Patience",
    "Project",
    "Selection",
    "Wishes",
    "dataset_names",
    "find_dataset",
    "find_project",
    "list_projects",
    "read_tasks",
    "select_sources",
]

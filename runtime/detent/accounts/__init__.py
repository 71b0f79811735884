"""Who may do what, where: organisations, projects, environments, people and their keys."""

from .accounts import Accounts
from .operations import AccountOperations
from .principal import Principal

__all__ = ["AccountOperations", "Accounts", "Principal"]

"""The rules of a project, in the files of its assistants: blocks in shared files, files of detent's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detent import __version__
from detent.config import Config
from detent.errors import ConfigError
from detent_cli.assistants.block import find_block, put_block, remove_block
from detent_cli.assistants.config_file import write_whole
from detent_cli.assistants.declared import declared
from detent_cli.assistants.ledger import ledger_of
from detent_cli.assistants.placing import Placed, Wanted, put, remove, state_of
from detent_cli.assistants.rules import OPTIONS, RuleSet, RuleTarget, globs_of, pointer, rule_sets, rule_targets

__all__ = ["Rules"]


class Rules:
    """The rules of the project of `config`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.root = config.root
        self._ledger = ledger_of("project", config.root)
        self._sets: list[RuleSet] | None = None

    def sets(self) -> list[RuleSet]:
        """The rule sets as they are for this project."""
        if self._sets is None:
            tasks, queues = declared(self._config)
            self._sets = rule_sets(self._config, tasks, queues)
        return self._sets

    def install(
        self, targets: Sequence[RuleTarget], options: Sequence[str], *, force: bool = False, dry_run: bool = False
    ) -> list[Placed]:
        """Write the rule sets named `options` for `targets`; what became of each file."""
        shared = list(dict.fromkeys(target.shared for target in targets if target.shared is not None))
        if dry_run:
            files = self._files(targets, options)
            found = [Placed(self.root / name, self._state_of_block(name), "block") for name in shared]
            return found + [Placed(file.path, state_of(file, self._ledger), file.name) for file in files]
        files = self._files(targets, options)
        # What cannot be read is told before anything is written.
        for name in shared:
            self._state_of_block(name)
        for file in files:
            state_of(file, self._ledger)
        done = [self._put_block(name, force=force) for name in shared]
        return done + put(files, self._ledger, __version__, force=force)

    def update(self, *, force: bool = False) -> list[Placed]:
        """Write anew what is installed."""
        done = [self._put_block(name, force=force) for name in self._blocks()]
        files, stale = self._installed()
        return [
            *done,
            *put(files, self._ledger, __version__, force=force),
            *remove(stale, self._ledger, self.root, force=force),
        ]

    def uninstall(self, *, force: bool = False) -> list[Placed]:
        """Take out what is installed. A file that held nothing but the block goes with it."""
        done = []
        for name in self._blocks():
            path = self.root / name
            if self._state_of_block(name) == "changed" and not force:
                done.append(Placed(path, "changed", "block"))
                continue
            text = self._text_of(name)
            left = remove_block(text, name)
            if left.strip():
                write_whole(path, left.encode())
            else:
                path.unlink()
            self._ledger.forget(path)
            done.append(Placed(path, "removed", "block"))
        paths = [(self._ledger.place(each), each.name) for each in self._ledger.all("rules")]
        return done + remove(paths, self._ledger, self.root, force=force)

    def status(self) -> list[Placed]:
        """How each installed file is: ``current``, ``outdated``, ``changed`` (by hand) or ``missing``."""
        found = [Placed(self.root / name, self._state_of_block(name), "block") for name in self._blocks()]
        files, stale = self._installed()
        found += [Placed(file.path, state_of(file, self._ledger), file.name) for file in files]
        return found + [Placed(path, "outdated", name) for path, name in stale]

    def _files(self, targets: Sequence[RuleTarget], options: Sequence[str]) -> list[Wanted]:
        globs = globs_of(self._config)
        return [
            Wanted(
                self.root / target.own.format(name=one.name),
                one.text(target, globs).encode(),
                "rules",
                one.name,
            )
            for target in targets
            if target.own is not None
            for one in self.sets()
            if one.name in options
        ]

    def _installed(self) -> tuple[list[Wanted], list[tuple[Path, str]]]:
        """The files that are recorded or there, as they should be; and those that no target has any more."""
        known = {self._ledger.place(each): each for each in self._ledger.all("rules")}
        wanted = [file for file in self._files(rule_targets(), OPTIONS) if file.path in known or file.path.exists()]
        paths = {file.path for file in wanted}
        return wanted, [(path, each.name) for path, each in known.items() if path not in paths]

    def _blocks(self) -> list[str]:
        """The shared files that have a block."""
        names = dict.fromkeys(target.shared for target in rule_targets() if target.shared is not None)
        return [name for name in names if self._state_of_block(name) != "missing"]

    def _state_of_block(self, name: str) -> str:
        text = self._text_of(name)
        found = find_block(text, name)
        if found is None:
            return "missing"
        if found[3]:
            return "changed"
        return "current" if put_block(text, self._pointer(), __version__, name) == text else "outdated"

    def _put_block(self, name: str, *, force: bool) -> Placed:
        path, state = self.root / name, self._state_of_block(name)
        if state == "changed" and not force:
            return Placed(path, "changed", "block")
        if state == "current":
            return Placed(path, "kept", "block")
        text = self._text_of(name)
        after = put_block(text, self._pointer(), __version__, name).encode()
        write_whole(path, after)
        self._ledger.keep(path, "block", "pointer", after, __version__)
        return Placed(path, "created" if not text else "updated", "block")

    def _text_of(self, name: str) -> str:
        """What is in a shared file, nothing where it is not there. Errors: `ConfigError`."""
        path = self.root / name
        try:
            return path.read_bytes().decode()
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 (byte {error.start}), so it is left alone") from None
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None

    def _pointer(self) -> str:
        return pointer(self._config)

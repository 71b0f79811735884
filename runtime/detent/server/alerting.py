"""The loops that tell people what happens: one reads the history, the other sends."""

from __future__ import annotations

from ..config import Config, own_secrets
from ..engine import Engine
from ..engine.alert_secrets import seal_alerts_again
from ..engine.loops import Digest, Loop
from ..engine.variables import Secrets
from ..model.redaction import Redactor
from ..vault import Vault
from .addresses import Reach
from .courier import Courier
from .mail import mailer_of
from .outbound import Outbound

__all__ = ["Alerting"]


class Alerting:
    """Counts errors, and makes and sends the messages of alerts, for all environments of a store.

    Parameters:
      engine: one of the engines of the store. `config`: the project's settings.
      vault: opens what alerts keep. `reach`: how far webhooks may go where the settings do not say.

    Errors: `ConfigError` for a mail server that cannot be one.
    """

    def __init__(self, engine: Engine, config: Config, vault: Vault, *, reach: Reach = Reach.PUBLIC) -> None:
        self._store = engine.store
        self._config = config
        self._vault = vault
        self._secrets: dict[str, Secrets] = {}
        self.courier = Courier(
            engine.write,
            engine.store,
            engine.clock,
            outbound=Outbound(Reach.PRIVATE if config.allow_private_webhooks else reach),
            mailer=mailer_of(config.smtp_url, config.smtp_from),
            vault=vault,
        )
        self.digest = Digest(engine.write, engine.store, engine.clock, self.courier.wake, self._redactor)
        engine.listeners.append(self.digest.note_change)

    @property
    def loops(self) -> tuple[Loop, ...]:
        """The two loops."""
        return self.digest, self.courier

    def start(self) -> None:
        """Start both loops."""
        seal_alerts_again(self._store, self._vault)
        self.courier.start()
        self.digest.start()

    def stop(self) -> None:
        """Stop both; what is not sent stays for the next server."""
        self.digest.stop()
        self.courier.stop()

    def _redactor(self, env: str) -> Redactor:
        """Takes the secrets of an environment out of texts; asked by one thread."""
        if env not in self._secrets:
            hidden = own_secrets(self._config)
            self._secrets[env] = Secrets(self._store, self._vault, env, hidden, self._config.redact)
        return self._secrets[env].redactor()

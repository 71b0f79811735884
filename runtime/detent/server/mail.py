"""E-mail by SMTP, through the server that the operator has named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError

if TYPE_CHECKING:
    import smtplib

__all__ = ["MailError", "Mailer", "mailer_of"]

#: For each answer of the mail server, in seconds.
_TIMEOUT_S = 15.0
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


class MailError(Exception):
    """It was not taken. `code`: of the mail server's answer. `final`: it would be the same next time."""

    def __init__(self, message: str, *, code: int | None = None, final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.final = final


class Mailer(NamedTuple):
    """A mail server, and who writes. `is_tls`: from the first byte on (``smtps``)."""

    host: str
    port: int
    user: str | None
    password: str | None
    is_tls: bool
    sender: str

    def send(self, message_id: str, to: Sequence[str], subject: str, text: str) -> str:
        """Send one text; what the server said of recipients that it did not take, ``""`` when it took all.

        Parameters:
          message_id: stays the same when this is sent again, so that the receiver can tell.

        Errors: `MailError`.
        """
        import smtplib
        from email.message import EmailMessage

        mail = EmailMessage()
        address = parseaddr(self.sender)[1]
        mail["From"] = self.sender
        mail["To"] = ", ".join(to)
        mail["Subject"] = " ".join(subject.split())
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{message_id}@{address.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        try:
            with self._connected() as server:
                refused = server.send_message(mail, address, list(to))
        except smtplib.SMTPResponseException as error:
            said = (
                error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
            )
            code = error.smtp_code
            raise MailError(f"the mail server said {code} {said}", code=code, final=500 <= code < 600) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise MailError(f"the mail server takes none of the recipients: {error.recipients}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailError(f"the mail server {self.host}:{self.port} cannot be used: {error}") from None
        return "".join(f"{address}: {answer}\n" for address, answer in refused.items())

    def _connected(self) -> smtplib.SMTP:
        import smtplib
        import ssl

        if self.is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT_S)
        try:
            server.ehlo()
            secure = self.is_tls
            if not secure and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
                secure = True
            if self.user is not None:
                if not secure and self.host not in _LOCAL:
                    raise MailError(
                        f"{self.host} offers no encryption, so the password is not sent to it; use smtps://", final=True
                    )
                server.login(self.user, self.password or "")
        except BaseException:
            server.close()
            raise
        return server


def mailer_of(url: str | None, sender: str | None) -> Mailer | None:
    """The mailer of ``DETENT_SMTP_URL`` and ``DETENT_SMTP_FROM``, or None where no server is named.

    Errors: `ConfigError`.
    """
    if url is None:
        return None
    told = "DETENT_SMTP_URL must be smtp://USER:PASSWORD@HOST:PORT or smtps://..."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{told}: {error}") from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ConfigError(f"{told}, got the scheme {parts.scheme!r} and the host {parts.hostname!r}")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    is_tls = parts.scheme == "smtps"
    named = sender or (user if user is not None and "@" in user else None)
    if named is None or "@" not in parseaddr(named)[1] or any(ord(char) < 32 for char in named):
        raise ConfigError("DETENT_SMTP_FROM must be the address that e-mails are sent from, such as alerts@example.com")
    return Mailer(parts.hostname, port or (465 if is_tls else 587), user, password, is_tls, named)

"""Files that hold secrets, by their name and by what stands in them.

A bundle is kept by the server and read by workers, so keys do not belong into it: `detent env` gives them to workers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

__all__ = ["Secret", "secret_name", "secrets_in"]

#: What is shown of one file; more lines say nothing more.
_MOST_LINES = 3
#: Bytes of a file that are looked through.
_MOST_BYTES = 16 * 1024 * 1024
_EXAMPLES = frozenset({"defaults", "dist", "example", "examples", "sample", "template", "tmpl", "tpl"})
_WORDS = re.compile(r"[._-]")

#: Names of files that hold nothing but credentials, and what they are; those with a slash are compared with the end of
#: the whole name.
_NAMES = (
    (".env", "variables of an environment"), (".env.*", "variables of an environment"),
    ("*.env", "variables of an environment"), (".envrc", "variables of an environment"),
    ("id_rsa", "a private key"), ("id_dsa", "a private key"), ("id_ecdsa", "a private key"),
    ("id_ecdsa_sk", "a private key"), ("id_ed25519", "a private key"), ("id_ed25519_sk", "a private key"),
    ("*.key", "a private key"), ("*.p12", "a store of keys"), ("*.pfx", "a store of keys"), ("*.p8", "a private key"),
    ("*.jks", "a store of keys"), ("*.keystore", "a store of keys"), ("*.kdbx", "a store of passwords"),
    ("*.ppk", "a private key"),
    (".netrc", "passwords of servers"), ("_netrc", "passwords of servers"), (".pypirc", "passwords of registries"),
    (".pgpass", "passwords of databases"), (".my.cnf", "passwords of databases"), (".htpasswd", "passwords"),
    (".git-credentials", "passwords of repositories"), (".dockercfg", "passwords of registries"),
    (".docker/config.json", "passwords of registries"), (".vault-token", "a key of Vault"),
    (".aws/credentials", "keys of AWS"), ("aws/credentials", "keys of AWS"), (".s3cfg", "keys of AWS"),
    (".boto", "keys of a cloud"), ("application_default_credentials.json", "keys of Google Cloud"),
    ("credentials.json", "keys of a cloud"), ("service-account*.json", "keys of Google Cloud"),
    ("service_account*.json", "keys of Google Cloud"), ("client_secret*.json", "keys of Google Cloud"),
    (".config/gcloud/*", "keys of Google Cloud"), (".azure/*", "keys of Azure"), ("kubeconfig", "keys of Kubernetes"),
    (".kube/config", "keys of Kubernetes"), ("terraform.tfstate", "secrets of Terraform"),
    ("secrets.toml", "secrets"), ("secrets.yaml", "secrets"), ("secrets.yml", "secrets"), ("secrets.json", "secrets"),
    ("secrets.ini", "secrets"),
)  # fmt: skip


class _Form(NamedTuple):
    """A text that is there whenever a secret of this form is, the form, and what it is."""

    sign: bytes
    form: re.Pattern[bytes]
    what: str


_AWS = rb"(?i)aws_?secret_?(?:access_?)?key[\"']?\s{0,4}[:=]\s{0,4}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
_FORMS = tuple(
    _Form(sign, re.compile(form), what)
    for sign, form, what in (
        (b"PRIVATE KEY", rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[rn])*[A-Za-z0-9+/=]{4,}",
         "a private key"),
        (b"PRIVATE KEY", rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[rn])*(?:Proc-Type|Version):",
         "a private key"),
        (b"dt_", rb"\bdt_[a-z]{2,8}_[A-Za-z0-9_]{16,}", "a key of detent"),
        (b"sk-", rb"\bsk-[A-Za-z0-9_-]{20,}", "a key of OpenAI, Anthropic or the like"),
        (b"AKIA", rb"\bAKIA[0-9A-Z]{16}\b", "a key of AWS"),
        (b"ASIA", rb"\bASIA[0-9A-Z]{16}\b", "a key of AWS"),
        (b"aws", _AWS, "a key of AWS"),
        (b"AWS", _AWS, "a key of AWS"),
        (b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}", "a key of Google"),
        (b"GOCSPX-", rb"\bGOCSPX-[0-9A-Za-z_-]{20,}", "a secret of Google"),
        (b"gh", rb"\bgh[opsur]_[A-Za-z0-9]{36,}", "a key of GitHub"),
        (b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{22,}", "a key of GitHub"),
        (b"glpat-", rb"\bglpat-[A-Za-z0-9_-]{20,}", "a key of GitLab"),
        (b"xox", rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", "a key of Slack"),
        (b"hooks.slack.com", rb"hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{16,}",
         "a web hook of Slack"),
        (b"k_live_", rb"\b[rs]k_live_[A-Za-z0-9]{16,}", "a key of Stripe"),
        (b"whsec_", rb"\bwhsec_[A-Za-z0-9+/=]{24,}", "a secret of web hooks"),
        (b"SG.", rb"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{32,}", "a key of SendGrid"),
        (b"hf_", rb"\bhf_[A-Za-z0-9]{30,}", "a key of Hugging Face"),
        (b"gsk_", rb"\bgsk_[A-Za-z0-9]{40,}", "a key of Groq"),
        (b"xai-", rb"\bxai-[A-Za-z0-9]{40,}", "a key of xAI"),
        (b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b", "a key of npm"),
        (b"pypi-", rb"\bpypi-AgE[A-Za-z0-9_-]{40,}", "a key of PyPI"),
        (b"AccountKey=", rb"AccountKey=[A-Za-z0-9+/]{60,}={0,2}", "a key of Azure"),
        (b"authToken", rb"_authToken\s*=\s*[A-Za-z0-9_+/=-]{16,}", "a key of a registry"),
    )
)  # fmt: skip
_ADDRESS = re.compile(
    rb"\b(?:postgres|postgresql|mysql|mariadb|mongodb|redis|rediss|amqp|amqps)(?:\+[a-z0-9]+)?://"
    rb"[^\s/:@\"'<>{}$]{0,64}:([^\s/@\"'<>{}$]{6,128})@([A-Za-z0-9.-]+)"
)
_NO_PASSWORDS = (b"password", b"passwd", b"secret", b"postgres", b"example", b"changeme", b"your", b"guest", b"***")


class Secret(NamedTuple):
    """Something that looks like a secret: on which line, from 1; what it is. The value is not kept."""

    line: int
    what: str


def secret_name(name: str) -> str | None:
    """What a file of this name holds by custom, when that is secret; None else.

    Parameters:
      name: with ``/`` between its parts.
    """
    lower = name.lower()
    last = lower.rpartition("/")[2]
    if last.endswith(".pub") or _EXAMPLES & set(_WORDS.split(last)):
        return None
    for pattern, what in _NAMES:
        if "/" in pattern:
            if fnmatchcase(lower, pattern) or fnmatchcase(lower, f"*/{pattern}"):
                return what
        elif fnmatchcase(last, pattern):
            return what
    return None


def secrets_in(name: str, content: bytes) -> list[Secret]:
    """What looks like a key in a file, by line; the first few of them.

    Parameters:
      name: of the file. `content`: the first 16 MiB of it are looked through.
    """
    head = content[:_MOST_BYTES]
    if b"\0" in head[:8192]:
        return []
    if name.lower().endswith((".pem", ".crt", ".cer")) and b"PRIVATE KEY-----" in head:
        at = head.index(b"PRIVATE KEY-----")
        return [Secret(head.count(b"\n", 0, at) + 1, "a private key")]
    found: dict[int, str] = {}
    for at, what in _found(head):
        found.setdefault(head.count(b"\n", 0, at) + 1, what)
        if len(found) == _MOST_LINES:
            break
    return [Secret(line, what) for line, what in sorted(found.items())]


def _found(content: bytes) -> Iterator[tuple[int, str]]:
    for sign, form, what in _FORMS:
        if sign in content:
            yield from ((match.start(), what) for match in form.finditer(content) if not _is_placeholder(match[0]))
    if b"://" in content:
        for match in _ADDRESS.finditer(content):
            if _is_far(match[2]) and not _is_placeholder(match[1]) and not match[1].lower().startswith(_NO_PASSWORDS):
                yield match.start(), "an address with a password"


def _is_placeholder(value: bytes) -> bool:
    """Whether a value stands in for one, as in the examples of manuals: ``sk-xxxx``, ``sk-your-key-here``."""
    lower = value.lower()
    return b"your" in lower or b"xxxx" in lower or b"placeholder" in lower or len(set(value)) < 6


def _is_far(host: bytes) -> bool:
    """Whether a host is on a network: the passwords of databases on the own machine are no secrets."""
    return b"." in host and host != b"127.0.0.1" and not host.endswith((b".local", b".example", b"example.com"))

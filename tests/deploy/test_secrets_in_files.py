from __future__ import annotations

import pytest

from detent.deploy.secrets_in_files import secret_name, secrets_in

# Joined here, so that no file of this project looks as if it held a key.
KEYS = {
    "OpenAI": "sk-" + "proj-Ab3dEf6hIj9kLmN0pQrS",
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "of AWS": "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "GitHub": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "GitLab": "glpat-" + "x3Y9kPq2mN8vB5zR1tWs",
    "Slack": "xoxb-" + "123456789012-abcdefGHIJKL",
    "Google": "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "Stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "detent": "dt_" + "prod_7fQ2mK9xL4pR8sT1vW6y",
    "Hugging Face": "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567",
    "private key": "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEowIBAAKCAQEA7",
    "a private key": '"private_key": "-----BEGIN PRIVATE' + ' KEY-----\\nMIIEvQIBADANBg"',
    "address": "postgresql://app:" + "h8sK2mq9Zx@db.internal.example.net:5432/app",
    "registry": "//registry.npmjs.org/:_authToken=" + "0a1b2c3d4e5f6a7b8c9d",
}


@pytest.mark.parametrize("what", KEYS)
def test_a_key_is_found_with_its_line(what: str) -> None:
    content = f"import os\n\nvalue = 1\n{KEYS[what]}\n"

    (found,) = secrets_in("tasks/a.py", content.encode())

    assert found.line == 4
    assert what.removeprefix("of ") in found.what


@pytest.mark.parametrize(
    "line",
    [
        "api_key = os.environ['OPENAI_API_KEY']",
        "OPENAI_API_KEY=sk-your-key-goes-here-please",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        'if "-----BEGIN PRIVATE KEY-----" in text:',
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
        "postgresql://postgres:postgres@localhost/app",
        "postgresql://user:password@db.example.com/app",
        "redis://:${REDIS_PASSWORD}@redis.internal.net:6379",
        "the task-runner-with-a-very-long-name-indeed",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_what_only_resembles_a_key_is_none(line: str) -> None:
    assert secrets_in("tasks/a.py", line.encode()) == []


def test_a_binary_file_is_not_looked_through() -> None:
    assert secrets_in("model.bin", b"\0\1" + KEYS["OpenAI"].encode()) == []


def test_a_pem_file_is_judged_by_its_kind() -> None:
    private = "-----BEGIN EC PRIVATE" + " KEY-----\n"

    assert secrets_in("ca.pem", b"-----BEGIN CERTIFICATE-----\nMIIB\n") == []
    assert secrets_in("ca.pem", f"Bag Attributes\n{private}".encode())[0].line == 2


def test_only_the_first_lines_with_keys_are_named() -> None:
    content = "\n".join(f"{KEYS['OpenAI']}{number:03}" for number in range(50))

    assert [found.line for found in secrets_in("a.txt", content.encode())] == [1, 2, 3]


@pytest.mark.parametrize(
    "name",
    [
        ".env", "app/.env.production", ".ENV.local", "prod.env", ".envrc", "keys/id_rsa", "id_ed25519",
        "tls/server.key",
        "cert.pfx", "store.p12", ".netrc", ".pypirc", ".aws/credentials", "home/.aws/credentials",
        "service-account-prod.json",
        "credentials.json", "application_default_credentials.json", ".kube/config", ".streamlit/secrets.toml",
        ".git-credentials", "terraform.tfstate",
    ],
)  # fmt: skip
def test_files_for_credentials_are_known_by_name(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        ".env.example", ".env.sample", "app/.env.template", ".env.prod.example", "id_rsa.pub", "tasks/secrets.py",
        "keys.py",
        "environment.py", "config.json", "credentials.example.json", "monkey.py", ".dockerignore", "env",
    ],
)  # fmt: skip
def test_other_names_are_innocent(name: str) -> None:
    assert secret_name(name) is None

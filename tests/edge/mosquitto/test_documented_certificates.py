"""The commands of docs/brokers.md that make certificates make ones that hold."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROKERS = Path(__file__).resolve().parents[3] / "docs" / "brokers.md"

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


def test_the_certificates_of_the_document_hold_in_strict_verification(tmp_path: Path) -> None:
    """Python 3.13 verifies strictly (X509_V_FLAG_X509_STRICT)."""
    (commands,) = re.findall(r"run by the tests -->\n```\n(.*?)```", BROKERS.read_text(), re.DOTALL)
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", commands], cwd=tmp_path, capture_output=True, check=False
    )
    if b"-CA" in done.stderr:
        pytest.skip("needs OpenSSL 3")
    assert done.returncode == 0, done.stderr.decode()
    for purpose, name, host in (
        ("sslserver", "server.pem", ["-verify_hostname", "broker.example"]),
        ("sslclient", "pi-3.pem", []),
    ):
        verify = ["openssl", "verify", "-x509_strict", "-purpose", purpose, *host]
        verified = subprocess.run(
            [*verify, "-CAfile", "ca.pem", name], cwd=tmp_path, capture_output=True, check=False
        )
        assert verified.returncode == 0, verified.stderr.decode()

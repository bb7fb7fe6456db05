"""What systemd hears, over real datagram sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.health.figures import open_files
from edge.service.notify import Notifier
from tests.edge.service.manager import Manager


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    listening = Manager(tmp_path if request.param == "path" else None)
    yield listening
    listening.close()


def test_each_word_arrives_as_one_datagram(manager):
    notifier = Notifier(manager.environment)
    assert notifier.present
    notifier.ready()
    notifier.watchdog()
    notifier.reloading(1_234_567_890)
    notifier.status("two patients:\n a, b\r\n")
    notifier.stopping()
    assert [manager.next() for _ in range(5)] == [
        {"READY": "1"},
        {"WATCHDOG": "1"},
        {"RELOADING": "1", "MONOTONIC_USEC": "1234567"},
        {"STATUS": "two patients: a, b"},
        {"STOPPING": "1"},
    ]


@given(st.text(max_size=3000))
def test_a_status_never_becomes_another_assignment(text):
    manager = Manager(None)
    try:
        Notifier(manager.environment).status(text.encode("utf-8", "ignore").decode())
        message = manager.next()
        assert list(message) == ["STATUS"]
        assert len(message["STATUS"]) <= 1024
    finally:
        manager.close()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:9"}])
def test_without_a_manager_nothing_is_sent(environment):
    notifier = Notifier(environment)
    assert not notifier.present
    notifier.ready()


def test_a_manager_that_is_gone_or_takes_nothing_does_no_harm(tmp_path, monkeypatch):
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()
    monkeypatch.setattr("edge.service.notify.SEND_S", 0.001)
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    full.bind(str(tmp_path / "full"))
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "full")})
    for _ in range(40):  # more than the kernel queues
        notifier.watchdog()
    full.close()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_whom_it_names(environment, seconds):
    assert Notifier(environment).watchdog_s == seconds


def test_no_descriptor_stays_open(tmp_path: Path):
    manager = Manager(tmp_path)
    notifier = Notifier(manager.environment)
    before = open_files()
    for _ in range(50):
        notifier.watchdog()
        manager.next()
    assert open_files() == before
    manager.close()

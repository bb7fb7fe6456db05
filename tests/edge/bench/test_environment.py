"""The machine as its files describe it."""

import os
from pathlib import Path

import pytest

from edge.bench.environment import environment, filesystem
from edge.bench.report import Condition

NOTHING = Condition()


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


PI = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0",
    "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48686\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
}
PC = {
    "sys/class/dmi/id/sys_vendor": "ACME\n",
    "sys/class/dmi/id/product_name": "Box 1\n",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\ncpu MHz\t\t: 2999.5\n",
    "sys/class/thermal/thermal_zone0/type": "iwlwifi\n",
    "sys/class/thermal/thermal_zone0/temp": "30000\n",
    "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone1/temp": "61000\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "0\n",
}


def test_a_raspberry_pi(tmp_path):
    told = environment(NOTHING, 0.5, tree(tmp_path, PI))
    assert (told.board, told.cpu) == ("Raspberry Pi 4 Model B Rev 1.5", "Cortex-A72")
    assert (told.governor, told.clock_max_mhz) == ("ondemand", 1800.0)
    assert (told.after.clock_mhz, told.after.temperature_c) == (600.0, 48.7)
    assert told.after.throttled == [
        "under-voltage",
        "throttled",
        "under-voltage since boot",
        "throttled since boot",
    ]


def test_a_pc(tmp_path):
    told = environment(NOTHING, None, tree(tmp_path, PC))
    assert (told.board, told.cpu) == ("ACME Box 1", "Some CPU @ 3 GHz")
    assert (told.after.temperature_c, told.after.clock_mhz) == (61.0, 2999.5)
    assert told.after.throttled == []
    assert told.governor is None


def test_a_machine_that_tells_nothing(tmp_path):
    told = environment(NOTHING, None, tmp_path)
    assert told.board == "unknown"
    assert told.cpu
    assert told.after == NOTHING
    assert told.cores_usable <= told.cores == os.cpu_count()
    assert told.libraries["edge"]


@pytest.mark.parametrize("name", PI)
def test_files_that_hold_nonsense_are_taken_for_none(name, tmp_path):
    root = tree(tmp_path, PI | {name: "\udcff?".encode(errors="replace").decode()})
    assert environment(NOTHING, None, root).board


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/lib/edge", "f2fs"), ("/home/x", "ext4"), ("/tmp", "tmpfs"), ("/tmpx", "ext4")],
)
def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount(path, kind, tmp_path):
    mounts = "dev / ext4 rw 0 0\ntmp /tmp tmpfs rw 0 0\nbad\ncard /var/lib f2fs rw 0 0\n"
    root = tree(tmp_path, {"proc/self/mounts": mounts})
    assert filesystem(Path(path), root) == kind
    assert filesystem(Path(path), tmp_path / "none") is None

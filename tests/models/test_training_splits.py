"""What is set aside stays aside."""

from __future__ import annotations

from models.bundle import load_bundle
from models.training import splits


def test_halves_do_not_overlap() -> None:
    assert not set(splits.MITDB_TRAIN) & set(splits.MITDB_DS2)
    assert not set(splits.VFDB_TRAIN) & set(splits.VFDB_TEST)
    assert len(splits.MITDB_DS1) == len(splits.MITDB_DS2) == 22
    assert len(splits.VFDB_TRAIN) + len(splits.VFDB_TEST) == 22


def test_the_demonstration_record_and_paced_records_train_nothing() -> None:
    assert not {"207", "102", "104", "107", "217"} & set(splits.MITDB_TRAIN)


def test_about_15_percent_of_cinc_is_set_aside() -> None:
    held = sum(splits.is_cinc_dev(f"A{k:05d}") for k in range(1, 8529))
    assert 0.13 < held / 8528 < 0.17


def test_beat_symbols_follow_ec57() -> None:
    classes = {s: splits.BEAT_CLASSES[i] for s, i in splits.BEAT_OF_SYMBOL.items()}
    assert {s for s, c in classes.items() if c == "V"} == {"V", "E"}
    assert {s for s, c in classes.items() if c == "S"} == {"A", "a", "J", "S"}
    assert classes["R"] == classes["L"] == classes["N"] == "N"
    assert "!" not in classes  # flutter waves are no beats


def test_the_shipped_bundle_names_what_was_set_aside() -> None:
    split = load_bundle("tcn-s").manifest.training.split
    assert "207" in split
    assert all(record in split for record in splits.VFDB_TEST)


def test_each_vfdb_record_is_left_out_by_one_fold_alone() -> None:
    folds = [f"vfdb-{k}" for k in range(1, splits.VFDB_FOLDS)]
    for record in splits.VFDB_TRAIN:
        assert sum(splits.is_left_out(fold, "vfdb", record) for fold in folds) == 1
        assert splits.is_left_out("vfdb", "vfdb", record)
        assert not splits.is_left_out("trial", "vfdb", record)
    assert {splits.vfdb_fold(record) for record in splits.VFDB_TEST} == {0}


def test_the_trial_leaves_out_cinc_recordings_alone() -> None:
    names = [f"A{n:05d}" for n in range(1, 2001)]
    assert any(splits.is_left_out("trial", "cinc2017", n) for n in names)
    assert not any(
        splits.is_left_out("trial", "cinc2017", n) for n in names if splits.is_cinc_dev(n)
    )
    assert not any(splits.is_left_out("nothing", "cinc2017", n) for n in names)

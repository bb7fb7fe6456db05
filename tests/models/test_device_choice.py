"""Which device is best, from what was measured."""

from hypothesis import given, settings
from hypothesis import strategies as st

from models.device_choice import MARGIN, OPENING_MOST_MS, Trial, ranked, refusal

NAMES = ("cpu", "litert", "openvino", "tensorrt", "edgetpu", "cpu:2", "litert:4")


def trial(device, step_us, **facts):
    return Trial(**{"device": device, "step_us": step_us, "open_ms": 5.0, "deviation": 0.0} | facts)


def simplicity(each):
    name, _, threads = each.device.partition(":")
    return int(threads or 1), ("cpu", "litert", name).index(name)


def first(*trials):
    return ranked(trials)[0].device


@st.composite
def trials(draw):
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    times = st.one_of(st.none(), st.floats(1, 1e6))
    problems = st.sampled_from(["", "", "", "computes wrong numbers: by 0.4"])
    opened = st.floats(1, 2 * OPENING_MOST_MS)
    return [
        trial(name, draw(times), problem=draw(problems), open_ms=draw(opened)) for name in names
    ]


@settings(max_examples=50)
@given(trials())
def test_every_device_that_may_be_taken_has_one_place_and_no_other_has_any(tried):
    order = ranked(tried)
    assert sorted(each.device for each in order) == sorted(
        each.device for each in tried if not refusal(each)
    )


@settings(max_examples=50)
@given(trials())
def test_the_best_is_never_slower_than_the_margin_allows(tried):
    order = ranked(tried)
    for k, each in enumerate(order):
        quickest = min(other.step_us for other in order[k:])
        assert each.step_us * MARGIN <= quickest
        plainer = [other for other in order[k:] if simplicity(other) < simplicity(each)]
        assert all(other.step_us * MARGIN > quickest for other in plainer)


@settings(max_examples=50)
@given(trials(), st.randoms())
def test_the_best_processor_does_not_depend_on_the_order_of_trials(tried, random):
    """Of the devices whose simplicity differs, that is: others rank as they were tried."""
    plain = [each for each in tried if each.device.startswith(("cpu", "litert"))]
    mixed = list(plain)
    random.shuffle(mixed)
    assert ranked(plain) == ranked(mixed)


def test_near_ties_go_to_the_simpler():
    assert first(trial("openvino", 90), trial("litert", 85), trial("cpu", 100)) == "cpu"
    assert first(trial("openvino", 70), trial("litert", 75), trial("cpu", 100)) == "litert"
    assert first(trial("cpu", 100), trial("litert", 95), trial("openvino", 70)) == "openvino"
    assert first(trial("cpu", 100), trial("litert", 85), trial("openvino", 70)) == "litert"
    assert first(trial("cpu:2", 85), trial("cpu", 100)) == "cpu"
    assert first(trial("cpu:2", 55), trial("cpu", 100)) == "cpu:2"


def test_wrong_numbers_are_never_taken_however_quick():
    wrong = trial("litert", 1, problem="computes wrong numbers")
    assert [each.device for each in ranked([wrong, trial("cpu", 1e6)])] == ["cpu"]
    assert ranked([wrong]) == ()


def test_what_opens_for_minutes_has_to_be_asked_for_by_name():
    slow = trial("tensorrt", 1, open_ms=140_000)
    assert first(slow, trial("cpu", 1e6)) == "cpu"
    assert "140 s to open" in refusal(slow)
    assert "encoder.device" in refusal(slow)

"""Episode comparison on cases worked out by hand from the rules of epicmp."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.evaluate.episodes import EpisodeScore, compare_episodes

END_S = 1800.0
episodes = st.lists(
    st.tuples(st.integers(0, 1700), st.integers(1, 90)).map(lambda s: (s[0], s[0] + s[1])),
    max_size=6,
)


def fields(reference, test, **options):
    return compare_episodes(reference, test, END_S, **options).fields


def test_an_overlap_however_short_matches_an_episode_but_not_its_duration():
    found = fields([(400, 500), (600, 700)], [(490, 510)])
    assert (found["episode_se"], found["episode_ppv"]) == (50.0, 100.0)
    assert found["duration_se"] == pytest.approx(100 * 10 / 200)
    assert found["duration_ppv"] == pytest.approx(100 * 10 / 20)


def test_one_claim_may_find_two_episodes_and_is_one_claim():
    score = compare_episodes([(400, 410), (420, 430)], [(300, 500)], END_S)
    assert (score.reference, score.found, score.test, score.true) == (2, 2, 1, 1)
    assert (score.found_s, score.test_s) == (20, 200)


def test_the_learning_period_is_cut_off():
    score = compare_episodes([(100, 200), (250, 350)], [(0, 290)], END_S)
    assert (score.reference, score.reference_s) == (1, 50)
    assert (score.test, score.found) == (0, 0)


def test_claims_in_atrial_flutter_are_not_judged():
    score = compare_episodes([], [(400, 500), (600, 700)], END_S, excluded=[(350, 550), (690, 900)])
    assert (score.test, score.true, score.test_s) == (1, 0, 90)


def test_a_record_without_episodes_has_no_percentages():
    assert {fields([], [])[k] for k in ("episode_se", "duration_ppv")} == {None}


@given(episodes)
def test_a_record_against_itself_is_perfect(some):
    score = compare_episodes(some, some, END_S)
    assert score.reference == score.found == score.test == score.true
    assert score.reference_s == score.found_s == score.test_s == score.true_s


@given(episodes, episodes)
def test_sides_swap(one, other):
    here, there = compare_episodes(one, other, END_S), compare_episodes(other, one, END_S)
    assert (here.reference, here.found) == (there.test, there.true)
    assert (here.reference_s, here.found_s) == (there.test_s, there.true_s)


@given(episodes, episodes)
def test_scores_add_up(one, other):
    score = compare_episodes(one, other, END_S)
    assert (score + EpisodeScore()).fields == score.fields
    assert (score + score).test == 2 * score.test

"""The queue: fair, and not without end."""

from __future__ import annotations

import pytest

from backend.server.jobs import MAX_JOBS, MAX_JOBS_PER_CLIENT, Job, Jobs
from backend.wire.errors import InpaintError


def job(client: str, id: object, size: int = 10) -> Job:
    return Job(client.encode(), str(id), "auto", None, size)


def refused(jobs: Jobs, another: Job) -> str:
    before = [waiting.key for waiting in jobs.waiting()]
    with pytest.raises(InpaintError) as caught:
        jobs.add(another)
    assert [waiting.key for waiting in jobs.waiting()] == before
    return caught.value.code


def test_clients_take_turns() -> None:
    jobs = Jobs(room=1000)
    for client, count in (("a", 4), ("b", 1), ("c", 2)):
        for number in range(count):
            jobs.add(job(client, number))
    announced = [waiting.key for waiting in jobs.waiting()]
    taken = []
    while (taken_job := jobs.take()) is not None:
        taken.append(taken_job)
    assert [one.client.decode() + one.id for one in taken] == ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]
    assert [one.key for one in taken] == announced, "the place that was told is the place that it had"
    assert len(jobs.running()) == len(taken)
    assert not jobs.waiting()


def test_who_comes_late_is_not_behind_the_whole_batch() -> None:
    jobs = Jobs(room=1000)
    for number in range(9):
        jobs.add(job("batch", number))
    jobs.take()
    jobs.add(job("editor", 0))
    assert [one.client for one in jobs.waiting()][:2] == [b"batch", b"editor"]


def test_an_id_is_the_clients_own_and_free_again_afterwards() -> None:
    jobs = Jobs(room=1000)
    mine, theirs = job("a", "same"), job("b", "same")
    jobs.add(mine)
    jobs.add(theirs)
    assert refused(jobs, job("a", "same")) == "bad-message"
    assert jobs.find(b"a", "same") is mine
    assert jobs.find(b"c", "same") is None
    jobs.remove(mine)
    jobs.remove(mine)
    assert jobs.find(b"a", "same") is None
    jobs.add(job("a", "same"))
    assert len(jobs) == 2


def test_one_client_has_so_many_jobs_and_all_together_so_many() -> None:
    jobs = Jobs(room=10**9)
    for number in range(MAX_JOBS_PER_CLIENT):
        jobs.add(job("greedy", number))
    assert refused(jobs, job("greedy", "one more")) == "busy"
    for number in range(MAX_JOBS - MAX_JOBS_PER_CLIENT):
        jobs.add(job(f"client {number}", 0))
    assert refused(jobs, job("late", 0)) == "busy"
    jobs.remove(jobs.waiting()[0])
    jobs.add(job("late", 0))


def test_waiting_pixels_have_a_limit_but_a_large_picture_has_its_turn() -> None:
    jobs = Jobs(room=100)
    large = job("a", 0, size=5000)
    jobs.add(large)
    assert refused(jobs, job("b", 0, size=1)) == "busy"
    assert jobs.take() is large
    jobs.add(job("b", 0, size=60))
    jobs.add(job("b", 1, size=40))
    assert refused(jobs, job("c", 0, size=1)) == "busy"

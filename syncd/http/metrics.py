"""What monitoring reads: the text format of Prometheus, made afresh on each look.

Labels are names from the configuration and from closed sets: nothing that a medium
says becomes one but the names of streams, of which there are at most ``MAX_STREAMS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from bundle.wire import read_moment
from syncd.phases import Need, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from syncd.view import Status, StreamView

MAX_STREAMS: Final = 256
"""Streams that have metrics of their own; the first by name."""


class _Collector:
    def __init__(self, status: Status, connections: tuple[int, int, int]) -> None:
        self._status = status
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        yield from self._bundles()
        yield from self._streams(self._status.streams[:MAX_STREAMS])
        yield from self._store()
        for name, about, value in zip(
            ("open", "refused", "late"),
            ("open now", "closed: too many", "closed: their request was late"),
            self._connections,
            strict=True,
        ):
            yield GaugeMetricFamily(
                f"syncd_http_connections_{name}", f"Connections {about}", value
            )

    def _bundles(self) -> Iterator[Metric]:
        phases = GaugeMetricFamily(
            "syncd_bundles", "Bundles seen, by phase", labels=["phase"]
        )
        for phase in Phase:
            count = sum(one.phase == phase for one in self._status.bundles)
            phases.add_metric([phase], count)
        yield phases
        needs = GaugeMetricFamily(
            "syncd_bundles_waiting", "Bundles that wait, by what for", labels=["need"]
        )
        for need in Need:
            count = sum(one.need == need for one in self._status.bundles)
            needs.add_metric([need], count)
        yield needs

    def _streams(self, streams: tuple[StreamView, ...]) -> Iterator[Metric]:
        now = read_moment(self._status.at, rule="2.5")
        seq = GaugeMetricFamily(
            "syncd_stream_seq",
            "The release that targets should have",
            labels=["stream"],
        )
        age = GaugeMetricFamily(
            "syncd_stream_age_seconds", "Since it was made", labels=["stream"]
        )
        current = GaugeMetricFamily(
            "syncd_target_current",
            "1 where a target has that release",
            labels=["stream", "target"],
        )
        failures = GaugeMetricFamily(
            "syncd_target_failures",
            "Tries that failed since the last that did not",
            labels=["stream", "target"],
        )
        for stream in streams:
            wanted = next(one for one in stream.releases if one.wanted)
            seq.add_metric([stream.name], wanted.seq)
            made = read_moment(wanted.created, rule="8.3.7")
            age.add_metric([stream.name], max(0, now - made))
            for placed in stream.targets:
                current.add_metric([stream.name, placed.target], placed.current)
                failures.add_metric([stream.name, placed.target], placed.failures)
        yield from (seq, age, current, failures)

    def _store(self) -> Iterator[Metric]:
        store = self._status.store
        yield GaugeMetricFamily("syncd_store_bytes", "Bytes of packs", store.bytes)
        yield GaugeMetricFamily("syncd_store_chunks", "Chunks held", store.chunks)
        yield GaugeMetricFamily(
            "syncd_store_release_bytes",
            "Bytes of all files of all releases held",
            store.release_bytes,
        )
        yield CounterMetricFamily(
            "syncd_store_generation", "Times that chunks left", store.generation
        )


def metrics_text(status: Status, connections: tuple[int, int, int]) -> bytes:
    """Return the metrics of a daemon.

    ``connections`` are open, refused and late ones.
    """
    registry = CollectorRegistry()
    registry.register(_Collector(status, connections))
    return generate_latest(registry)

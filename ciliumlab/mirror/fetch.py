"""Fill a mirror from upstream: what is there already is kept, what was cut off goes on."""

from __future__ import annotations

import io
import shutil
import tarfile
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ciliumlab import download, parallel, sources
from ciliumlab.errors import LabError, Problem
from ciliumlab.mirror.contents import Contents
from ciliumlab.mirror.image import Image
from ciliumlab.mirror.repository import Fetched
from ciliumlab.progress import Progress, Report
from ciliumlab.settings import Settings

_AT_ONCE = 4
_PARTIAL = ".partial"  # blobs of images that are not whole yet

_Work = Callable[[Report], None]


def fetch(
    root: Path,
    settings: Settings,
    architectures: Sequence[str],
    distributions: Sequence[tuple[str, str]],
    kinds: Collection[str],
    progress: Progress,
) -> Contents:
    """Fetch all that the settings name into the folder ``root``, and note it there.

    Raises LabError with every problem, after all that could be fetched was.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(Problem(str(root), f"cannot be made: {error.strerror}")) from error
    contents = Contents(root)
    fetching = _Fetching(contents, replace(settings, mirror=""), architectures, distributions)
    works = [work for kind in sources.KINDS if kind in kinds for work in getattr(fetching, kind)()]
    problems = _all_done(works, progress)
    if "charts" in kinds and settings.charts:
        problems += _all_done([("charts index", fetching.chart_index)], progress)
    if problems:
        raise LabError(sorted(set(problems), key=str))
    shutil.rmtree(root / _PARTIAL, ignore_errors=True)
    return contents


def _all_done(works: Sequence[tuple[str, _Work]], progress: Progress) -> list[Problem]:
    """Do all of it, several at once, and tell what went wrong."""
    problems: list[Problem] = []
    interrupted = threading.Event()

    def run(name: str, work: _Work) -> None:
        def report(step: str, done: float | None = None) -> None:
            if interrupted.is_set():
                raise LabError(Problem(name, "was interrupted; the next run goes on from there"))
            progress.update(name, step, done)

        try:
            work(report)
        except LabError as error:
            problems.extend(error.problems)
            progress.finish(name, "interrupted" if interrupted.is_set() else "failed")
        except OSError as error:
            problems.append(Problem(name, f"cannot be written: {error}"))
            progress.finish(name, "failed")
        else:
            progress.finish(name, "there")

    parallel.run((partial(run, *work) for work in works), _AT_ONCE, interrupted)
    return problems


class _Fetching:
    """What there is to fetch: a method a kind, giving names and the work that each is."""

    def __init__(
        self,
        contents: Contents,
        settings: Settings,
        architectures: Sequence[str],
        distributions: Sequence[tuple[str, str]],
    ) -> None:
        self._contents = contents
        self._settings = settings
        self._architectures = architectures
        self._distributions = distributions
        self._one_image = threading.Lock()  # images share layers

    def apt(self) -> Iterator[tuple[str, _Work]]:
        for name, repository in sources.repositories(self._settings).items():
            declared = self._settings.apt_repositories[name]
            folder = sources.repository_folder(name, declared["url"], self._settings)
            key = sources.key_file(name, declared["key"], self._settings)
            everywhere = not any(f"{{{word}}}" in str(repository) for word in ("distribution", "codename"))
            for distribution, codename in self._distributions[:1] if everywhere else self._distributions:
                values = {"distribution": distribution, "codename": codename}
                here: Any = {
                    field: sources.filled(value, **values) if isinstance(value, str) else value
                    for field, value in repository.items()
                }
                suite = Fetched(
                    here,
                    sources.filled(folder, **values),
                    key,
                    self._architectures,
                    self._contents,
                    lambda _step, _done=None: None,
                )

                def work(report: Report, suite: Fetched = suite) -> None:
                    suite.report = report
                    suite.all()

                yield f"apt {name}" + ("" if everywhere else f" {codename}"), work

    def archives(self) -> Iterator[tuple[str, _Work]]:
        files: dict[str, Any] = {}
        for archive in sources.archives(self._settings).values():
            for architecture in self._architectures:
                file: Any = dict(archive)[architecture]
                files[sources.archive_file(file["url"])] = file
        for path, file in files.items():
            yield path.replace("archives/", "archive "), self._file(path, file)

    def charts(self) -> Iterator[tuple[str, _Work]]:
        for name, chart in sources.charts(self._settings).items():
            yield f"chart {name}", self._file(sources.chart_file(name, chart["version"]), chart)

    def manifests(self) -> Iterator[tuple[str, _Work]]:
        for name, manifest in sources.manifests(self._settings).items():
            yield f"manifest {name}", self._file(sources.manifest_file(name, manifest["version"]), manifest)

    def images(self) -> Iterator[tuple[str, _Work]]:
        for name, digest in sources.image_names(self._settings).items():

            def work(report: Report, name: str = name, digest: str = digest) -> None:
                report("manifest")
                image = Image(name, digest, self._architectures)
                path = sources.image_file(name)
                if self._contents.holds(path, image.source):
                    return
                root = self._contents.root
                with self._one_image:
                    image.save(root / path, root / _PARTIAL, report)
                self._contents.add(path, image.source)

            yield f"image {name}", work

    def chart_index(self, report: Report) -> None:
        """Write charts/index.yaml, by which Helm takes the folder for a chart repository."""
        report("reading charts")
        entries: dict[str, list[dict[str, Any]]] = {}
        charts = sorted((self._contents.root / "charts").glob("*.tgz"))
        for path in charts:
            chart = _chart(path)
            entry = {**chart, "urls": [path.name], "digest": download.digest(path)}
            entries.setdefault(chart["name"], []).append(entry)
        if not charts:
            return
        target = self._contents.root / "charts" / "index.yaml"
        target.write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}, sort_keys=False))
        self._contents.add("charts/index.yaml", "made from the charts beside it")

    def _file(self, path: str, file: Any) -> _Work:
        def work(report: Report) -> None:
            target = self._contents.root / path
            if not target.is_file() or download.digest(target) != file["sha256"]:
                target.parent.mkdir(parents=True, exist_ok=True)
                download.fetch(file["url"], target, file["sha256"], report)
            self._contents.add(path, file["url"])

        return work


def _chart(path: Path) -> dict[str, Any]:
    """A chart's own Chart.yaml."""
    try:
        with tarfile.open(path) as archive:
            name = min(
                (n for n in archive.getnames() if n.endswith("/Chart.yaml")), key=lambda n: n.count("/")
            )
            chart: dict[str, Any] = yaml.safe_load(io.BytesIO(archive.extractfile(name).read()))  # type: ignore[union-attr]
            return {"name": chart["name"], "version": str(chart["version"]), **chart}
    except (tarfile.TarError, OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        raise LabError(Problem(str(path), f"is no chart: {error}")) from error

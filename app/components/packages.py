"""Components of installed packages: found by their entry points, loaded when asked for.

A package names them in its ``pyproject.toml``::

    [project.entry-points."tacit.components"]
    "acme.greet" = "acme_tacit.greet:Greet"

Whatever is wrong with one is a :class:`Broken` with a sentence; nothing here lets it out.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from typing import Final

from app.components.declaration import SDK, Component
from app.components.soundness import NAME, find_faults

GROUP: Final = "tacit.components"
OLDEST_SDK: Final = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """The package that a component came with."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Offer:
    """A component that a package says it has: ``place`` is ``module:Class``."""

    name: str
    place: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Broken:
    """A component that can't be used, and why.

    :param code: stable snake_case name; ``message`` is for people.
    """

    name: str
    origin: Origin
    code: str
    message: str


class LoadFailed(Exception):
    """An offer can't be used; carries the finding."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.message)
        self.broken = broken


def find_offers() -> list[Offer]:
    """Return what installed packages offer; imports none of them.

    A package whose metadata can't be read is passed over, as pip does.
    """
    found: dict[tuple[str, str], Offer] = {}
    for distribution in distributions():
        for entry in _entries(distribution):
            name = str(distribution.name or "a package")
            origin = Origin(name, str(distribution.version or ""))
            # A folder that stands twice on the path tells of its packages twice.
            found.setdefault((name.lower(), entry.name), Offer(entry.name, entry.value, origin))
    return list(found.values())


def _entries(distribution: object) -> list[EntryPoint]:
    try:
        return list(distribution.entry_points.select(group=GROUP))  # type: ignore[attr-defined]
    except Exception:
        return []


def sort_offers(
    offers: Iterable[Offer], builtins: Collection[str]
) -> tuple[dict[str, Offer], list[Broken]]:
    """Return the offers whose names can be used, and what is wrong with the others.

    A name belongs to one package: where two offer it, neither gets it, so that installing a
    package never changes what a flow runs.
    """
    taken: dict[str, list[Offer]] = {}
    for offer in offers:
        taken.setdefault(offer.name, []).append(offer)
    reserved = {name.partition(".")[0] for name in builtins}
    usable: dict[str, Offer] = {}
    broken: list[Broken] = []
    for name, same in sorted(taken.items()):
        first = same[0]
        if not NAME.fullmatch(name):
            broken.append(_broken(
                first, "component_id_invalid", "has a name that isn't lower-case words with dots "
                "between them, such as acme.greet. Its package has to give it another one.",
            ))
        elif name in builtins:
            broken += [
                _broken(one, "component_clash", "has the name of a component that comes with "
                        "Tacit. Its package has to give it a name of its own, such as acme.greet.")
                for one in same
            ]
        elif name.partition(".")[0] in reserved:
            broken += [
                _broken(one, "component_namespace_reserved", "begins with "
                        f"“{name.partition('.')[0]}.”, which is for components that come with "
                        "Tacit. Its package has to use a first word of its own.")
                for one in same
            ]
        elif len(same) > 1:
            packages = " and ".join(sorted({str(one.origin) for one in same}))
            broken += [
                _broken(one, "component_clash", f"is offered by {packages}, so none of them is "
                        "used. Uninstall all but one.")
                for one in same
            ]
        else:
            usable[name] = first
    return usable, broken


def load_offer(offer: Offer) -> Component:
    """Import a component of a package and hold it to what a declaration has to have.

    :raises LoadFailed: it can't be used. Nothing else, whatever its module does.
    """
    module, _, attribute = offer.place.partition(":")
    try:
        found: object = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        if error.name in attribute.split("."):
            raise _failed(
                offer, "component_not_found", f"should stand at {offer.place}, and there is "
                "nothing of that name. Its package has to mend its entry point.",
            ) from None
        raise _import_failed(offer, error) from None
    except (Exception, SystemExit) as error:
        raise _import_failed(offer, error) from None
    if not isinstance(found, type) or not issubclass(found, Component):
        raise _failed(
            offer, "component_not_a_component", f"stands at {offer.place}, and that is no class "
            "made from app.sdk.Component. Its package has to mend it.",
        )
    try:
        _check(offer, found)
        return found()
    except LoadFailed:
        raise
    except Exception as error:
        raise _import_failed(offer, error) from None


def _check(offer: Offer, found: type[Component]) -> None:
    if type(found.sdk) is not int or not OLDEST_SDK <= found.sdk <= SDK:
        newer = type(found.sdk) is int and found.sdk > SDK
        what = "Update Tacit, or install an older" if newer else "Install a newer"
        raise _failed(
            offer, "component_sdk_newer" if newer else "component_sdk_older",
            f"is made for version {found.sdk} of the kit, and this Tacit has versions "
            f"{OLDEST_SDK} to {SDK}. {what} version of its package.",
        )
    faults = find_faults(found)
    if faults:
        raise _failed(
            offer, "component_declaration_invalid", f"{'; '.join(faults[:5])}. Its package has to "
            "mend it.",
        )
    if found.name != offer.name:
        raise _failed(
            offer, "component_id_mismatch", f"calls itself {found.name}. Its package has to name "
            "it the same in its entry point and in its class.",
        )


def _import_failed(offer: Offer, error: BaseException) -> LoadFailed:
    # The kind of error and the place: its text may quote anything, a page shows this.
    missing = f" (no module {error.name})" if isinstance(error, ModuleNotFoundError) else ""
    frames = traceback.extract_tb(error.__traceback__)
    module = offer.place.partition(":")[0].partition(".")[0]
    place = next(
        (one for one in reversed(frames) if f"/{module}" in one.filename), None
    )
    where = f", in line {place.lineno} of {place.filename.rpartition('/')[2]}" if place else ""
    return _failed(
        offer, "component_import_failed", f"can't be loaded: {type(error).__name__}{missing}"
        f"{where}. Update its package or uninstall it.",
    )


def _failed(offer: Offer, code: str, words: str) -> LoadFailed:
    return LoadFailed(_broken(offer, code, words))


def _broken(offer: Offer, code: str, words: str) -> Broken:
    shown = offer.name if len(offer.name) <= 100 else offer.name[:99] + "…"
    return Broken(shown, offer.origin, code, f"{shown} of {offer.origin} {words}")

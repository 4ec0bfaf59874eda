"""What still holds something of what was forgotten: looked for anew, by the digests alone."""

from perennial.core.home import Home
from perennial.erasure import forgetting, request
from perennial.erasure.forgetting import Registry
from perennial.erasure.receipt import ForgetStatus, Receipt, TracePlace
from perennial.erasure.request import GivenNames
from perennial.erasure.store_traces import StoreSearch
from perennial.ingest import forgotten, rewriting, snapshot_heads
from perennial.ingest.forgotten import ForgetRequest, ForgottenRows, Sieve
from perennial.settings.pipeline import PipelineSpec


def forget_status(spec: PipelineSpec, home: Home, given: GivenNames | None) -> ForgetStatus:
    """Of all that was forgotten, or only of the requests that name something of `given`. Changes nothing.

    Raises RegistryError when MLflow can't be used, StoreError when a snapshot can't be read.
    """
    rows = forgotten.read_forgotten(home.state(spec.name))
    asked = [one for one in rows.requests if _names(rows, one, given)] if rows else []
    with forgetting.registry_of(home, spec.name) as registry:
        receipts = [_looked(spec, home, rows, one, registry) for one in asked if rows]
    return ForgetStatus(pipeline=spec.name, checked=forgotten.now(), requests=tuple(receipts))


def _looked(spec: PipelineSpec, home: Home, rows: ForgottenRows, one: ForgetRequest, registry: Registry) -> Receipt:
    alone, current = rows.model_copy(update={"requests": (one,)}), snapshot_heads.head_path(spec, home)
    heads, places = snapshot_heads.heads_in(home, spec.name), list[TracePlace]()
    for path, head in heads.items():
        sieve = Sieve(alone, beside=path != current)
        by_part = rewriting.matched_in(head.snapshot, sieve, home.store)
        places += forgetting.snapshot_places(home, {path: by_part}, sieve)
    own = {part.sha256 for head in heads.values() for part in head.snapshot.parts}
    search = StoreSearch(home, spec.name, alone, own, forgetting.others_of(home, spec.name, registry))
    places += forgetting.traces_left(spec, search, registry, one)
    return forgetting.receipt_of(spec, rows, one, registry, home, places)


def _names(rows: ForgottenRows, one: ForgetRequest, given: GivenNames | None) -> bool:
    if given is None:
        return True
    digests = request.digests_of(rows, given)
    return any(set(digests[name]) & set(getattr(one, name)) for name in digests)

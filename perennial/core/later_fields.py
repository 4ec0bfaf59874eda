"""Fields that came later: what an older Perennial wrote, keyed or digested stays what it is."""

from typing import Any, ClassVar

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer


class LaterFields(BaseModel):
    """A model that leaves its `LATER` fields out of what it is written as, where they are at their defaults.

    So the digest of what does not use them is the one that it had before there were any.
    """

    LATER: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_unused(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        unused = {name for name in self.LATER if getattr(self, name) == fields[name].default}
        return {name: value for name, value in written(self).items() if name not in unused}

"""An index of items in memory, for tests that fill one."""

from collections import Counter

from chronotile.catalog.items.index import ItemIndex
from chronotile.core.model.items import PutSummary


class ItemsInMemory(ItemIndex):
    """The part of an index that `fill` uses, with a record of calls."""

    def __init__(self):
        self.collections = {}
        self.configured = {}
        self.calls = Counter()

    def settings(self, collection):
        return self.configured.get(collection) if self.collections.get(collection) else None

    def configure(self, collection, settings):
        self.configured[collection] = settings

    def put(self, collection, items):
        stored = self.collections.setdefault(collection, {})
        summary = PutSummary()
        for item in items:
            self.calls["put"] += 1
            before = stored.get(item.id)
            stored[item.id] = item
            if before is None:
                summary += PutSummary(added=1)
            elif before == item:
                summary += PutSummary(unchanged=1)
            else:
                summary += PutSummary(replaced=1)
        return summary

    def addresses(self, collection):
        for id_, item in self.collections.get(collection, {}).items():
            yield id_, tuple(asset.href for asset in item.assets)

    def remove(self, collection, ids):
        stored = self.collections.get(collection, {})
        return sum(stored.pop(id_, None) is not None for id_ in list(ids))

    def ids(self, collection="s2"):
        return sorted(self.collections.get(collection, {}))

    def close(self):
        """Nothing is open."""
